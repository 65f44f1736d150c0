"""Orders that money without a home may have been meant for: whatever any of the signs points at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select

from payments.domain.order import Order
from payments.domain.states import OrderStatus
from payments.store.db import db
from payments.store.orders import order_of
from payments.store.tables import orders, payments

AGE = timedelta(days=14)
"""Older orders have to be named by whoever assigns the money."""

EACH = 100
"""So many of the newest orders are looked at for each sign."""

_MAY_BE_PAID = tuple(
    status.value
    for status in (
        *(OrderStatus.PENDING, OrderStatus.PARTIALLY_PAID),
        *(OrderStatus.EXPIRED, OrderStatus.CANCELLED),
    )
)
_COLUMNS = [orders.c[field.name] for field in fields(Order)]


def possible(
    at: datetime, currency: str, amount: int, names: Sequence[str], beginnings: Sequence[str]
) -> list[Order]:
    """Unpaid orders of the time before `at`: the newest, those of this amount, those named.

    `names` are words that could be an order's id; `beginnings` could be those of a memo.
    """
    found: dict[str, Order] = {}
    due = or_(orders.c.amount == amount, orders.c.amount - orders.c.amount_paid == amount)
    signs: list[ColumnElement[bool]] = [due, orders.c.id.is_not(None)]
    if names:
        signs.insert(0, orders.c.id.in_(names))
    if beginnings:
        begun = or_(*(payments.c.reference.startswith(one, autoescape=True) for one in beginnings))
        signs.insert(0, orders.c.id.in_(select(payments.c.order_id).where(begun)))
    for sign in signs:
        rows = db.session.execute(
            select(*_COLUMNS)
            .where(
                sign,
                orders.c.currency == currency,
                orders.c.status.in_(_MAY_BE_PAID),
                orders.c.created_at.between(at - AGE, at + timedelta(minutes=5)),
            )
            .order_by(orders.c.created_at.desc(), orders.c.id.desc())
            .limit(EACH)
        )
        found |= {order.id: order for order in map(order_of, rows)}
    return list(found.values())


def memos_of(order_ids: Sequence[str], rail: str) -> dict[str, list[str]]:
    """The references of each order's attempts on this rail."""
    memos: dict[str, list[str]] = {order_id: [] for order_id in order_ids}
    rows = db.session.execute(
        select(payments.c.order_id, payments.c.reference).where(
            payments.c.order_id.in_(order_ids), payments.c.provider == rail
        )
    )
    for order_id, reference in rows:
        memos[order_id].append(reference)
    return memos
