"""The database and the one place that commits.

A change is a function given to `in_transaction`: it runs in one transaction, is committed here,
and is run again from its beginning where nothing of it can have been kept: a serialisation failure,
a deadlock, a lost race, a locked SQLite file, a connection lost before the commit. So it must do no
I/O of its own. A connection lost *during* the commit is another matter: see `_after_lost_commit`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from sqlite3 import OperationalError as SqliteError
from typing import Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from payments.store import then

T = TypeVar("T")

db = SQLAlchemy()

RETRY_SECONDS = 5.0
"""How long a change waits for a locked, contended or lost database before it gives up."""
LONGEST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_AWAY_SECONDS = 0.4
"""Between two tries to reach a server that is away: all who wait must not keep it from starting."""

_CONTENDED = {"40001", "40P01", "55P03"}
"""SQLSTATE: serialisation failure, deadlock, lock timeout."""
_CUT_OFF = {"57P01", "57P02", "57P03", "25P03"}
"""The server ends, crashed, starts; a transaction stood idle for too long. Class 08 is the line."""


class Busy(Exception):
    """The database could not take the change in time. Nothing of it is kept; 503."""


class Unknown(Busy):
    """The connection was lost during the commit, and the database could not say what became of it.

    503 like Busy, but the change may have been kept: nobody may do it again by themselves.
    """


class LostRace(Exception):
    """A compare-and-set found that another got there first; the change begins again."""


class _Away(Exception):
    """No connection could be had, or it was lost before the commit: nothing of it is kept."""


def now() -> datetime:
    """In UTC; in a rebuild the moment of what is done again."""
    doing = then.present()
    return datetime.now(UTC) if doing is None else doing.at


def in_transaction(change: Callable[[], T], *, repeatable: bool = False) -> T:
    """Runs `change` in one transaction and commits it.

    `repeatable`: the database's own constraints let a second run of it do nothing, so that it need
    not be asked what became of a commit whose answer was lost; it is run once more.

    Raises Busy after RETRY_SECONDS of contention or absence, and Unknown.
    """

    def once() -> T:
        db.session.rollback()
        _begin()
        try:
            result = change()
            name = None if repeatable else _name_of_transaction()
        except BaseException as error:
            db.session.rollback()
            if _lost(error):
                raise _Away from error
            raise
        try:
            db.session.commit()
        except BaseException as error:
            db.session.rollback()
            if not _lost(error):
                raise
            if repeatable or not _after_lost_commit(name):
                raise _Away from error
        for told in list(_listeners):
            told()
        return result

    return patiently(once)


def _begin() -> None:
    try:
        db.session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
    except PoolTimeout as error:
        # It has waited already, for a connection of this process's own.
        raise Busy("All connections to the database are in use.") from error
    except (OperationalError, InterfaceError) as error:
        if db.engine.dialect.name == "sqlite":
            raise
        raise _Away from error


def _name_of_transaction() -> str | None:
    """By which PostgreSQL can be asked later what became of it; None where it wrote nothing."""
    if db.engine.dialect.name != "postgresql":
        return None
    found = db.session.execute(text("SELECT pg_current_xact_id_if_assigned()::text"))
    return found.scalar_one()  # type: ignore[no-any-return]


def _after_lost_commit(name: str | None) -> bool:
    """Whether the transaction was kept whose commit was never answered.

    The line broke between our COMMIT and the word that it is done, so both may be true. To run the
    change again could do it twice, to say that it failed could make somebody else do so. PostgreSQL
    remembers how each transaction ended. Raises Unknown where it cannot be asked in time.
    """
    deadline = time.monotonic() + RETRY_SECONDS
    while name is not None:
        try:
            with db.engine.connect() as connection:
                asked = text("SELECT pg_xact_status(CAST(:name AS xid8))")
                ended = connection.execute(asked, {"name": name}).scalar_one()
        except (DBAPIError, PoolTimeout):
            ended = None
        if ended in {"committed", "aborted"}:
            return bool(ended == "committed")
        if time.monotonic() > deadline:
            raise Unknown("The database does not say whether the change was kept.")
        time.sleep(LONGEST_PAUSE_AWAY_SECONDS)
    return False


@contextmanager
def savepoint() -> Iterator[None]:
    """What fails inside leaves nothing, and the transaction around it goes on."""
    with db.session.begin_nested():
        yield


def insert_once(table: Table, values: dict[str, Any], returning: Column[Any]) -> Any | None:
    """Inserts unless a unique constraint has the row already: then None."""
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(values).on_conflict_do_nothing().returning(returning)
    return db.session.execute(statement).scalar_one_or_none()


def end_read() -> None:
    """Gives the connection back: nothing stays idle in a transaction while a provider is called."""
    db.session.rollback()


def unhurried() -> None:
    """For what operators run, in this transaction: sums over everything take their time."""
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("SET LOCAL statement_timeout = 0"))


_listeners: list[Callable[[], None]] = []


def on_commit(listener: Callable[[], None]) -> None:
    """`listener` is called after every commit of this process.

    It must be quick and must not raise.
    """
    _listeners.append(listener)


def forget_listener(listener: Callable[[], None]) -> None:
    _listeners.remove(listener)


def patiently(work: Callable[[], T]) -> T:
    """Runs `work` until nothing passing stands in its way. Raises Busy after RETRY_SECONDS."""
    deadline = time.monotonic() + RETRY_SECONDS
    pause = 0.002
    while True:
        try:
            return work()
        except (DBAPIError, LostRace, SqliteError, _Away) as error:
            if not _passing(error):
                raise
            if time.monotonic() > deadline:
                raise Busy("The database is busy.") from error
            longest = LONGEST_PAUSE_SECONDS
            if isinstance(error, _Away):
                longest = LONGEST_PAUSE_AWAY_SECONDS
        # Jitter keeps two contenders from meeting again at the same moment.
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 (not a secret)
        pause = min(pause * 1.6, longest)


def _passing(error: BaseException) -> bool:
    if isinstance(error, LostRace | _Away):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if getattr(cause, "pgcode", None) in _CONTENDED:
        return True
    return "database is locked" in str(cause) or "database table is locked" in str(cause)


def _lost(error: BaseException) -> bool:
    """Whether it is the connection that failed, and not the statement."""
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "pgcode", None) or ""
    return error.connection_invalidated or code in _CUT_OFF or code.startswith("08")
