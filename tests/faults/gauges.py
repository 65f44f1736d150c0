"""What a server takes of its machine, and what a healthy client notices meanwhile."""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.traffic import Answer, p99_ms
from tests.servers import AppServer

MIB = 1 << 20


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {name}")


def memory(pid: int) -> int:
    """Bytes in real memory."""
    return _status(pid, "VmRSS")


@contextmanager
def peak_memory(pid: int) -> Iterator[list[int]]:
    """By how many bytes the highest point of the block stood above its beginning, at its end."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # forgets the highest point so far
    before, grown = memory(pid), [0]
    yield grown
    grown[0] = _status(pid, "VmHWM") - before


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_seconds(pid: int) -> float:
    """Of all its threads, the ended ones too, since it began; in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bystander:
    """A healthy client: a new connection for each of `rate` calls a second, and their times."""

    def __init__(self, server: AppServer, path: str = "/healthz", rate: float = 40) -> None:
        self._server = server
        self._path = path
        self._pause = 1 / rate
        self._over = threading.Event()
        self._answers: list[Answer] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Bystander:
        self._thread.start()
        return self

    def __exit__(self, *_why: object) -> None:
        self._over.set()
        self._thread.join(30)

    def p99_ms(self, since: float, until: float | None = None) -> float:
        """Of the calls that began in this time; every one must have been answered 200."""
        end = time.monotonic() if until is None else until
        those = [one for one in list(self._answers) if since <= one.began < end]
        assert {one.status for one in those} == {200}, "a healthy client was not served"
        return p99_ms(those)

    def _run(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            status = self._ask()
            self._answers.append(Answer("", began, time.monotonic() - began, status))
            self._over.wait(max(0.0, began + self._pause - time.monotonic()))

    def _ask(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=20)
        try:
            connection.request("GET", self._path)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return -1
        finally:
            connection.close()


def unharmed(before_ms: float, meanwhile_ms: float, factor: float = 2.0) -> bool:
    """Within the factor; below that many milliseconds of difference a machine's own noise rules."""
    return meanwhile_ms <= max(factor * before_ms, before_ms + 50.0)
