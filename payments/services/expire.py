"""Ends orders whose time has run out, by a clock that tests can move."""

from __future__ import annotations

from datetime import datetime

from payments.domain.order import Order
from payments.domain.states import Kind
from payments.services.checkout import close_attempts
from payments.services.moves import move_order
from payments.store import audit, orders
from payments.store.db import end_read, in_transaction

BATCH = 200


def expire_once(at: datetime) -> int:
    """How many orders this round ended; in a transaction each: a stuck one stops no other."""
    overdue = orders.overdue(at, BATCH)
    end_read()
    return sum(_expire(order_id, at) for order_id in overdue)


def _expire(order_id: str, at: datetime) -> bool:
    def change() -> bool:
        order = orders.lock(order_id)
        # Between the list and the lock the money may have come.
        if order is None or not order.open or order.expires_at > at or order.late:
            return False
        audit.record("system", "order.expired", order.id)
        lapse(order)
        return True

    return in_transaction(change)


def lapse(order: Order) -> Order:
    """In the caller's transaction."""
    close_attempts(order, Kind.LAPSED)
    return move_order(order, Kind.TIME_RAN_OUT)
