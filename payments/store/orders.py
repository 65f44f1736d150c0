"""Orders: read as domain records, moved by compare-and-set on their version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from payments.domain.errors import Conflict
from payments.domain.order import DEPOSIT, Order
from payments.domain.states import OPEN, OrderStatus
from payments.domain.transfers import as_number
from payments.store.db import LostRace, db, savepoint
from payments.store.tables import bank_lines, confirmations, inbox, orders, payments

_COLUMNS = [orders.c[field.name] for field in fields(Order)]


def order_of(row: Row[Any]) -> Order:
    values = dict(row._mapping)
    return Order(**{**values, "status": OrderStatus(values["status"])})


def add(order: Order) -> None:
    """Raises Conflict where the id is taken."""
    values = {field.name: getattr(order, field.name) for field in fields(Order)}
    try:
        with savepoint():
            db.session.execute(insert(orders).values({**values, "status": order.status.value}))
    except IntegrityError as error:
        raise Conflict("An order with this id exists.", code="order_exists", field="id") from error


def find(order_id: str) -> Order | None:
    row = db.session.execute(select(*_COLUMNS).where(orders.c.id == order_id)).one_or_none()
    return order_of(row) if row else None


def exists(order_id: str, *, customer_id: str | None = None) -> bool:
    """Whether there is such an order, of this customer where one is named."""
    query = select(orders.c.id).where(orders.c.id == order_id)
    if customer_id is not None:
        query = query.where(orders.c.customer_id == customer_id)
    return db.session.execute(query).one_or_none() is not None


def lock(order_id: str) -> Order | None:
    """The order, held until the commit.

    SQLite has no row locks: its writers already stand in line.
    """
    row = db.session.execute(
        select(*_COLUMNS).where(orders.c.id == order_id).with_for_update()
    ).one_or_none()
    return order_of(row) if row else None


def move(order: Order, **changes: Any) -> Order:
    """Writes `changes` if nobody moved the order since it was read. Raises LostRace otherwise."""
    if isinstance(changes.get("status"), OrderStatus):
        changes["status"] = changes["status"].value
    row = db.session.execute(
        update(orders)
        .where(orders.c.id == order.id, orders.c.version == order.version)
        .values(**changes)
        .returning(*_COLUMNS)
    ).one_or_none()
    if row is None:
        raise LostRace(order.id)
    return order_of(row)


def overdue(at: datetime, limit: int) -> Sequence[str]:
    """Open orders whose time has run out.

    Late money opens an order again for good: it is left alone.
    """
    return (
        db.session.execute(
            select(orders.c.id)
            .where(
                orders.c.status.in_([status.value for status in OPEN]),
                orders.c.expires_at <= at,
                orders.c.late.is_(False),
            )
            .order_by(orders.c.expires_at)
            .limit(limit)
        )
        .scalars()
        .all()
    )


def open_deposits(customer_id: str, limit: int = 10) -> Sequence[Order]:
    """Of this person, newest first."""
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(
            orders.c.customer_id == customer_id,
            orders.c.purpose == DEPOSIT,
            orders.c.status.in_([status.value for status in OPEN]),
        )
        .order_by(orders.c.created_at.desc(), orders.c.id.desc())
        .limit(limit)
    )
    return [order_of(row) for row in rows]


def page(
    *,
    status: str | None = None,
    customer_id: str | None = None,
    search: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> Sequence[Order]:
    """Newest first.

    `search` is, whole, an order id, a reference, a transaction id, evidence, or the number that the
    bank gave a transfer.
    """
    query = select(*_COLUMNS).order_by(orders.c.created_at.desc(), orders.c.id.desc()).limit(limit)
    if status:
        query = query.where(orders.c.status == status)
    if customer_id:
        query = query.where(orders.c.customer_id == customer_id)
    if search:
        named = select(payments.c.order_id).where(
            (payments.c.reference == search) | (payments.c.transaction_id == search)
        )
        proved = select(confirmations.c.order_id).where(confirmations.c.evidence == search)
        told = (
            select(inbox.c.order_id)
            .join(bank_lines, bank_lines.c.inbox_id == inbox.c.id)
            .where(bank_lines.c.number == as_number(search))
        )
        query = query.where(
            (orders.c.id == search)
            | orders.c.id.in_(named)
            | orders.c.id.in_(proved)
            | orders.c.id.in_(told)
        )
    if before:
        at, order_id = before
        query = query.where(
            (orders.c.created_at < at) | ((orders.c.created_at == at) & (orders.c.id < order_id))
        )
    return [order_of(row) for row in db.session.execute(query)]
