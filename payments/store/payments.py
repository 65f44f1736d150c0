"""Attempts to pay: read as domain records, moved by compare-and-set on their status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select, update

from payments.domain.order import Payment
from payments.domain.states import ASKABLE, UNSETTLED, PaymentStatus
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


_ASKABLE = payments.c.status.in_([status.value for status in ASKABLE])


def to_ask(at: datetime, provider: str, limit: int) -> Sequence[Payment]:
    """A rail's attempts to be asked about by now, the longest due first."""
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(payments.c.ask_at <= at, _ASKABLE, payments.c.provider == provider)
        .order_by(payments.c.ask_at, payments.c.seq)
        .limit(limit)
    )
    return [_payment_of(row) for row in rows]


_UNSETTLED = payments.c.status.in_([status.value for status in UNSETTLED])


def _waiting(provider: str) -> ColumnElement[bool]:
    """What is unsettled, and what has ended but is still asked about."""
    asked_about = payments.c.ask_at.is_not(None) & _ASKABLE
    return (payments.c.provider == provider) & (_UNSETTLED | asked_about)


def count_waiting(provider: str) -> int:
    found = db.session.execute(select(func.count()).where(_waiting(provider)))
    return int(found.scalar_one())


def waiting(provider: str, after: str, limit: int) -> Sequence[Payment]:
    """All of a rail that may be asked about, whenever that is due, by reference after `after`."""
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(_waiting(provider), payments.c.reference > after)
        .order_by(payments.c.reference)
        .limit(limit)
    )
    return [_payment_of(row) for row in rows]


def ask_later(reference: str, planned: datetime, at: datetime | None) -> bool:
    """The next question is at `at`, or never, unless it is planned for another time by now."""
    rows = db.session.execute(
        update(payments)
        .where(payments.c.reference == reference, payments.c.ask_at == planned, _ASKABLE)
        .values(ask_at=at)
        .returning(payments.c.reference)
    )
    return rows.one_or_none() is not None


def ask_about(reference: str, at: datetime, pause: timedelta) -> bool:
    """The question about this attempt is due now, or `pause` after the last one; if it was not."""
    asked_at = db.session.execute(
        select(payments.c.asked_at).where(payments.c.reference == reference).with_for_update()
    ).scalar_one_or_none()
    due_at = at if asked_at is None else max(at, asked_at + pause)
    later = payments.c.ask_at.is_(None) | (payments.c.ask_at > due_at)
    return _ask_at((payments.c.reference == reference) & later, due_at) > 0


def ask_about_orders(order_ids: Sequence[str], at: datetime, pause: timedelta) -> int:
    """The waiting attempts of these orders are due now, but for those asked about in `pause`.

    How many are due now that were not.
    """
    mine = payments.c.order_id.in_(order_ids) & _UNSETTLED & (payments.c.ask_at > at)
    rested = payments.c.asked_at.is_(None) | (payments.c.asked_at <= at - pause)
    return _ask_at(mine & rested, at)


def _ask_at(which: ColumnElement[bool], at: datetime) -> int:
    rows = db.session.execute(
        update(payments).where(which, _ASKABLE).values(ask_at=at).returning(payments.c.reference)
    )
    return len(rows.all())
