"""Withdrawals: held, then settled or returned, once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, update

from payments.domain.withdrawals import HELD, Withdrawal
from payments.store.db import db, now
from payments.store.tables import withdrawals

_OWN_NAMES = {"payout_id": "provider_payout_id"}
_COLUMNS = [
    withdrawals.c[_OWN_NAMES.get(name, name)].label(name)
    for name in Withdrawal.__dataclass_fields__
]

_HELD = withdrawals.c.status == HELD


def _of(row: Row[Any]) -> Withdrawal:
    return Withdrawal(**row._mapping)


def add(one: Withdrawal) -> None:
    values = {_OWN_NAMES.get(name, name): getattr(one, name) for name in one.__dataclass_fields__}
    db.session.execute(insert(withdrawals).values(values))


def find(withdrawal_id: str) -> Withdrawal | None:
    row = db.session.execute(
        select(*_COLUMNS).where(withdrawals.c.id == withdrawal_id)
    ).one_or_none()
    return _of(row) if row else None


def lock(withdrawal_id: str) -> Withdrawal | None:
    """Held until the commit: whoever ends it stands in line."""
    row = db.session.execute(
        select(*_COLUMNS).where(withdrawals.c.id == withdrawal_id).with_for_update()
    ).one_or_none()
    return _of(row) if row else None


def named(name: str) -> str | None:
    """The id of the one that is called so, by us or by the provider."""
    found = db.session.execute(
        select(withdrawals.c.id)
        .where(or_(withdrawals.c.id == name, withdrawals.c.provider_payout_id == name))
        .order_by(withdrawals.c.created_at)
        .limit(1)
    )
    return found.scalar_one_or_none()


def page(
    user_id: str | None, before: tuple[datetime, str] | None, limit: int
) -> Sequence[Withdrawal]:
    """Newest first; of everybody where no `user_id` is named."""
    query = select(*_COLUMNS)
    if user_id is not None:
        query = query.where(withdrawals.c.user_id == user_id)
    if before is not None:
        at, last = before
        same = and_(withdrawals.c.created_at == at, withdrawals.c.id < last)
        query = query.where(or_(withdrawals.c.created_at < at, same))
    query = query.order_by(withdrawals.c.created_at.desc(), withdrawals.c.id.desc())
    return [_of(row) for row in db.session.execute(query.limit(limit))]


def by_hand(limit: int) -> Sequence[Withdrawal]:
    """Those that wait for staff, oldest first."""
    return _oldest(withdrawals.c.ask_at.is_(None), limit)


def at_providers(limit: int) -> Sequence[Withdrawal]:
    """Those that a provider sends or is asked about, oldest first."""
    return _oldest(withdrawals.c.ask_at.is_not(None), limit)


def _oldest(which: ColumnElement[bool], limit: int) -> Sequence[Withdrawal]:
    query = select(*_COLUMNS).where(_HELD, which).order_by(withdrawals.c.created_at).limit(limit)
    return [_of(row) for row in db.session.execute(query)]


def count_by_hand() -> int:
    query = select(func.count()).select_from(withdrawals)
    return db.session.execute(query.where(_HELD, withdrawals.c.ask_at.is_(None))).scalar_one()


def to_ask(at: datetime | None, after: str, limit: int) -> Sequence[Withdrawal]:
    """Held by a rail that is to be asked by `at`, or ever; by id, from after `after` on."""
    query = select(*_COLUMNS).where(
        _HELD, withdrawals.c.ask_at.is_not(None), withdrawals.c.id > after
    )
    if at is not None:
        query = query.where(withdrawals.c.ask_at <= at)
    return [_of(row) for row in db.session.execute(query.order_by(withdrawals.c.id).limit(limit))]


def begin_sending(withdrawal_id: str, ask_at: datetime) -> bool:
    """It may be sent from now on, by whoever gets True, and by nobody else."""
    unsent = withdrawals.c.provider_payout_id.is_(None)
    return _change(withdrawal_id, unsent, provider_payout_id=withdrawal_id, ask_at=ask_at)


def not_sent(withdrawal_id: str, ask_at: datetime) -> bool:
    """The call did not reach the provider: it may be sent again."""
    mine = withdrawals.c.provider_payout_id == withdrawal_id
    return _change(withdrawal_id, mine, provider_payout_id=None, ask_at=ask_at)


def taken(withdrawal_id: str, payout_id: str, ask_at: datetime | None) -> bool:
    """The provider has it, under this name."""
    return _change(withdrawal_id, None, provider_payout_id=payout_id, ask_at=ask_at)


def ask_again(withdrawal_id: str, at: datetime) -> bool:
    """When to ask next; False where it has ended."""
    return _change(withdrawal_id, None, ask_at=at)


def ask_later(withdrawal_id: str, planned: datetime, at: datetime) -> bool:
    """The next question is at `at`, unless it is planned for another time by now."""
    return _change(withdrawal_id, withdrawals.c.ask_at == planned, ask_at=at)


def finish(
    withdrawal_id: str,
    status: str,
    *,
    payout_id: str | None,
    evidence: str | None = None,
    reason: str | None = None,
) -> bool:
    """Held to `status`, once; False where another got there first.

    Raises IntegrityError where the evidence has settled another one.
    """
    return _change(
        *(withdrawal_id, None),
        status=status,
        provider_payout_id=payout_id,
        evidence=evidence,
        reason=reason,
        ask_at=None,
        ended_at=now(),
    )


def _change(withdrawal_id: str, where: ColumnElement[bool] | None, **values: Any) -> bool:
    """One that is held, and of which `where` is true."""
    query = update(withdrawals).where(withdrawals.c.id == withdrawal_id, _HELD)
    if where is not None:
        query = query.where(where)
    changed = db.session.execute(query.values(**values).returning(withdrawals.c.id))
    return changed.one_or_none() is not None
