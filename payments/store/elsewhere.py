"""Two databases at once: this one read as it was at one moment, another one to be filled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from flask_migrate import Migrate, upgrade
from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.engine.interfaces import CoreExecuteOptionsParameter
from sqlalchemy.exc import ArgumentError

from payments.store.db import db
from payments.store.engine import database_url, engine_options, prepare

DRIVERS = ("sqlite", "postgresql+psycopg2")
MIGRATIONS = Path(__file__).parent / "migrations"


class NotEmpty(Exception):
    """Something is in the database already, and nothing of it is touched."""


@contextmanager
def snapshot() -> Iterator[Connection]:
    """This database as it is now, however long it is read and whoever goes on writing.

    The session stands in it too: what reads by `db.session` sees the same moment.
    """
    db.session.rollback()
    options: CoreExecuteOptionsParameter = {}
    if db.engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    connection = db.session.connection(execution_options=options)
    unbounded(connection)
    try:
        yield connection
    finally:
        db.session.rollback()


def unbounded(connection: Connection) -> None:
    """Lifts the limits of requests for this transaction: it reads everything, with pauses."""
    if connection.dialect.name != "postgresql":
        return
    for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET LOCAL {limit} = 0"))


@contextmanager
def other_database(address: str | URL) -> Iterator[None]:
    """Inside, `db` is the database at this address; whatever was outside comes back after it.

    Raises ArgumentError where it is none of ours.
    """
    url = database_url(address) if isinstance(address, str) else address
    if url.drivername not in DRIVERS:
        raise ArgumentError("expected sqlite:/// or postgresql://")
    if url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}:
        # Else it would stand beside the instance, and not where the command was given.
        url = url.set(database=str(Path(url.database or "").resolve()))
    app = Flask("paychime-elsewhere")
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=engine_options(url))
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS))
    with app.app_context():
        prepare(db.engine)
        try:
            yield
        finally:
            db.session.remove()
            db.engine.dispose()


def make_tables() -> None:
    """In an empty database. Raises NotEmpty."""
    demand_empty()
    upgrade()


def demand_empty() -> None:
    """Raises NotEmpty."""
    found = inspect(db.engine).get_table_names()
    if found:
        raise NotEmpty(f"The database is not empty: it has {len(found)} tables.")
