"""Who did what, when and why. Appended in the transaction of the deed; never edited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import insert, select

from payments.store import then
from payments.store.db import db, now
from payments.store.tables import audit, orders

CLAIMED = "customer.claimed_paid"


class Line(NamedTuple):
    at: datetime
    actor: str
    action: str
    order_id: str | None
    reason: str | None
    detail: dict[str, Any]


def record(
    actor: str, action: str, order_id: str | None = None, reason: str | None = None, **detail: Any
) -> None:
    """`action` is `noun.past_tense`; `actor` is `user:<id>`, `key:<name>`, a provider, `system`."""
    if then.present() is not None:
        # A rebuild copies the lines of then; that it does the deeds again is no new deed.
        return
    db.session.execute(
        insert(audit).values(
            at=now(), actor=actor, action=action, order_id=order_id, reason=reason, detail=detail
        )
    )


def of_order(order_id: str) -> Sequence[Line]:
    rows = db.session.execute(
        select(*(audit.c[name] for name in Line._fields))
        .where(audit.c.order_id == order_id)
        .order_by(audit.c.id)
    )
    return [Line(*row) for row in rows]


def of_entry(entry_id: int, action: str, order_id: str | None) -> Line | None:
    """Who did this with a kept callback or a bank line."""
    rows = db.session.execute(
        select(*(audit.c[name] for name in Line._fields))
        .where(audit.c.order_id == order_id, audit.c.action == action)
        .order_by(audit.c.id)
    )
    return next((Line(*row) for row in rows if row.detail.get("entry") == entry_id), None)


def claims(order_ids: Sequence[str]) -> Sequence[Line]:
    """What customers of these orders said of having paid already."""
    rows = db.session.execute(
        select(*(audit.c[name] for name in Line._fields))
        .where(audit.c.order_id.in_(order_ids), audit.c.action == CLAIMED)
        .order_by(audit.c.id)
    )
    return [Line(*row) for row in rows]


def open_claims(limit: int = 50) -> Sequence[Line]:
    """Those whose order is still not paid, oldest first: they wait for staff."""
    rows = db.session.execute(
        select(*(audit.c[name] for name in Line._fields))
        .join(orders, orders.c.id == audit.c.order_id)
        .where(
            audit.c.action == CLAIMED,
            orders.c.status.in_(("pending", "partially_paid", "expired")),
        )
        .order_by(audit.c.id)
        .limit(limit)
    )
    return [Line(*row) for row in rows]
