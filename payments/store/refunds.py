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
    """`from_suspense` of `amount` had been held as excess; the rest was revenue."""

    id: str
    order_id: str
    reference: str
    status: str
    amount: int
    currency: str
    from_suspense: int
    provider_refund_id: str | None
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


def requested(limit: int = 100) -> Sequence[Refund]:
    """Promised and not yet known to be paid: a crash may have come between."""
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(refunds.c.status == "requested")
        .order_by(refunds.c.created_at)
        .limit(limit)
    )
    return [Refund(**row._mapping) for row in rows]


def finish(refund_id: str, status: str, provider_refund_id: str | None = None) -> bool:
    """Requested to `status`, once; False where another got there first."""
    row = db.session.execute(
        update(refunds)
        .where(refunds.c.id == refund_id, refunds.c.status == "requested")
        .values(status=status, provider_refund_id=provider_refund_id, ended_at=now())
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
