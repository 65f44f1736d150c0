"""What the payers' screens have shown: written once per version, read by staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select

from payments.store.db import db, insert_once, now
from payments.store.tables import sightings


def record(topic: str, version: int) -> None:
    insert_once(sightings, {"topic": topic, "version": version, "at": now()}, sightings.c.version)


def of_topic(topic: str) -> Sequence[tuple[int, datetime]]:
    rows = db.session.execute(
        select(sightings.c.version, sightings.c.at)
        .where(sightings.c.topic == topic)
        .order_by(sightings.c.version)
    )
    return [(version, at) for version, at in rows]


def last_of_each(topics: Sequence[str]) -> dict[str, tuple[int, datetime]]:
    newest = (
        select(sightings.c.topic, func.max(sightings.c.version).label("version"))
        .where(sightings.c.topic.in_(topics))
        .group_by(sightings.c.topic)
        .subquery()
    )
    rows = db.session.execute(
        select(sightings.c.topic, sightings.c.version, sightings.c.at).join(
            newest,
            (newest.c.topic == sightings.c.topic) & (newest.c.version == sightings.c.version),
        )
    )
    return {topic: (version, at) for topic, version, at in rows}
