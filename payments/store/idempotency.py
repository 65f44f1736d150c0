"""Answers kept under (caller, Idempotency-Key), so that asking again does nothing again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, select, update

from payments.store.db import LostRace, db, insert_once, now
from payments.store.tables import idempotency_keys as keys

KEPT = timedelta(days=7)
LONGEST = timedelta(minutes=5)
"""No call runs for so long: one that has not ended by then ended with its server."""


class Kept(NamedTuple):
    """`status` None: the first call has not ended."""

    digest: str
    status: int | None
    body: str | None
    begun: datetime

    @property
    def cut_off(self) -> bool:
        """It will not end any more, and nobody wrote down what it had done."""
        return self.status is None and now() - self.begun > LONGEST


def begin(caller: str, key: str, digest: str) -> Kept | None:
    """None: this call is the first and may go on. Otherwise what is known of the first."""
    values = {"caller": caller, "key": key, "digest": digest, "created_at": now()}
    if insert_once(keys, values, keys.c.key) is not None:
        return None
    row = db.session.execute(
        select(keys.c.digest, keys.c.status, keys.c.body, keys.c.created_at).where(
            keys.c.caller == caller, keys.c.key == key
        )
    ).one_or_none()
    if row is None:
        # The first call has failed and freed its key between the two statements.
        raise LostRace(key)
    return Kept(*row)


def finish(caller: str, key: str, status: int, body: str) -> None:
    db.session.execute(
        update(keys)
        .where(keys.c.caller == caller, keys.c.key == key)
        .values(status=status, body=body)
    )


def forget_old() -> None:
    """Nobody asks again after so long."""
    db.session.execute(delete(keys).where(keys.c.created_at < now() - KEPT))


def forget(caller: str, key: str) -> None:
    """The call failed on our side: the caller may try again with the same key."""
    db.session.execute(delete(keys).where(keys.c.caller == caller, keys.c.key == key))
