"""Confirmations by hand: who saw which money, by what evidence, and who agreed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from payments.domain.errors import Conflict
from payments.store.db import db, now, savepoint
from payments.store.tables import confirmations


@dataclass(frozen=True, slots=True)
class Confirmation:
    id: str
    order_id: str
    status: str
    amount: int
    currency: str
    reason: str
    evidence: str
    requested_by: str
    requested_at: datetime
    approved_by: str | None
    approved_at: datetime | None

    @property
    def alone(self) -> bool:
        """One person's word paid it."""
        return self.status == "applied" and self.approved_by is None


_COLUMNS = [confirmations.c[name] for name in Confirmation.__dataclass_fields__]


def add(**values: Any) -> None:
    """Raises Conflict where the evidence has been used: one receipt pays once."""
    try:
        with savepoint():
            db.session.execute(insert(confirmations).values(requested_at=now(), **values))
    except IntegrityError as error:
        raise Conflict(
            "This evidence has confirmed a payment already.", code="evidence_used", field="evidence"
        ) from error


def find(confirmation_id: str) -> Confirmation | None:
    row = db.session.execute(
        select(*_COLUMNS).where(confirmations.c.id == confirmation_id)
    ).one_or_none()
    return Confirmation(**row._mapping) if row else None


def approve(confirmation_id: str, by: str) -> bool:
    """Held to applied, once; False where another got there first."""
    row = db.session.execute(
        update(confirmations)
        .where(confirmations.c.id == confirmation_id, confirmations.c.status == "held")
        .values(status="applied", approved_by=by, approved_at=now())
        .returning(confirmations.c.id)
    )
    return row.one_or_none() is not None


def remove_held(confirmation_id: str) -> bool:
    """Once; False where it has been applied, or removed, meanwhile."""
    row = db.session.execute(
        delete(confirmations)
        .where(confirmations.c.id == confirmation_id, confirmations.c.status == "held")
        .returning(confirmations.c.id)
    )
    return row.one_or_none() is not None


def is_used(evidence: str) -> bool:
    """Whether it has confirmed a payment, or waits to."""
    row = db.session.execute(
        select(confirmations.c.id).where(confirmations.c.evidence == evidence)
    ).one_or_none()
    return row is not None


def by_evidence(evidence: Sequence[str]) -> Confirmation | None:
    """The confirmation that has been paid on the strength of one of these."""
    row = db.session.execute(
        select(*_COLUMNS)
        .where(confirmations.c.evidence.in_(evidence), confirmations.c.status == "applied")
        .order_by(confirmations.c.requested_at)
        .limit(1)
    ).one_or_none()
    return Confirmation(**row._mapping) if row else None


def of_order(order_id: str) -> Sequence[Confirmation]:
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(confirmations.c.order_id == order_id)
        .order_by(confirmations.c.requested_at)
    )
    return [Confirmation(**row._mapping) for row in rows]


def held() -> Sequence[Confirmation]:
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(confirmations.c.status == "held")
        .order_by(confirmations.c.requested_at)
    )
    return [Confirmation(**row._mapping) for row in rows]
