"""Pages in Node, driven from here: opened, told what to say, and listened to."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.servers import ServerFailed

FOLDER = Path(__file__).resolve().parent
SECONDS = 10.0


def install() -> None:
    """The official client, as the lock file has it; at once where it is there."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise ServerFailed("node or npm is missing: `make test` installs them, or says how")
    wanted, stamp = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".made-from"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return
    done = subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise ServerFailed(f"npm ci failed:\n{done.stdout}{done.stderr}")
    stamp.write_text(wanted.read_text())


class Page:
    """One page: what it heard is a list of (event, payload)."""

    def __init__(self, browser: Browser, name: str) -> None:
        self.name = name
        self._browser = browser
        self.lines: list[dict[str, Any]] = []

    @property
    def heard(self) -> list[tuple[str, Any]]:
        return [
            (line["event"], line["told"][0] if line["told"] else None)
            for line in list(self.lines)
            if "event" in line
        ]

    @property
    def events(self) -> set[str]:
        return {event for event, _ in self.heard}

    def all(self, event: str) -> list[Any]:
        return [payload for name, payload in self.heard if name == event]

    def state(self, name: str) -> dict[str, Any] | None:
        return next((line for line in list(self.lines) if line.get("state") == name), None)

    def wait_for(self, event: str, count: int = 1) -> list[Any]:
        self._browser.wait(lambda: len(self.all(event)) >= count, f"{event} in {self.lines}")
        return self.all(event)

    def wait_until(self, name: str) -> dict[str, Any]:
        self._browser.wait(lambda: self.state(name) is not None, f"{name} in {self.lines}")
        found = self.state(name)
        assert found is not None
        return found

    def late(self, event: str) -> Any:
        """What a handler heard that was put there only once the page was connected."""

        def found() -> list[Any]:
            return [line["told"][0] for line in list(self.lines) if line.get("late") == event]

        self._browser.wait(lambda: bool(found()), f"{event} in {self.lines}")
        return found()[0]

    def say(self, event: str, *args: Any) -> None:
        self._browser.send(command="emit", page=self.name, event=event, args=args)

    def call(self, event: str, *args: Any) -> Any:
        """What the ack brings."""
        number = next(self._browser.numbers)
        self._browser.send(command="emit", page=self.name, event=event, args=args, number=number)

        def answers() -> list[Any]:
            return [line["answer"] for line in list(self.lines) if line.get("number") == number]

        self._browser.wait(lambda: bool(answers()), f"an answer to {event}")
        return answers()[0]

    def close(self) -> None:
        self._browser.send(command="close", page=self.name)


class Browser:
    """One Node process, with any number of pages."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self._pages: dict[str, Page] = {}
        self._change = threading.Condition()
        node = shutil.which("node")
        assert node is not None
        self._child = subprocess.Popen(
            [node, str(FOLDER / "frontend.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def open(
        self,
        url: str,
        transports: tuple[str, ...],
        token: str | None = None,
        **headers: str,
    ) -> Page:
        page = Page(self, f"page {next(self.numbers)}")
        self._pages[page.name] = page
        self.send(
            command="open",
            page=page.name,
            url=url,
            transports=transports,
            auth={"token": token} if token else {},
            headers=headers,
        )
        return page

    def send(self, **command: Any) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()

    def wait(self, check: Callable[[], bool], what: str) -> None:
        with self._change:
            assert self._change.wait_for(check, SECONDS), f"never: {what}"

    def close(self) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.close()
        try:
            self._child.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join(SECONDS)
        self._child.stdout.close()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            told = json.loads(line)
            with self._change:
                self._pages[told["page"]].lines.append(told)
                self._change.notify_all()
