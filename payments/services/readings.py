"""Figures that nobody counts as they happen: read at the moment when Prometheus asks."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError

from payments.domain.ports import Queue
from payments.providers.registry import Rails
from payments.services.figures import (
    CIRCUIT_OPEN,
    DATABASE_UP,
    OUTBOX_LAG,
    OUTBOX_LAG_SECONDS,
    QUEUE_HEALTHY,
    UNSEALED,
    WAITING,
    WEBHOOKS_WAITING,
)
from payments.store import outbox, seals, waiting, webhook_deliveries
from payments.store.db import now


def take(rails: Rails, queue: Queue) -> None:
    """Never raises where the database is away: the other figures are needed most then."""
    QUEUE_HEALTHY.set(queue.healthy())
    left_in_peace = set(rails.circuits.open_ones(now()))
    for rail in {*rails.askable(), *left_in_peace}:
        CIRCUIT_OPEN.labels(rail).set(rail in left_in_peace)
    try:
        _ask_the_database()
    except SQLAlchemyError:
        DATABASE_UP.set(0)
    else:
        DATABASE_UP.set(1)


def _ask_the_database() -> None:
    facts, since = outbox.lag()
    OUTBOX_LAG.set(facts)
    OUTBOX_LAG_SECONDS.set((now() - since).total_seconds() if since else 0)
    WEBHOOKS_WAITING.set(webhook_deliveries.waiting())
    UNSEALED.set(seals.tail(seals.recent()).count)
    for what, number in waiting.by_kind().items():
        WAITING.labels(what).set(number)
