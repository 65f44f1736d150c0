"""What a rebuild made beside what was there: every figure that is derived, row by row.

Times are not compared, for they are those of writing; ids of rows only where others name them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, collate, select
from sqlalchemy.types import String

from payments.store.tables import bank_lines, confirmations, inbox, orders, payments, refunds

FETCHED = 1_000

COMPARED: tuple[tuple[str, Table, str, tuple[str, ...]], ...] = (
    (
        *("order", orders, "id"),
        (
            *("status", "version", "amount", "currency", "amount_paid", "amount_excess"),
            *("amount_refunded", "amount_credited", "purpose", "late", "customer_id"),
            "description",
        ),
    ),
    (
        *("payment", payments, "reference"),
        (
            *("order_id", "provider", "status", "amount", "currency", "amount_received"),
            *("transaction_id", "confirmed_by", "failure_code", "action", "handle"),
        ),
    ),
    (
        *("refund", refunds, "id"),
        (
            *("reference", "status", "amount", "currency", "from_suspense"),
            *("provider_refund_id", "wallet_of"),
        ),
    ),
    (
        *("confirmation", confirmations, "id"),
        ("order_id", "status", "amount", "evidence", "requested_by", "approved_by"),
    ),
    (
        *("callback", inbox, "id"),
        ("provider", "event_id", "digest", "verdict", "reason", "order_id", "reference", "settled"),
    ),
    ("bank line", bank_lines, "inbox_id", ("number", "same_as")),
)


def first_difference(ours: Connection, theirs: Connection) -> str | None:
    """In words; None where both hold the same."""
    for name, table, key, columns in COMPARED:
        left, right = (_rows(side, table, key, columns) for side in (ours, theirs))
        while True:
            one, other = next(left, None), next(right, None)
            if one is None and other is None:
                break
            if other is None or (one is not None and one[0] < other[0]):
                return f"{name} {one and one[0]} is missing"
            if one is None or other[0] < one[0]:
                return f"{name} {other[0]} should not be there"
            for column, was, now in zip(columns, one[1:], other[1:], strict=True):
                if was != now:
                    return f"{name} {one[0]}: {column} was {was!r}, now {now!r}"
    return None


def _rows(
    connection: Connection, table: Table, key: str, columns: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    order: ColumnElement[Any] = table.c[key]
    if connection.dialect.name == "postgresql" and isinstance(order.type, String):
        order = collate(order, "C")
    chosen = [
        table.c.resolved_at.is_not(None) if name == "settled" else table.c[name] for name in columns
    ]
    query = select(table.c[key], *chosen).order_by(order)
    for row in connection.execute(query.execution_options(yield_per=FETCHED)):
        yield tuple(bool(one) if isinstance(one, bool) else one for one in row)
