"""Who has cards kept with which provider, and which of them the person has been told of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from payments.domain.cards import CardHolder
from payments.store.db import db, insert_once, now
from payments.store.tables import card_holders

_COLUMNS = [
    card_holders.c[name] for name in ("provider", "user_id", "reference", "handle", "revision")
]


@dataclass(frozen=True, slots=True)
class Expected:
    """A card was kept at `kept_at`; the provider's list has still to name it."""

    holder: CardHolder
    kept_at: datetime
    ask_at: datetime


def _holder_of(row: Any) -> CardHolder:
    return CardHolder(row.provider, row.user_id, row.reference, row.handle, row.revision)


def find(provider: str, user_id: str) -> CardHolder | None:
    row = db.session.execute(
        select(*_COLUMNS).where(
            card_holders.c.provider == provider, card_holders.c.user_id == user_id
        )
    ).one_or_none()
    return _holder_of(row) if row else None


def add(provider: str, user_id: str, reference: str) -> CardHolder:
    """The holder of this name; who was made meanwhile stays."""
    insert_once(
        card_holders,
        {
            "provider": provider,
            "user_id": user_id,
            "reference": reference,
            "told": [],
            "created_at": now(),
        },
        card_holders.c.reference,
    )
    found = find(provider, user_id)
    return found or CardHolder(provider, user_id, reference, None)


def keep(provider: str, reference: str, handle: dict[str, str], at: datetime) -> bool:
    """The provider's name for the person; its list is due to be asked. False: no such person."""
    rows = db.session.execute(
        update(card_holders)
        .where(card_holders.c.provider == provider, card_holders.c.reference == reference)
        .values(handle=handle, kept_at=at, ask_at=at, revision=card_holders.c.revision + 1)
        .returning(card_holders.c.reference)
    )
    return rows.one_or_none() is not None


def expected(at: datetime, limit: int = 50) -> Sequence[Expected]:
    rows = db.session.execute(
        select(*_COLUMNS, card_holders.c.kept_at, card_holders.c.ask_at)
        .where(card_holders.c.ask_at <= at)
        .order_by(card_holders.c.ask_at)
        .limit(limit)
    )
    return [Expected(_holder_of(row), row.kept_at, row.ask_at) for row in rows]


def ask_again(one: Expected, at: datetime | None) -> bool:
    """When the list is asked next, or no more. False: another process asks already."""
    rows = db.session.execute(
        update(card_holders)
        .where(
            card_holders.c.reference == one.holder.reference,
            card_holders.c.ask_at == one.ask_at,
        )
        .values(ask_at=at)
        .returning(card_holders.c.reference)
    )
    return rows.one_or_none() is not None


def told(holder: CardHolder) -> list[str]:
    """The tokens that the person has been told of; nobody else tells until the transaction ends."""
    row = db.session.execute(
        select(card_holders.c.told)
        .where(card_holders.c.reference == holder.reference)
        .with_for_update()
    ).one()
    return list(row.told)


def set_told(holder: CardHolder, token_ids: Sequence[str]) -> None:
    """A card came or went: what other processes remember of the list is old."""
    db.session.execute(
        update(card_holders)
        .where(card_holders.c.reference == holder.reference)
        .values(told=list(token_ids), revision=card_holders.c.revision + 1)
    )


def changed(holder: CardHolder) -> None:
    """A card has another name."""
    db.session.execute(
        update(card_holders)
        .where(card_holders.c.reference == holder.reference)
        .values(revision=card_holders.c.revision + 1)
    )


def stop_asking(holder: CardHolder, kept_at: datetime) -> None:
    """What was expected has come, unless another card has been kept since."""
    db.session.execute(
        update(card_holders)
        .where(
            card_holders.c.reference == holder.reference,
            card_holders.c.kept_at == kept_at,
        )
        .values(ask_at=None)
    )
