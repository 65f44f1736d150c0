"""Refunds: promised, then paid or failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select, update

from payments.store.db import db, now
from payments.store.tables import refunds


@dataclass(frozen=True, slots=True)
class Refund:
    """`from_suspense` of `amount` had been held as excess; the rest was revenue.

    `wallet_of`: it goes to this person's balance, and back on no rail.
    """

    id: str
    order_id: str
    reference: str
    status: str
    amount: int
    currency: str
    from_suspense: int
    provider_refund_id: str | None
    wallet_of: str | None
    reason: str
    actor: str
    created_at: datetime
    ended_at: datetime | None


_COLUMNS = [refunds.c[name] for name in Refund.__dataclass_fields__]


def add(**values: Any) -> None:
    db.session.execute(insert(refunds).values(status="requested", created_at=now(), **values))


def find(refund_id: str) -> Refund | None:
    row = db.session.execute(select(*_COLUMNS).where(refunds.c.id == refund_id)).one_or_none()
    return Refund(**row._mapping) if row else None


def of_order(order_id: str) -> Sequence[Refund]:
    rows = db.session.execute(
        select(*_COLUMNS).where(refunds.c.order_id == order_id).order_by(refunds.c.created_at)
    )
    return [Refund(**row._mapping) for row in rows]


def find_said(name: str) -> Refund | None:
    """By our id or by the provider's."""
    row = db.session.execute(
        select(*_COLUMNS)
        .where((refunds.c.id == name) | (refunds.c.provider_refund_id == name))
        .order_by(refunds.c.created_at)
        .limit(1)
    ).one_or_none()
    return Refund(**row._mapping) if row else None


def by_hand() -> Sequence[Refund]:
    """Promised on rails that cannot refund, oldest first: staff pay them and say so."""
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(refunds.c.status == "requested", refunds.c.ask_at.is_(None))
        .order_by(refunds.c.created_at)
        .limit(200)
    )
    return [Refund(**row._mapping) for row in rows]


def to_ask(at: datetime | None, after: str, limit: int) -> Sequence[Refund]:
    """Promised and not known to have ended, whose provider is to be asked by `at`, or ever.

    By id, from after `after` on.
    """
    query = select(*_COLUMNS).where(
        refunds.c.status == "requested", refunds.c.ask_at.is_not(None), refunds.c.id > after
    )
    if at is not None:
        query = query.where(refunds.c.ask_at <= at)
    rows = db.session.execute(query.order_by(refunds.c.id).limit(limit))
    return [Refund(**row._mapping) for row in rows]


def ask_later(refund_id: str, planned: datetime, at: datetime) -> bool:
    """The next question is at `at`, unless it is planned for another time by now."""
    row = db.session.execute(
        update(refunds)
        .where(
            refunds.c.id == refund_id,
            refunds.c.status == "requested",
            refunds.c.ask_at == planned,
        )
        .values(ask_at=at)
        .returning(refunds.c.id)
    )
    return row.one_or_none() is not None


def ask_again(refund_id: str, at: datetime, provider_refund_id: str | None = None) -> bool:
    """When to ask next, and the provider's own id once it has given one; False where it ended."""
    values: dict[str, Any] = {"ask_at": at}
    if provider_refund_id is not None:
        values["provider_refund_id"] = provider_refund_id
    row = db.session.execute(
        update(refunds)
        .where(refunds.c.id == refund_id, refunds.c.status == "requested")
        .values(**values)
        .returning(refunds.c.id)
    )
    return row.one_or_none() is not None


def finish(refund_id: str, status: str, provider_refund_id: str | None = None) -> bool:
    """Requested to `status`, once; False where another got there first."""
    row = db.session.execute(
        update(refunds)
        .where(refunds.c.id == refund_id, refunds.c.status == "requested")
        .values(
            status=status,
            # A failure does not take back the name that the provider has given it.
            provider_refund_id=func.coalesce(provider_refund_id, refunds.c.provider_refund_id),
            ask_at=None,
            ended_at=now(),
        )
        .returning(refunds.c.id)
    )
    return row.one_or_none() is not None


def claimed(reference: str) -> int:
    """Minor units of an attempt that are refunded or promised."""
    total = db.session.execute(
        select(func.coalesce(func.sum(refunds.c.amount), 0)).where(
            refunds.c.reference == reference, refunds.c.status != "failed"
        )
    ).scalar_one()
    return int(total)


def suspense_claimed(order_id: str) -> int:
    """Minor units of an order's excess that are refunded or promised."""
    total = db.session.execute(
        select(func.coalesce(func.sum(refunds.c.from_suspense), 0)).where(
            refunds.c.order_id == order_id, refunds.c.status != "failed"
        )
    ).scalar_one()
    return int(total)
