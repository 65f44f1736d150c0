"""What each server process has counted in an order's rooms, when it was asked."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select

from payments.store.db import db, insert_once, now
from payments.store.tables import room_counts

KEPT = timedelta(days=1)


def record(topic: str, version: int, instance: str, rooms: dict[str, int]) -> None:
    """The answer to this question; an instance that is asked twice answers once."""
    values = {
        "topic": topic,
        "version": version,
        "instance": instance,
        "rooms": rooms,
        "at": now(),
    }
    insert_once(room_counts, values, room_counts.c.instance)


def of_question(topic: str, version: int) -> dict[str, dict[str, int]]:
    """The rooms and their listeners, by instance."""
    rows = db.session.execute(
        select(room_counts.c.instance, room_counts.c.rooms).where(
            room_counts.c.topic == topic, room_counts.c.version == version
        )
    )
    return {row.instance: row.rooms for row in rows}


def forget_old() -> None:
    db.session.execute(delete(room_counts).where(room_counts.c.at < now() - KEPT))
