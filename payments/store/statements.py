"""The lines of one person's wallets, read from the ledger; nothing is kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, literal, select

from payments.domain.ledger import wallet
from payments.domain.order import DEPOSIT
from payments.store.db import db
from payments.store.tables import entries, orders, postings, withdrawals

RECEIPT, REFUND = "receipt:", "refund-paid:"
WITHDRAWAL, RETURNED = "withdrawal:", "withdrawal-returned:"


def _caused_by(prefix: str) -> ColumnElement[bool]:
    return postings.c.cause.startswith(prefix)


_KINDS: tuple[tuple[str, ColumnElement[bool]], ...] = (
    ("payment", _caused_by(RECEIPT) & (entries.c.amount > 0)),
    ("deposit", _caused_by(RECEIPT) & (orders.c.purpose == DEPOSIT)),
    ("excess", _caused_by(RECEIPT)),
    ("refund", _caused_by(REFUND)),
    ("withdrawal", _caused_by(WITHDRAWAL)),
    ("withdrawal_returned", _caused_by(RETURNED)),
)
"""What a movement was, by the cause of its posting; the first that holds."""

OTHER = "other"
"""No money is left out of a statement, even where this table has no word for it."""

KINDS = (*(word for word, _ in _KINDS), OTHER)

_kind = case(*((holds, literal(word)) for word, holds in _KINDS), else_=literal(OTHER))

_WITHDRAWAL_ID = case(
    *(
        (_caused_by(prefix), func.substr(postings.c.cause, len(prefix) + 1))
        for prefix in (WITHDRAWAL, RETURNED)
    )
)

_FROM = (
    entries.join(postings, postings.c.id == entries.c.posting_id)
    .outerjoin(orders, orders.c.id == postings.c.order_id)
    .outerjoin(withdrawals, withdrawals.c.id == _WITHDRAWAL_ID)
)


@dataclass(frozen=True, slots=True)
class Line:
    """One movement. Minor units: `amount` above zero came in; `balance` is what was left after it.

    `fee` is the part of a withdrawal's amount that does not reach its destination.
    """

    id: int
    at: datetime
    kind: str
    amount: int
    currency: str
    balance: int
    reference: str
    order_id: str | None
    description: str | None
    fee: int


@dataclass(frozen=True, slots=True)
class Filters:
    """Which lines: from `since` on, and before `until`."""

    currency: str | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """One wallet over the time of the filters, in minor units.

    `came` and `went` are of the filters' kind alone, where they name one; the balances never are.
    """

    currency: str
    opening: int
    closing: int
    came: int
    went: int


def lines(
    user_id: str, filters: Filters, *, before: int | None = None, limit: int
) -> Sequence[Line]:
    """Newest first, those older than the line `before`: what comes in meanwhile moves none of them.

    A wallet's ids are in the order of its movements, for each is booked while its row is locked.
    """
    query = (
        select(
            entries.c.id,
            postings.c.created_at,
            _kind,
            -entries.c.amount,
            entries.c.currency,
            entries.c.balance_after,
            postings.c.cause,
            postings.c.order_id,
            orders.c.description,
            func.coalesce(withdrawals.c.fee, 0),
        )
        .select_from(_FROM)
        .where(*_asked(user_id, filters))
        .order_by(entries.c.id.desc())
        .limit(limit)
    )
    if filters.since is not None:
        query = query.where(postings.c.created_at >= filters.since)
    if filters.kind is not None:
        query = query.where(_kind == filters.kind)
    if before is not None:
        query = query.where(entries.c.id < before)
    return [
        Line(line_id, at, kind, amount, currency, balance, cause.partition(":")[2], *about)
        for line_id, at, kind, amount, currency, balance, cause, *about in db.session.execute(query)
    ]


def totals(user_id: str, filters: Filters) -> Sequence[Total]:
    """Of each wallet that had moved before the end of that time, by currency."""
    earlier = postings.c.created_at < filters.since if filters.since is not None else literal(False)
    counts = ~earlier if filters.kind is None else ~earlier & (_kind == filters.kind)

    def of(which: ColumnElement[bool], amount: ColumnElement[int]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((which, amount), else_=0)), 0)

    query = (
        select(
            entries.c.currency,
            of(earlier, -entries.c.amount),
            func.sum(-entries.c.amount),
            of(counts & (entries.c.amount < 0), -entries.c.amount),
            of(counts & (entries.c.amount > 0), entries.c.amount),
        )
        .select_from(_FROM)
        .where(*_asked(user_id, filters))
        .group_by(entries.c.currency)
        .order_by(entries.c.currency)
    )
    return [
        Total(currency, *(int(amount) for amount in amounts))
        for currency, *amounts in db.session.execute(query)
    ]


def _asked(user_id: str, filters: Filters) -> list[ColumnElement[bool]]:
    """The person's own, in this currency, up to the end of the time."""
    found = [entries.c.account == wallet(user_id), entries.c.balance_after.is_not(None)]
    if filters.currency is not None:
        found.append(entries.c.currency == filters.currency)
    if filters.until is not None:
        found.append(postings.c.created_at < filters.until)
    return found
