"""The whole core under control: one seed decides what everybody does, the time, and every crash.

The services run as they are, over SQLite in memory. Pretended are the providers, the clock, the
queue's fate, and the process, which dies before a commit, after it, in a call to a provider, or
between publishing and marking, and starts again.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from flask import Flask

from payments.dialects import Dialect, Told
from payments.domain.errors import BadCallback, PaychimeError
from payments.domain.facts import Fact, order_topic
from payments.queue import MemoryQueue
from payments.realtime.engine import Engine
from payments.services import callbacks, ids, reconcile
from payments.services.access import Identity
from payments.services.expire import expire_once
from payments.services.reconcile import reconcile_once
from payments.services.refund_questions import ask_refunds
from payments.services.relay import relay_once
from payments.services.snapshots import order_events
from payments.store import db as database
from payments.store import outbox
from payments.store.db import db, end_read, now
from tests.faults.pretended import Letter, Outside, PretendedRails
from tests.people import People

BEGIN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
POINTS = ("before commit", "after commit", "call", "mark")


class Died(BaseException):
    """The process is gone: nothing of it goes on."""


class Broken(AssertionError):
    """Something that may never be."""


class Clock:
    """Stands in for the `datetime` by which the store asks for the time."""

    def __init__(self) -> None:
        self.at = BEGIN

    def now(self, _zone: object) -> datetime:
        # Two things never happen at the same moment.
        self.at += timedelta(microseconds=1)
        return self.at


@dataclass
class Page:
    """One open page: what it shows, and with which version it came."""

    order_id: str
    version: int = 0
    status: str = ""
    given: int = 0

    def hear(self, payload: dict[str, Any]) -> None:
        version = payload["version"]
        if version <= self.given:
            return  # the room knows who has it already
        if version != self.version + 1:
            raise Broken(f"{self.order_id}: told {version} after {self.version}")
        self.version, self.status = version, payload["snapshot"]["status"]


class Ears:
    """The rooms of one process, as the engine speaks into them."""

    def __init__(self, pages: list[Page]) -> None:
        self._pages = pages
        self._last: dict[tuple[str, str, str, str], int] = {}

    def speaking(self, dialect: Dialect, _room: str) -> list[str]:
        return [dialect.namespace]

    def tell(
        self, told: Told, payload: dict[str, Any], fact: Fact, room: str, namespace: str
    ) -> None:
        name = (namespace, room, told.event, fact.topic)
        if fact.version < self._last.get(name, 0):
            raise Broken(f"{name} heard {fact.version} after {self._last[name]}")
        self._last[name] = fact.version
        for page in self._pages:
            if told.event == "update" and room == order_topic(page.order_id):
                page.hear(payload)


class World:
    """One story's shop and everybody around it."""

    def __init__(self, app: Flask, chance: random.Random, clock: Clock) -> None:
        self.app = app
        self.chance = chance
        self.clock = clock
        self.people = People(app)
        self.settings = self.people.house.settings
        self.outside = Outside(chance)
        self.outside.at_once = self.deliver
        self.outside.dies_here = self.strike
        self.fuse: tuple[str, int] | None = None
        self.deaths = 0
        self.order_ids: list[str] = []
        self.pages: list[Page] = []
        self.queue = MemoryQueue()
        self.manager, self.clerk = self.people.manager, self.people.clerk
        self.start()

    @property
    def shop(self) -> Identity:
        return self.people.shop

    # ---- the process ----

    def start(self, *, alone: bool = True) -> None:
        """What a start makes anew; every page comes back and asks by its version.

        Not `alone`: the pages hang on another process, which lives and hears of it by the queue.
        """
        db.session.remove()
        self.rails = PretendedRails(self.settings, self.outside)
        if not alone:
            return
        self.engine = Engine(Ears(self.pages))  # type: ignore[arg-type]  # all of Rooms it uses
        for page in self.pages:
            self.look_again(page)

    def strike(self, point: str) -> None:
        """Dies here, if this is the moment."""
        if self.fuse is None or self.fuse[0] != point:
            return
        left = self.fuse[1] - 1
        self.fuse = (point, left) if left else None
        if not left:
            raise Died(point)

    def attempt(self, deed: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A refusal is a right answer too. After a death the process starts again."""
        try:
            return deed(*args, **kwargs)
        except PaychimeError:
            return None
        except Died:
            self.deaths += 1
            alone = self.chance.random() < 0.5
            # The queue may live elsewhere, and outlive it.
            if alone and self.chance.random() < 0.5:
                self.queue = MemoryQueue()
            self.start(alone=alone)
            return None
        finally:
            end_read()

    def deliver(self, letter: Letter) -> bool:
        """The provider calls; whether it was answered 2xx. Who is not answered calls again."""
        provider, body, headers = letter.write()

        def call() -> bool:
            try:
                callbacks.receive(self.rails, provider, headers, body)
            except BadCallback:
                if not letter.lies:
                    raise
            else:
                if letter.lies:
                    raise Broken(f"{provider} was believed: {body!r}")
            return True

        return bool(self.attempt(call))

    # ---- what goes on by itself ----

    def pass_on(self) -> None:
        """The relay, then the reader of the queue."""
        self.attempt(relay_once, self.queue)
        for fact in self.queue.read(0):
            self.engine.tell(fact)
        end_read()

    def ask(self) -> None:
        for rail in ("momo", "campay"):
            self.attempt(reconcile_once, self.rails, rail, now())
        self.attempt(ask_refunds, self.rails, now())

    def expire(self) -> None:
        self.attempt(expire_once, now())

    def look_again(self, page: Page) -> None:
        """Joins its room, and is given what it missed."""
        found = order_events(page.order_id, page.version)
        end_read()
        if found is None:
            raise Broken(f"{page.order_id} is gone")
        page.version = page.given = found["version"]
        page.status = found["snapshot"]["status"]
        self.engine.shown(order_topic(page.order_id), page.version)

    def open_page(self, order_id: str) -> None:
        page = Page(order_id)
        self.look_again(page)
        self.pages.append(page)


class Simulation:
    """Makes worlds on one application, each from the same beginning."""

    def __init__(self, app: Flask, empty: sqlite3.Connection) -> None:
        self.clock = Clock()
        self.names = random.Random(1)
        self._app = app
        self._begin = sqlite3.connect(":memory:")
        self._world: World | None = None
        self._pour(empty, None)
        assert People(app).manager.staff  # made on first use
        assert People(app).clerk.staff
        self._pour(None, self._begin)

    def world(self, chance: random.Random) -> World:
        self._world = None
        self._pour(self._begin, None)
        self.clock.at = BEGIN
        self.names.seed(1)
        self._world = World(self._app, chance, self.clock)
        return self._world

    def strike(self, point: str) -> None:
        if self._world is not None:
            self._world.strike(point)

    def close(self) -> None:
        self._begin.close()

    def _pour(self, source: sqlite3.Connection | None, target: sqlite3.Connection | None) -> None:
        """All of one database into another; None is the application's, which is in memory."""
        db.session.remove()
        memory: Any = db.engine.raw_connection()
        try:
            (source or memory.driver_connection).backup(target or memory.driver_connection)
        finally:
            memory.close()


@contextmanager
def controlled(app: Flask, empty: sqlite3.Connection) -> Iterator[Simulation]:
    """Clock, chance and the points of death are taken over in these seams until the end."""
    loud = structlog.get_config()
    with pytest.MonkeyPatch.context() as patched, app.app_context():
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        simulation = Simulation(app, empty)
        commit, mark = db.session.commit, outbox.mark_published

        def committed() -> None:
            simulation.strike("before commit")
            commit()
            simulation.strike("after commit")

        def marked(facts: Sequence[Fact]) -> None:
            simulation.strike("mark")
            mark(facts)

        patched.setattr(database, "datetime", simulation.clock)
        patched.setattr(db.session, "commit", committed, raising=False)
        patched.setattr(outbox, "mark_published", marked)
        patched.setattr(ids, "secrets", simulation.names)
        patched.setattr(reconcile, "random", simulation.names)
        try:
            yield simulation
        finally:
            simulation.close()
            db.session.remove()
            structlog.configure(**loud)
