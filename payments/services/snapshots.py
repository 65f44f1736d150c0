"""What a page may read of an order: now, and since a version."""

from __future__ import annotations

from typing import Any

from payments.domain.facts import order_topic
from payments.domain.order import Order
from payments.domain.snapshot import iso, snapshot
from payments.store import orders, outbox, payments


def order_snapshot(order: Order) -> dict[str, Any]:
    return snapshot(order, payments.last_of(order.id))


def order_events(order_id: str, after: int | None) -> dict[str, Any] | None:
    """`{version, snapshot, events}`: the order now, and what happened after version `after`."""
    order = orders.find(order_id)
    if order is None:
        return None
    missed = [] if after is None else outbox.of_topic(order_topic(order_id), after)
    return {
        "version": order.version,
        "snapshot": order_snapshot(order),
        "events": [
            {"version": fact.version, "event": fact.event, "at": iso(fact.at)} for fact in missed
        ],
    }
