"""Versions of topics that are no order's: each fact there takes the next one."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from payments.store.db import db
from payments.store.tables import topics


def next_version(topic: str) -> int:
    """One more than the last; who else tells of this topic waits until the transaction ends."""
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(topics).values(topic=topic, version=1)
    counted = statement.on_conflict_do_update(
        index_elements=[topics.c.topic], set_={"version": topics.c.version + 1}
    ).returning(topics.c.version)
    return int(db.session.execute(counted).scalar_one())


def version(topic: str) -> int:
    """The newest; 0 where nothing has been told yet."""
    found = db.session.execute(select(topics.c.version).where(topics.c.topic == topic))
    return int(found.scalar_one_or_none() or 0)
