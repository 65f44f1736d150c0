"""Which of the migrations a database has seen, and which this version of the code needs."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

REVISION = "0011"
"""The newest migration. Said here, so that a server need not load them all to begin."""

MARK = "alembic_version"
"""Alembic's own table, of one row."""


def revision(connection: Connection) -> str | None:
    """The newest migration that this database has seen; None in one without our tables."""
    if not inspect(connection).has_table(MARK):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {MARK}"))  # noqa: S608 (our own)
    return found.scalar_one_or_none()
