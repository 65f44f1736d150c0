"""The types of our columns, and what tables are made with."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, ColumnElement, DateTime, Index, Integer
from sqlalchemy.types import TypeDecorator


class Moment(TypeDecorator[datetime]):
    """A time in UTC, aware on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Amount = BigInteger
Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows only for the exact type INTEGER."""


def one_of(column: str, values: type[Enum] | tuple[str, ...], name: str) -> CheckConstraint:
    words = [v.value for v in values] if isinstance(values, type) else values
    return CheckConstraint(f"{column} IN ({', '.join(repr(w) for w in words)})", name=name)


def waiting(name: str, *columns: Column[Any], when: ColumnElement[bool]) -> Index:
    """An index of what waits alone, so that it stays small however much has been."""
    return Index(name, *columns, postgresql_where=when, sqlite_where=when)
