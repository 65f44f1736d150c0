"""Counts who listens to an order, when an operator asks from another process."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from payments.dialects import Subject
from payments.domain.facts import Fact, order_topic
from payments.realtime.handlers import Realtime
from payments.store import counts, payments
from payments.store.db import end_read, in_transaction

log = structlog.get_logger()


class Census:
    """Writes this process's answer where the command that asked looks for it."""

    def __init__(self, realtime: Realtime) -> None:
        self._realtime = realtime

    def answer(self, fact: Fact) -> None:
        order_id = str(fact.snapshot["id"])
        count = self._realtime.rooms.listeners
        rooms = {room: count(room) for room in self._rooms(order_id)}
        end_read()
        heard = {room: listeners for room, listeners in rooms.items() if listeners}
        instance = self._realtime.tracking.instance
        in_transaction(lambda: counts.record(fact.topic, fact.version, instance, heard))
        log.info("socket.counted", order=order_id, rooms=heard)

    def _rooms(self, order_id: str) -> Iterator[str]:
        """Every room in which this order is told, whatever the vocabulary."""
        references = [one.reference for one in payments.of_order(order_id)]
        named = {
            Subject.TOPIC: [order_topic(order_id)],
            Subject.ORDER: [order_id],
            Subject.PAYMENT: references,
        }
        for dialect in self._realtime.dialects:
            if dialect.subscribe:
                yield from (dialect.room(one) for one in named[dialect.subject])
