"""Everything that moves money is appended here first, under its (provider, event id)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update

from payments.domain.notice import Notice, RawCallback
from payments.store.db import db, insert_once, now
from payments.store.tables import inbox


@dataclass(frozen=True, slots=True)
class Entry:
    """One kept callback, answer or confirmation, with what became of it."""

    id: int
    provider: str
    event_id: str
    source: str
    received_at: datetime
    headers: dict[str, str]
    body: bytes
    digest: str
    verdict: str
    reason: str | None
    order_id: str | None
    reference: str | None
    transaction_id: str | None
    amount: int | None
    currency: str | None
    text: str | None
    resolved_at: datetime | None


_COLUMNS = [inbox.c[name] for name in Entry.__dataclass_fields__]


def digest(notice: Notice, raw: RawCallback) -> str:
    """Of what the provider signed, where that is less than the body: the rest is anybody's."""
    return hashlib.sha256(notice.signed or raw.body).hexdigest()


_SAID = ("order_id", "reference", "transaction_id", "currency", "text")


def _fitting(name: str, text: str | None) -> str | None:
    longest: int = getattr(inbox.c[name].type, "length")  # noqa: B009 (not every type has one)
    return text[:longest] if text else None


def append(notice: Notice, raw: RawCallback, event_id: str | None = None) -> int | None:
    """The new row's id; None where this event is already here.

    A second writer waits for the first.
    """
    values = {
        "provider": notice.provider,
        "event_id": (event_id or notice.event_id)[:200],
        "source": raw.source,
        "received_at": now(),
        "headers": dict(raw.headers),
        "body": raw.body,
        "digest": digest(notice, raw),
        "verdict": "received",
        "notice": notice.as_record(),
        # What is too long is no name of anything here; the body has the whole of it.
        **{name: _fitting(name, getattr(notice, name)) for name in _SAID},
        "amount": notice.amount if abs(notice.amount or 0) < 2**63 else None,
    }
    return insert_once(inbox, values, inbox.c.id)


def find_event(provider: str, event_id: str) -> Entry | None:
    row = db.session.execute(
        select(*_COLUMNS).where(inbox.c.provider == provider, inbox.c.event_id == event_id)
    ).one_or_none()
    return Entry(**row._mapping) if row else None


def judge(entry_id: int, verdict: str, **about: Any) -> None:
    """Writes what became of an entry; `about` may name its reason, order and reference."""
    db.session.execute(update(inbox).where(inbox.c.id == entry_id).values(verdict=verdict, **about))


def find(entry_id: int) -> Entry | None:
    row = db.session.execute(select(*_COLUMNS).where(inbox.c.id == entry_id)).one_or_none()
    return Entry(**row._mapping) if row else None


def of_order(order_id: str) -> Sequence[Entry]:
    rows = db.session.execute(
        select(*_COLUMNS).where(inbox.c.order_id == order_id).order_by(inbox.c.id)
    )
    return [Entry(**row._mapping) for row in rows]


_UNRESOLVED = inbox.c.verdict.in_(("parked", "conflict")) & inbox.c.resolved_at.is_(None)


def unresolved(limit: int = 200) -> Sequence[Entry]:
    """What waits for staff, oldest first."""
    rows = db.session.execute(
        select(*_COLUMNS).where(_UNRESOLVED).order_by(inbox.c.id).limit(limit)
    )
    return [Entry(**row._mapping) for row in rows]


def count_unresolved() -> int:
    return db.session.execute(
        select(func.count()).select_from(inbox).where(_UNRESOLVED)
    ).scalar_one()


def resolve_unknown(notice: Notice) -> Sequence[int]:
    """What waited because nobody knew whose this transaction is waits no more; which it was."""
    rows = db.session.execute(
        update(inbox)
        .where(
            _UNRESOLVED,
            inbox.c.provider == notice.provider,
            inbox.c.transaction_id == notice.transaction_id,
            inbox.c.amount == notice.amount,
            inbox.c.reason == "unknown_order",
        )
        .values(resolved_at=now())
        .returning(inbox.c.id)
    )
    return rows.scalars().all()


def resolve(entry_id: int) -> bool:
    """Staff have dealt with it; False where another got there first."""
    done = db.session.execute(
        update(inbox)
        .where(inbox.c.id == entry_id, _UNRESOLVED)
        .values(resolved_at=now())
        .returning(inbox.c.id)
    )
    return done.one_or_none() is not None
