"""How the database is connected to: the driver, the pool, and the limits of one statement."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url

from payments.store.db import patiently

CONNECTIONS = 20
"""Of one server process at most. Four processes stay below PostgreSQL's default of 100, with room
for commands; who finds none free waits for `POOL_SECONDS`, then gets 503."""
POOL_SECONDS = 5

POSTGRES_LIMITS = (
    # Nothing that a request does takes as long; what operators run lifts it (`unhurried`).
    "-c statement_timeout=10000 "
    # Shorter than the statement's, so that whoever waits for a lock is told so and begins again.
    "-c lock_timeout=5000 "
    # A process that hangs between two statements must not hold an order for ever.
    "-c idle_in_transaction_session_timeout=15000"
)

KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""A machine that vanished is noticed in 25 s, and not after hours: seconds, and milliseconds."""

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    # Without it INSERT OR REPLACE would pass by the triggers that keep the ledger append-only.
    "recursive_triggers=ON",
)


def database_url(text: str) -> URL:
    """`postgresql://` means psycopg2: eventlet makes it green, psycopg 3 would block its hub."""
    url = make_url(text)
    return url.set(drivername="postgresql+psycopg2") if url.drivername == "postgresql" else url


def engine_options(url: URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        # busy_timeout 0: SQLite's own waiting would stop every page, ours sleeps green.
        return {"connect_args": {"timeout": 0}}
    return {
        # A connection that died while it rested is replaced before anything is asked of it.
        "pool_pre_ping": True,
        "pool_size": CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": POOL_SECONDS,
        "pool_use_lifo": True,
        "connect_args": {"options": POSTGRES_LIMITS, "connect_timeout": 5, **KEEPALIVES},
    }


def prepare(engine: Engine) -> None:
    """SQLite: WAL, every commit on disk, foreign keys, our own BEGIN instead of the driver's."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in PRAGMAS:
            patiently(partial(connection.execute, f"PRAGMA {pragma}"))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        kind = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {kind}")
