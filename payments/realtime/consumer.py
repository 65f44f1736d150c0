"""The loops of a server process, one for each thing that goes on by itself. They outlive errors."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Event

import structlog
from flask import Flask

from payments.domain.facts import Fact
from payments.domain.ports import Queue
from payments.providers.registry import Rails
from payments.realtime.engine import Engine
from payments.realtime.handlers import Realtime
from payments.realtime.patrol import ROUND_SECONDS, go_round
from payments.realtime.server import Sockets
from payments.services.expire import expire_once
from payments.services.figures import QUEUE_LAG
from payments.services.reconcile import reconcile_once
from payments.services.refunds import send_waiting
from payments.services.relay import Relay
from payments.store.db import in_transaction, now
from payments.store.idempotency import forget_old

log = structlog.get_logger()

READ_SECONDS = 0.5
TRIES = 8
PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
EXPIRY_SECONDS = 1.0
QUESTION_SECONDS = 2.0
REFUND_SECONDS = 300.0
CLEANING_SECONDS = 3600.0


class Consumer:
    """Has the engine tell what the queue brings. A fact that fails is tried again in its place."""

    def __init__(self, queue: Queue, engine: Engine) -> None:
        self._queue = queue
        self._engine = engine
        self._waiting: deque[Fact] = deque()
        self._tries = 0

    def step(self) -> None:
        if not self._waiting:
            self._waiting.extend(self._queue.read(READ_SECONDS))
            QUEUE_LAG.set(len(self._waiting))
        while self._waiting:
            # The database being away stops only the filling of gaps, and that not for ever:
            # whoever hears a fact after a gap asks for what is missing.
            self._tries += 1
            self._engine.tell(self._waiting[0], fill=self._tries < TRIES)
            self._waiting.popleft()
            self._tries = 0
            QUEUE_LAG.set(len(self._waiting))


class Background:
    def __init__(self, app: Flask, socketio: Sockets, queue: Queue, rails: Rails) -> None:
        realtime: Realtime = app.extensions["realtime"]
        self._app = app
        self._socketio = socketio
        self._relay = Relay(queue)
        self._consumer = Consumer(queue, realtime.engine)
        self._stopping = Event()
        self._running: set[str] = set()
        self._steps: dict[str, Callable[[], None]] = {
            "relay": self._relay.step,
            "consumer": self._consumer.step,
            "patrol": self._every(ROUND_SECONDS, lambda: go_round(realtime)),
            "expiry": self._every(EXPIRY_SECONDS, lambda: expire_once(now())),
            "cleaning": self._every(CLEANING_SECONDS, lambda: in_transaction(forget_old)),
            "questions": self._every(QUESTION_SECONDS, lambda: reconcile_once(rails, now())),
            "refunds": self._every(REFUND_SECONDS, lambda: send_waiting(rails)),
        }

    def start(self) -> None:
        self._relay.start()
        for name, step in self._steps.items():
            self._running.add(name)
            self._socketio.start_background_task(self._loop, name, step)

    def stop(self, seconds: float) -> None:
        """Each loop ends with its present step; one that waits for a provider is not waited for."""
        self._stopping.set()
        self._relay.stop()
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            time.sleep(0.02)

    def _every(self, seconds: float, work: Callable[[], object]) -> Callable[[], None]:
        def step() -> None:
            if not self._stopping.wait(seconds):
                work()

        return step

    def _loop(self, name: str, step: Callable[[], None]) -> None:
        try:
            self._repeat(name, step)
        finally:
            self._running.discard(name)

    def _repeat(self, name: str, step: Callable[[], None]) -> None:
        pause = PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                with self._app.app_context():
                    step()
                pause = PAUSE_SECONDS
            except Exception:
                log.exception("loop.failed", loop=name)
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def start_background(app: Flask, socketio: Sockets, queue: Queue, rails: Rails) -> Background:
    """Called by the server after it listens, never by commands; `stop` ends what it began."""
    background = Background(app, socketio, queue, rails)
    background.start()
    return background
