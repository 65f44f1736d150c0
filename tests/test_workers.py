"""Several server processes on one machine: started, kept alive, drained together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import requests

from payments import workers
from payments.settings import BadSetting, load
from tests.servers import PostgresServer, redis_server

REPOSITORY = Path(__file__).parents[1]
PATIENCE_SECONDS = 40


def ports_in_a_row(count: int) -> int:
    """The first of so many free ports."""
    for first in range(20_000 + os.getpid() % 5_000, 60_000, 7):
        try:
            for port in range(first, first + count):
                with closing(socket.create_server(("127.0.0.1", port))):
                    pass
        except OSError:
            continue
        return first
    raise AssertionError("no free ports in a row")


class Servers:
    """`python wsgi.py --workers 2` with settings of its own."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self.first = ports_in_a_row(2)
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = {
            **plain,
            "APP_ENV": "test",
            "SECRET_KEY": "a secret of the tests of workers",
            "INSTANCE_PATH": str(folder),
            "PORT": str(self.first),
            **settings,
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self, count: int = 2) -> subprocess.Popen[str]:
        self.process = subprocess.Popen(
            [sys.executable, "wsgi.py", "--workers", str(count)],
            cwd=REPOSITORY,
            env=self.environment,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        return self.process

    def answers(self, place: int) -> bool:
        try:
            url = f"http://127.0.0.1:{self.first + place}/readyz"
            return bool(requests.get(url, timeout=2).json().get("database") == "ok")
        except requests.RequestException:
            return False

    def wait_for(self, place: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.answers(place):
            assert time.monotonic() < deadline, f"process {place} does not serve"
            time.sleep(0.1)

    def children(self) -> set[int]:
        assert self.process is not None
        found = subprocess.run(
            ["/usr/bin/pgrep", "-P", str(self.process.pid)], capture_output=True, text=True
        )
        return {int(pid) for pid in found.stdout.split()}


@pytest.fixture
def servers(postgres: PostgresServer, migrated_postgres: str, tmp_path: Path) -> Iterator[Servers]:
    url = postgres.create_database(template=migrated_postgres)
    with redis_server() as redis:
        made = Servers({"DATABASE_URL": url, "REDIS_URL": redis.url}, tmp_path)
        yield made
        if made.process is not None:
            made.process.send_signal(signal.SIGTERM)
            made.process.communicate(timeout=20)
    postgres.drop_database(url)


def test_each_serves_on_a_port_of_its_own_and_one_that_dies_is_started_again(
    servers: Servers,
) -> None:
    process = servers.start()
    servers.wait_for(0)
    servers.wait_for(1)
    before = servers.children()
    assert len(before) == 2
    os.kill(max(before), signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(servers.children() - before) < 1:
        assert time.monotonic() < deadline, "nobody took the place of the dead one"
        time.sleep(0.1)
    servers.wait_for(0)
    servers.wait_for(1)
    after = servers.children()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert time.monotonic() - began < workers.DRAIN_SECONDS + 1
    for pid in after:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.long
def test_a_hangup_replaces_all_of_them_and_somebody_serves_at_every_moment(
    servers: Servers,
) -> None:
    process = servers.start()
    servers.wait_for(0)
    servers.wait_for(1)
    before = servers.children()
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while servers.children() & before or len(servers.children()) < 2:
        assert time.monotonic() < deadline, "the old ones stay"
        assert servers.answers(0) or servers.answers(1), "nobody serves"
        time.sleep(0.05)
    servers.wait_for(0)
    servers.wait_for(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.mark.long
def test_who_does_not_come_up_is_the_last_to_be_replaced(servers: Servers) -> None:
    process = servers.start()
    servers.wait_for(0)
    servers.wait_for(1)
    before = servers.children()
    # Tables of another version: what is started from now on refuses them.
    url = servers.environment["DATABASE_URL"]
    with closing(psycopg2.connect(url)) as database, database, database.cursor() as one:
        one.execute("UPDATE alembic_version SET version_num = 'another'")
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(servers.children() & before) == 2:
        assert time.monotonic() < deadline, "nobody was replaced"
        time.sleep(0.1)
    time.sleep(workers.SETTLE_SECONDS + 3)
    assert len(servers.children() & before) == 1, "the other one was not left in its place"
    assert servers.answers(1)


@pytest.mark.parametrize(
    ("missing", "named"), [("REDIS_URL", "REDIS_URL"), ("DATABASE_URL", "DATABASE_URL")]
)
def test_more_than_one_is_refused_by_name(servers: Servers, missing: str, named: str) -> None:
    del servers.environment[missing]
    process = servers.start()
    _, words = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 2
    assert words.startswith(f"{named}: ")
    assert "Traceback" not in words


@pytest.mark.parametrize("count", [0, -1, 65])
def test_a_number_that_cannot_be_is_refused(count: int, tmp_path: Path) -> None:
    settings = load(
        {
            "APP_ENV": "test",
            "SECRET_KEY": "a secret of the tests of workers",
            "INSTANCE_PATH": str(tmp_path),
        }
    )
    with pytest.raises(BadSetting, match="--workers"):
        workers.check(settings, count)
