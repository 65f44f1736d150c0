"""Where a list goes on: the last one shown, as a text that means something to us alone."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Protocol

from payments.domain.errors import InvalidInput


class Listed(Protocol):
    """Of a list that is ordered by when each was made, and then by its id."""

    @property
    def id(self) -> str: ...

    @property
    def created_at(self) -> datetime: ...


def to_cursor(last: Listed) -> str:
    return base64.urlsafe_b64encode(f"{last.created_at.timestamp()}|{last.id}".encode()).decode()


def from_cursor(text: str | None) -> tuple[datetime, str] | None:
    """Raises InvalidInput where it is not one of ours."""
    if not text:
        return None
    try:
        at, _, order_id = base64.urlsafe_b64decode(text).decode().partition("|")
        if not order_id.isprintable():
            raise ValueError(order_id)
        return datetime.fromtimestamp(float(at), UTC), order_id
    except (ValueError, OverflowError, OSError, binascii.Error) as error:
        raise InvalidInput("This cursor is not ours.", code="invalid_cursor") from error


def to_place(last_id: int) -> str:
    """Of a list that is ordered by its ids alone."""
    return base64.urlsafe_b64encode(f"#{last_id}".encode()).decode()


def from_place(text: str | None) -> int | None:
    """Raises InvalidInput where it is not one of ours."""
    if not text:
        return None
    try:
        mark, number = base64.urlsafe_b64decode(text).decode().split("#")
        if mark or not (number.isascii() and number.isdigit() and len(number) < 19):
            raise ValueError(number)
        return int(number)
    except (ValueError, binascii.Error) as error:
        raise InvalidInput("This cursor is not ours.", code="invalid_cursor") from error
