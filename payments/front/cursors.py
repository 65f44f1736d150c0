"""Where a list goes on: the last order shown, as a text that means something to us alone."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from payments.domain.errors import InvalidInput
from payments.domain.order import Order


def to_cursor(last: Order) -> str:
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
