"""The database and the one place that commits.

A change is a function given to `in_transaction`: it runs in one transaction, is committed here,
and is run again from its beginning where the database asks for that (a serialisation failure, a
deadlock, a lost race, a locked SQLite file). So it must do no I/O of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from sqlite3 import OperationalError as SqliteError
from typing import Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Connection, Engine, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

db = SQLAlchemy()

RETRY_SECONDS = 5.0
"""How long a change waits for a locked or contended database before it gives up."""

POSTGRES_LIMITS = (
    "-c statement_timeout=10000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=15000"
)

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    # Without it INSERT OR REPLACE would pass by the triggers that keep the ledger append-only.
    "recursive_triggers=ON",
)

_RETRYABLE = {"40001", "40P01", "55P03"}
"""SQLSTATE: serialisation failure, deadlock, lock timeout."""


class Busy(Exception):
    """The database could not take the change in time. Nothing of it is kept; 503."""


class LostRace(Exception):
    """A compare-and-set found that another got there first; the change begins again."""


def now() -> datetime:
    return datetime.now(UTC)


def database_url(text: str) -> URL:
    """`postgresql://` means psycopg2: eventlet makes it green, psycopg 3 would block its hub."""
    url = make_url(text)
    return url.set(drivername="postgresql+psycopg2") if url.drivername == "postgresql" else url


def engine_options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        # busy_timeout 0: SQLite's own waiting would stop every page, ours sleeps green.
        return {"connect_args": {"timeout": 0}}
    return {
        "pool_pre_ping": True,
        "pool_size": 10,
        "max_overflow": 10,
        "pool_timeout": 5,
        "connect_args": {"options": POSTGRES_LIMITS, "connect_timeout": 5},
    }


def prepare(engine: Engine) -> None:
    """SQLite: WAL, every commit on disk, foreign keys, our own BEGIN instead of the driver's."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            _patiently(partial(connection.execute, f"PRAGMA {pragma}"))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")


def in_transaction(change: Callable[[], T]) -> T:
    """Runs `change` in one transaction and commits it.

    Raises Busy after RETRY_SECONDS of contention.
    """

    def once() -> T:
        db.session.rollback()
        db.session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        try:
            result = change()
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise
        for told in list(_listeners):
            told()
        return result

    return _patiently(once)


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


_listeners: list[Callable[[], None]] = []


def on_commit(listener: Callable[[], None]) -> None:
    """`listener` is called after every commit of this process.

    It must be quick and must not raise.
    """
    _listeners.append(listener)


def forget_listener(listener: Callable[[], None]) -> None:
    _listeners.remove(listener)


def _patiently(work: Callable[[], T]) -> T:
    deadline = time.monotonic() + RETRY_SECONDS
    pause = 0.002
    while True:
        try:
            return work()
        except (DBAPIError, LostRace, SqliteError) as error:
            if not _passing(error):
                raise
            if time.monotonic() > deadline:
                raise Busy("The database is busy.") from error
        # Jitter keeps two contenders from meeting again at the same moment.
        time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 (not a secret)
        pause = min(pause * 1.6, 0.1)


def _passing(error: BaseException) -> bool:
    if isinstance(error, LostRace):
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if getattr(cause, "pgcode", None) in _RETRYABLE:
        return True
    return "database is locked" in str(cause) or "database table is locked" in str(cause)
