"""Facts still to be told, written in the transaction that made them true."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, exists, func, insert, select, update

from payments.domain.facts import Fact
from payments.store.db import db, now
from payments.store.tables import outbox

KEPT = timedelta(days=90)
"""So long a page that was left open can still be told each step that it missed."""


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


def newest_version(topic: str, *, published: bool = False) -> int:
    """Of all its facts, or of those that were published; 0 where there is none."""
    query = select(func.max(outbox.c.version)).where(outbox.c.topic == topic)
    if published:
        query = query.where(outbox.c.published_at.is_not(None))
    return int(db.session.execute(query).scalar_one() or 0)


def after_id(outbox_id: int, limit: int) -> Sequence[Fact]:
    """What was told since, oldest first; ids do not commit in order."""
    rows = db.session.execute(
        select(outbox).where(outbox.c.id > outbox_id).order_by(outbox.c.id).limit(limit)
    )
    return [_fact_of(row) for row in rows]


def forget_old(after: int, limit: int) -> int | None:
    """Of the `limit` facts after this id, deletes those told longer ago than KEPT.

    The newest that was told of each topic stays, whatever its age: versions go on from it. Whoever
    asks for what was before it gets the snapshot. Answers the id to go on from; None where what
    follows is younger.
    """
    before = now() - KEPT
    looked_at = db.session.execute(
        select(outbox.c.id, outbox.c.at)
        .where(outbox.c.id > after)
        .order_by(outbox.c.id)
        .limit(limit)
    ).all()
    if not looked_at:
        return None
    newer = outbox.alias()
    db.session.execute(
        delete(outbox).where(
            outbox.c.id.between(looked_at[0].id, looked_at[-1].id),
            outbox.c.published_at < before,
            exists().where(
                newer.c.topic == outbox.c.topic,
                newer.c.version > outbox.c.version,
                newer.c.published_at.is_not(None),
            ),
        )
    )
    whole = len(looked_at) == limit and looked_at[-1].at < before
    return int(looked_at[-1].id) if whole else None


def newest_id() -> int:
    return int(db.session.execute(select(func.coalesce(func.max(outbox.c.id), 0))).scalar_one())


def lag() -> tuple[int, datetime | None]:
    """How many facts wait, and since when."""
    row = db.session.execute(
        select(func.count(), func.min(outbox.c.at)).where(outbox.c.published_at.is_(None))
    ).one()
    return row[0], row[1]
