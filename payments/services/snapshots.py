"""What a page may read of an order: now, and since a version."""

from __future__ import annotations

from typing import Any

from payments.domain.facts import order_topic
from payments.domain.order import Order
from payments.domain.snapshot import iso, payment_view, snapshot
from payments.domain.states import OPEN, OrderStatus, PaymentStatus
from payments.store import orders, outbox, payments


def order_snapshot(order: Order) -> dict[str, Any]:
    return snapshot(order, payments.last_of(order.id))


def attempt_shown(shown: dict[str, Any]) -> dict[str, Any] | None:
    """The attempt that this snapshot's state rests on: once it has ended, the one that paid."""
    last: dict[str, Any] | None = shown["payment"]
    if OrderStatus(shown["status"]) in OPEN:
        return last
    paid = [one for one in payments.of_order(shown["id"]) if one.status is PaymentStatus.SUCCEEDED]
    return payment_view(paid[-1]) if paid else last


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
