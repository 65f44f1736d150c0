"""Attempts to pay: read as domain records, moved by compare-and-set on their status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from payments.domain.order import Payment
from payments.domain.states import ASKABLE, PaymentStatus
from payments.store.db import LostRace, db
from payments.store.tables import payments

_COLUMNS = [payments.c[field.name] for field in fields(Payment)]


def _payment_of(row: Row[Any]) -> Payment:
    values = dict(row._mapping)
    return Payment(**{**values, "status": PaymentStatus(values["status"])})


def add(payment: Payment, ask_at: datetime | None = None) -> None:
    values = {field.name: getattr(payment, field.name) for field in fields(Payment)}
    values["status"] = payment.status.value
    db.session.execute(insert(payments).values({**values, "ask_at": ask_at}))


def find(reference: str) -> Payment | None:
    row = db.session.execute(select(*_COLUMNS).where(payments.c.reference == reference))
    found = row.one_or_none()
    return _payment_of(found) if found else None


def find_transaction(provider: str, transaction_id: str) -> Payment | None:
    row = db.session.execute(
        select(*_COLUMNS).where(
            payments.c.provider == provider, payments.c.transaction_id == transaction_id
        )
    ).one_or_none()
    return _payment_of(row) if row else None


def of_order(order_id: str) -> Sequence[Payment]:
    """All attempts, oldest first."""
    rows = db.session.execute(
        select(*_COLUMNS).where(payments.c.order_id == order_id).order_by(payments.c.seq)
    )
    return [_payment_of(row) for row in rows]


def last_of(order_id: str) -> Payment | None:
    """The attempt a page speaks of: the one that began last."""
    row = db.session.execute(
        select(*_COLUMNS)
        .where(payments.c.order_id == order_id)
        .order_by(payments.c.seq.desc())
        .limit(1)
    ).one_or_none()
    return _payment_of(row) if row else None


def last_of_each(order_ids: Sequence[str]) -> dict[str, Payment]:
    rows = db.session.execute(
        select(*_COLUMNS).where(payments.c.order_id.in_(order_ids)).order_by(payments.c.seq)
    )
    return {payment.order_id: payment for payment in map(_payment_of, rows)}


def move(payment: Payment, **changes: Any) -> Payment:
    """Writes `changes` if the attempt still has the status it was read with. Raises LostRace."""
    if isinstance(changes.get("status"), PaymentStatus):
        changes["status"] = changes["status"].value
    row = db.session.execute(
        update(payments)
        .where(payments.c.reference == payment.reference, payments.c.status == payment.status.value)
        .values(**changes)
        .returning(*_COLUMNS)
    ).one_or_none()
    if row is None:
        raise LostRace(payment.reference)
    return _payment_of(row)


def to_ask(at: datetime | None, limit: int) -> Sequence[Payment]:
    """Attempts whose provider is to be asked by now; all that are ever asked where `at` is None."""
    query = select(*_COLUMNS).where(
        payments.c.ask_at.is_not(None), payments.c.status.in_([s.value for s in ASKABLE])
    )
    if at is not None:
        query = query.where(payments.c.ask_at <= at)
    rows = db.session.execute(query.order_by(payments.c.ask_at, payments.c.seq).limit(limit))
    return [_payment_of(row) for row in rows]
