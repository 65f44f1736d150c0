"""Turns facts into the events of each vocabulary: every fact once and in order, for each topic."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

import structlog

from payments.dialects import DIALECTS, Dialect, Told
from payments.domain.facts import Fact, told_again_in
from payments.domain.snapshot import iso
from payments.realtime.rooms import Rooms
from payments.services.figures import CALLBACK_TO_EMIT
from payments.store import outbox
from payments.store.db import now

log = structlog.get_logger()

TOPICS_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class _Last:
    """A topic's newest version that was told here, or given to a newcomer (then without `at`)."""

    version: int
    at: datetime | None = None


class Engine:
    def __init__(
        self,
        rooms: Rooms,
        dialects: tuple[Dialect, ...] = DIALECTS,
        missed: Callable[[str, int], Sequence[Fact]] = outbox.of_topic,
    ) -> None:
        self._rooms = rooms
        self._dialects = dialects
        self._missed = missed
        self._last: OrderedDict[str, _Last] = OrderedDict()
        self._lock = Lock()
        self.newest_id = 0
        """The outbox id of the newest fact told here: the version of the topic `orders`."""

    def tell(self, fact: Fact, *, fill: bool = True) -> None:
        """Emits the fact, and before it what its topic misses; nothing that was told already."""
        last = self._last.get(fact.topic)
        if last is not None and fact.version <= last.version:
            return
        if self._overtaken(fact):
            return
        if fill and last is not None and fact.version > last.version + 1:
            for lost in self._missed(fact.topic, last.version):
                if lost.version < fact.version and not self._overtaken(lost):
                    self._tell(lost)
        self._tell(fact)

    def _overtaken(self, fact: Fact) -> bool:
        """Told again of an order that has moved on since: no page may go back to it."""
        of_order = told_again_in(fact.topic)
        last = self._last.get(of_order) if of_order is not None else None
        return last is not None and fact.snapshot["version"] < last.version

    def shown(self, topic: str, version: int) -> None:
        """A newcomer has been given this version. The lowest that anybody was given counts.

        Taking a higher one would drop a fact that is still on its way to whoever came before.
        """
        with self._lock:
            last = self._last.get(topic)
            if last is None or (last.at is None and version < last.version):
                self._remember(topic, _Last(version))

    def told_at(self, topic: str, version: int) -> datetime | None:
        """When this version was made, if it is the one that was told here last."""
        last = self._last.get(topic)
        return last.at if last is not None and last.version == version else None

    def _tell(self, fact: Fact) -> None:
        sent_at = iso(now()) or ""
        # Before the emit: of two people who come and go meanwhile, neither may hear it again.
        with self._lock:
            self._remember(fact.topic, _Last(fact.version, fact.at))
        self.newest_id = max(self.newest_id, fact.outbox_id)
        for dialect in self._dialects:
            for told, part in self._words(dialect, fact):
                self._emit(dialect, told, part, sent_at)
        CALLBACK_TO_EMIT.observe(max(0.0, (now() - fact.at).total_seconds()))

    def _words(self, dialect: Dialect, fact: Fact) -> list[tuple[Told, Fact]]:
        try:
            return [(told, part) for part in dialect.parts(fact) for told in dialect.told(part)]
        except Exception:
            log.exception("fact.not_told", dialect=dialect.name, topic=fact.topic)
            return []

    def _emit(self, dialect: Dialect, told: Told, fact: Fact, sent_at: str) -> None:
        try:
            room = told.room(fact)
            namespaces = self._rooms.speaking(dialect, room) if room is not None else []
            if room is None or not namespaces:
                return
            payload = told.payload(fact, sent_at)
            for namespace in namespaces:
                self._rooms.tell(told, payload, fact, room, namespace)
        except Exception:
            # One vocabulary's fault is not to silence the others.
            log.exception("fact.not_told", dialect=dialect.name, topic=fact.topic, told=told.event)

    def _remember(self, topic: str, last: _Last) -> None:
        self._last[topic] = last
        self._last.move_to_end(topic)
        if len(self._last) > TOPICS_REMEMBERED:
            self._last.popitem(last=False)
