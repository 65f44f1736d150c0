"""One leader for each periodic work, across all processes on this database.

A lease is held for a while and renewed before it ends; whoever dies loses it by time. The clocks of
the machines are to agree within a second or two.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, or_, update

from payments.store.db import db, insert_once
from payments.store.tables import leases


def take(name: str, holder: str, at: datetime, life: timedelta) -> bool:
    """Whether `holder` leads `name` until `at + life`: it did before, or nobody does."""
    free = or_(leases.c.holder == holder, leases.c.until < at)
    taken = db.session.execute(
        update(leases)
        .where(leases.c.name == name, free)
        .values(holder=holder, until=at + life)
        .returning(leases.c.name)
    ).one_or_none()
    if taken is not None:
        return True
    fresh = {"name": name, "holder": holder, "until": at + life}
    return insert_once(leases, fresh, leases.c.name) is not None


def give_back(holder: str) -> None:
    """A process that ends leaves its work to the others at once."""
    db.session.execute(delete(leases).where(leases.c.holder == holder))
