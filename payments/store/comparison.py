"""What a rebuild made beside what was there: every figure that is derived, row by row.

Times are not compared, for they are those of writing; ids of rows only where others name them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, collate, select
from sqlalchemy.types import String

from payments.store.tables import (
    bank_lines,
    confirmations,
    entries,
    inbox,
    orders,
    payments,
    postings,
    refunds,
    wallets,
    withdrawals,
)

FETCHED = 1_000

_RUNNING = (
    select(postings.c.cause, entries.c.account, entries.c.balance_after)
    .join(entries, entries.c.posting_id == postings.c.id)
    .where(entries.c.balance_after.is_not(None))
    .subquery()
)

COMPARED: tuple[tuple[str, FromClause, str, tuple[str, ...]], ...] = (
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
        *("withdrawal", withdrawals, "id"),
        (
            *("user_id", "status", "amount", "fee", "currency", "provider", "destination"),
            *("provider_payout_id", "evidence", "reason"),
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
    ("wallet of", wallets, "user_id", ("currency", "balance")),
    ("running balance after", _RUNNING, "cause", ("account", "balance_after")),
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
    connection: Connection, table: FromClause, key: str, columns: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    """By their keys. Where several have one, a person's wallets, the first column tells them
    apart."""
    chosen = [
        table.c.resolved_at.is_not(None) if name == "settled" else table.c[name] for name in columns
    ]
    order = [_by_bytes(connection, table.c[name]) for name in (key, columns[0])]
    query = select(table.c[key], *chosen).order_by(*order)
    for row in connection.execute(query.execution_options(yield_per=FETCHED)):
        yield tuple(bool(one) if isinstance(one, bool) else one for one in row)


def _by_bytes(connection: Connection, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """In the same order everywhere, whatever language a PostgreSQL sorts in."""
    text = isinstance(column.type, String)
    return collate(column, "C") if text and connection.dialect.name == "postgresql" else column
