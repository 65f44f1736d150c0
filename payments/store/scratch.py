"""Databases to rehearse in: made for one restore, and dropped after it whatever happens."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL, MetaData, text

from payments.store.db import db
from payments.store.elsewhere import demand_empty, other_database
from payments.store.engine import database_url


@contextmanager
def sqlite_file() -> Iterator[Path]:
    """Where a file may be put; inside, it can be opened by `other_database`."""
    with TemporaryDirectory(prefix="paychime-rehearsal-") as folder:
        yield Path(folder) / "restored.db"


@contextmanager
def postgres_beside() -> Iterator[URL]:
    """An empty database on this database's own server, made by the same user."""
    url, name = db.engine.url, f"paychime_rehearsal_{secrets.token_hex(6)}"
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as here:
        here.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        try:
            yield url.set(database=name)
        finally:
            here.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@contextmanager
def postgres_at(address: str) -> Iterator[URL]:
    """An operator's own empty database, which is empty again afterwards. Raises NotEmpty."""
    with other_database(address):
        demand_empty()
        before = _functions()
    try:
        yield database_url(address)
    finally:
        with other_database(address):
            _drop_all(before)


def _functions() -> set[str]:
    with db.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT oid::regprocedure::text FROM pg_proc "
                "WHERE pronamespace = 'public'::regnamespace"
            )
        )
        return set(found.scalars())


def _drop_all(but: set[str]) -> None:
    made = _functions() - but
    with db.engine.begin() as connection:
        everything = MetaData()
        everything.reflect(connection)
        everything.drop_all(connection)
        for function in sorted(made):
            connection.execute(text(f"DROP FUNCTION {function}"))
