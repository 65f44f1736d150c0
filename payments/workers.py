"""Several server processes on one machine, each on a port of its own behind a sticky proxy.

A session of long polling lives in one process, so they cannot share a port: `PORT` to
`PORT + N - 1` are the upstreams (deploy/nginx). One that dies is started again. SIGHUP replaces one
after the other by what the program is by now, while the others serve.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import structlog

from payments.settings import BadSetting, Settings

log = structlog.get_logger()

MOST = 64
LOOK_SECONDS = 0.2
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0
"""A process that has run for so long begins with the shortest pause again."""
DRAIN_SECONDS = 12.0
"""Each ends within 10 s by itself; after this it is ended."""
START_SECONDS = 30.0
"""A new one that does not serve by then stops the replacing: the others stay as they are."""
SETTLE_SECONDS = 3.0
"""Longer than the proxy leaves out one that did not answer: two must never be out at once."""


def check(settings: Settings, count: int) -> None:
    """Raises BadSetting naming what stands in the way of more than one process."""
    if not 1 <= count <= MOST or settings.port + count - 1 > 65535:
        raise BadSetting("--workers", f"expected 1 to {MOST}, with a port for each from PORT on")
    if count == 1:
        return
    if settings.redis_url is None:
        raise BadSetting("REDIS_URL", "is needed where more than one process serves")
    if settings.database_url.startswith("sqlite"):
        raise BadSetting("DATABASE_URL", "expected PostgreSQL where more than one process serves")


@dataclass(slots=True)
class _Worker:
    command: Sequence[str]
    environ: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    pause: float = field(default=FIRST_PAUSE_SECONDS)

    def start(self) -> None:
        self.started = time.monotonic()
        # Its own group: Ctrl-C reaches it through us alone, and once.
        self.process = subprocess.Popen(  # noqa: S603 (our own program)
            self.command, env=dict(self.environ), start_new_session=True
        )

    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def serves(self) -> bool:
        address = self.environ.get("HOST") or "127.0.0.1"
        with closing(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)) as one:
            one.settimeout(1.0)
            return one.connect_ex((address, int(self.environ["PORT"]))) == 0

    def replace(self, patience: Callable[[], bool]) -> bool:
        """Drains it and starts it anew; whether the new one serves. It waits while `patience`."""
        self.tell(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.runs() and time.monotonic() < deadline:
            if not patience():
                return False
            time.sleep(LOOK_SECONDS)
        self.end_by(deadline)
        self.start()
        deadline = self.started + START_SECONDS
        while not self.serves():
            if not self.runs() or time.monotonic() > deadline or not patience():
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def look(self) -> None:
        """Starts it, or starts it again after a pause that grows while it keeps dying."""
        now = time.monotonic()
        if self.runs():
            return
        if self.process is not None:
            if now - self.started > STEADY_SECONDS:
                self.pause = FIRST_PAUSE_SECONDS
            log.error("worker.died", port=self.environ["PORT"], status=self.process.returncode)
            self.process, self.start_at = None, now + self.pause
            self.pause = min(self.pause * 2, LONGEST_PAUSE_SECONDS)
        if now >= self.start_at:
            self.start()

    def tell(self, sign: int) -> None:
        if self.process is not None and self.runs():
            self.process.send_signal(sign)

    def end_by(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(settings: Settings, count: int, program: str) -> None:
    """Runs `count` processes of `program` until SIGTERM or SIGINT, then drains them all."""
    check(settings, count)
    _log_as_the_others_do()
    asked_to_end: list[int] = []
    asked_to_replace: list[int] = []
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, _frame: asked_to_end.append(number))
    signal.signal(signal.SIGHUP, lambda number, _frame: asked_to_replace.append(number))
    workers = [
        _Worker(
            [sys.executable, program],
            # Where the public address is made of the port, it is the first one's.
            {**os.environ, "PUBLIC_URL": settings.public_url, "PORT": str(settings.port + place)},
        )
        for place in range(count)
    ]
    while not asked_to_end:
        for worker in workers:
            worker.look()
        if asked_to_replace:
            asked_to_replace.clear()
            _replace_all(workers, lambda: not asked_to_end)
        time.sleep(LOOK_SECONDS)
    for worker in workers:
        worker.tell(signal.SIGTERM)
    deadline = time.monotonic() + DRAIN_SECONDS
    for worker in workers:
        worker.end_by(deadline)


def _replace_all(workers: Sequence[_Worker], patience: Callable[[], bool]) -> None:
    """One after the other, and no further than to the first that does not come up."""
    for worker in workers:
        if not worker.replace(patience):
            log.error("worker.not_replaced", port=worker.environ["PORT"])
            return
        log.info("worker.replaced", port=worker.environ["PORT"])
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            if not patience():
                return
            time.sleep(LOOK_SECONDS)


def _log_as_the_others_do() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )
