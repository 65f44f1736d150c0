"""The loops of a server process, one for each thing that goes on by itself. They outlive errors."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from threading import Event

import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from payments.domain.facts import Fact
from payments.domain.ports import Queue
from payments.providers.registry import Rails
from payments.realtime.census import Census
from payments.realtime.deliveries import STEP_SECONDS
from payments.realtime.engine import Engine
from payments.realtime.handlers import Realtime
from payments.realtime.leading import Alone, Leader
from payments.realtime.mirror import ROUND_SECONDS as MIRROR_SECONDS
from payments.realtime.patrol import ROUND_SECONDS, go_round
from payments.realtime.server import Sockets
from payments.services.books.sealing import Sealer
from payments.services.cards import tell_new_cards
from payments.services.clean import Cleaner
from payments.services.expire import expire_once
from payments.services.figures import LOOP_FAILURES, QUEUE_LAG
from payments.services.reconcile import ask_watched, reconcile_once
from payments.services.refund_questions import ask_refunds
from payments.services.relay import Relay
from payments.services.wallets.payouts import ask_payouts
from payments.services.webhooks.delivery import Courier
from payments.store.db import Busy, now

log = structlog.get_logger()

READ_SECONDS = 0.5
TRIES = 8
PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
EXPIRY_SECONDS = 1.0
QUESTION_SECONDS = 0.5
WATCHED_SECONDS = 2.0
REFUND_SECONDS = 2.0
PAYOUT_SECONDS = 2.0
CARD_SECONDS = 2.0
SEALING_SECONDS = 1.0
CLEANING_SECONDS = 3600.0


class Consumer:
    """Has the engine tell what the queue brings. A fact that fails is tried again in its place."""

    def __init__(
        self,
        queue: Queue,
        engine: Engine,
        answers: Mapping[str, Callable[[Fact], None]] | None = None,
    ) -> None:
        """`answers`: what else this process does about a fact, by its event."""
        self._queue = queue
        self._engine = engine
        self._answers = answers or {}
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
            fact = self._waiting[0]
            self._engine.tell(fact, fill=self._tries < TRIES)
            answer = self._answers.get(fact.event)
            if answer is not None and self._tries < TRIES:
                answer(fact)
            self._waiting.popleft()
            self._tries = 0
            QUEUE_LAG.set(len(self._waiting))


class Background:
    def __init__(self, app: Flask, socketio: Sockets, queue: Queue, rails: Rails) -> None:
        realtime: Realtime = app.extensions["realtime"]
        self._app = app
        self._socketio = socketio
        self._relay = Relay(queue)
        self._courier = Courier(production=app.extensions["paychime"].settings.production)
        self._consumer = Consumer(queue, realtime.engine, {"live.room": Census(realtime).answer})
        self._mirror = realtime.tracking.mirror
        self._leader = Leader() if queue.shared else Alone()
        self._stopping = Event()
        self._running: set[str] = set()
        self._steps: dict[str, Callable[[], None]] = {
            "relay": self._relay.step,
            "consumer": self._consumer.step,
            "patrol": self._every(ROUND_SECONDS, lambda: go_round(realtime)),
            "expiry": self._led("expiry", EXPIRY_SECONDS, lambda: expire_once(now())),
            "sealing": self._led("sealing", SEALING_SECONDS, Sealer().once),
            "cleaning": self._led("cleaning", CLEANING_SECONDS, Cleaner().once),
            "deliveries": self._every(STEP_SECONDS, realtime.deliveries.step),
            "watched": self._every(
                WATCHED_SECONDS, lambda: ask_watched(realtime.rooms.watched_orders(), now())
            ),
            "cards": self._led("cards", CARD_SECONDS, lambda: tell_new_cards(rails, now())),
            "refunds": self._led("refunds", REFUND_SECONDS, lambda: ask_refunds(rails, now())),
            "payouts": self._led("payouts", PAYOUT_SECONDS, lambda: ask_payouts(rails, now())),
            "webhooks": lambda: self._courier.step(lambda: self._leader.leads("webhooks")),
        }
        if self._mirror is not None:
            self._steps["mirror"] = self._every(MIRROR_SECONDS, self._mirror.step)
        if queue.shared:
            self._steps["queue"] = queue.carry
        # A loop for each: one that is slow to answer keeps no other waiting.
        for rail in rails.askable():
            name = f"questions.{rail}"
            work = partial(self._ask, rails, rail)
            self._steps[name] = self._led(name, QUESTION_SECONDS, work)

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
        with suppress(SQLAlchemyError, Busy), self._app.app_context():
            self._leader.resign()
        if self._mirror is not None and "mirror" not in self._running:
            self._mirror.leave()

    @staticmethod
    def _ask(rails: Rails, rail: str) -> None:
        reconcile_once(rails, rail, now())

    def _every(self, seconds: float, work: Callable[[], object]) -> Callable[[], None]:
        def step() -> None:
            if not self._stopping.wait(seconds):
                work()

        return step

    def _led(self, name: str, seconds: float, work: Callable[[], object]) -> Callable[[], None]:
        """Like `_every`, by one process for all of them."""
        return self._every(seconds, lambda: self._leader.leads(name) and work())

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
                LOOP_FAILURES.labels(name).inc()
                self._stopping.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def start_background(app: Flask, socketio: Sockets, queue: Queue, rails: Rails) -> Background:
    """Called by the server after it listens, never by commands; `stop` ends what it began."""
    background = Background(app, socketio, queue, rails)
    background.start()
    return background
