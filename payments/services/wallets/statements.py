"""A person's statement: every movement of their own wallets, with the balance after each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from payments.domain.errors import InvalidInput
from payments.domain.money import exponent
from payments.settings import Settings
from payments.store import statements
from payments.store.db import end_read
from payments.store.statements import KINDS, Filters, Line, Total

READ_AT_ONCE = 500
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1970, 9999)
"""What a day of theirs is in UTC, is a time on every database."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days of the shop's own calendar, both of them included; None: no bound."""

    first: date | None = None
    last: date | None = None


def asked(
    settings: Settings,
    *,
    currency: str | None,
    kind: str | None,
    since: str | None,
    until: str | None,
) -> tuple[Filters, Period]:
    """What a reader wants to see, by the words of an address; an empty one asks for nothing.

    `since` and `until` are days, `2026-11-21`. Raises InvalidInput, UnknownCurrency.
    """
    if currency:
        exponent(currency)
    if kind and kind not in KINDS:
        raise InvalidInput("There is no such kind.", code="invalid_kind", field="kind")
    period = Period(_day(since, "from"), _day(until, "to"))
    if period.first and period.last and period.last < period.first:
        raise InvalidInput("It ends before it begins.", code="invalid_to", field="to")
    zone = ZoneInfo(settings.shop_timezone)
    after = period.last + timedelta(days=1) if period.last else None
    filters = Filters(
        currency or None, kind or None, _begins(period.first, zone), _begins(after, zone)
    )
    return filters, period


def _day(text: str | None, field: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        raise InvalidInput("A day is 2026-11-21.", code=f"invalid_{field}", field=field)
    return day


def _begins(day: date | None, zone: ZoneInfo) -> datetime | None:
    return datetime.combine(day, time.min, zone).astimezone(UTC) if day else None


def newest(user_id: str, limit: int) -> Sequence[Line]:
    return statements.lines(user_id, Filters(), limit=limit)


def page(
    user_id: str, filters: Filters, before: int | None, limit: int
) -> tuple[Sequence[Line], int | None]:
    """`limit` lines older than the line `before`, and the last one's id where there are more."""
    found = statements.lines(user_id, filters, before=before, limit=limit + 1)
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def whole(user_id: str, filters: Filters) -> Iterator[Line]:
    """All of it, newest first. No transaction stays open while a reader is slow."""
    before: int | None = None
    while True:
        found, before = page(user_id, filters, before, READ_AT_ONCE)
        end_read()
        yield from found
        if before is None:
            return


def totals(user_id: str, filters: Filters) -> Sequence[Total]:
    return statements.totals(user_id, filters)
