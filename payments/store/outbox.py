"""Facts still to be told, written in the transaction that made them true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from payments.domain.facts import Fact
from payments.store.db import db, now
from payments.store.tables import outbox


def add(fact: Fact) -> None:
    """The database refuses a second fact of the same topic and version."""
    db.session.execute(
        insert(outbox).values(
            topic=fact.topic,
            version=fact.version,
            event=fact.event,
            snapshot=fact.snapshot,
            about=fact.about,
            at=fact.at,
        )
    )


def _fact_of(row: Row[Any]) -> Fact:
    return Fact(
        row.topic, row.version, row.event, row.snapshot, row.about, row.at, outbox_id=row.id
    )


def unpublished(limit: int) -> Sequence[Fact]:
    """Oldest first."""
    rows = db.session.execute(
        select(outbox).where(outbox.c.published_at.is_(None)).order_by(outbox.c.id).limit(limit)
    )
    return [_fact_of(row) for row in rows]


def mark_published(facts: Sequence[Fact]) -> None:
    db.session.execute(
        update(outbox)
        .where(outbox.c.id.in_([fact.outbox_id for fact in facts]))
        .values(published_at=now())
    )


def of_topic(topic: str, after: int, limit: int = 200) -> Sequence[Fact]:
    """What a page that shows version `after` has missed, in order."""
    rows = db.session.execute(
        select(outbox)
        .where(outbox.c.topic == topic, outbox.c.version > after)
        .order_by(outbox.c.version)
        .limit(limit)
    )
    return [_fact_of(row) for row in rows]


def lag() -> tuple[int, datetime | None]:
    """How many facts wait, and since when."""
    row = db.session.execute(
        select(func.count(), func.min(outbox.c.at)).where(outbox.c.published_at.is_(None))
    ).one()
    return row[0], row[1]
