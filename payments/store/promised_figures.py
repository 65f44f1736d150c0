"""Refunds and withdrawals beside the postings that made and ended them, and these beside them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Subquery, Table, and_, case, func, literal, or_, select

from payments.domain.ledger import FEES, REFUNDS_DUE, SUSPENSE, WITHDRAWALS_DUE
from payments.store.db import db
from payments.store.tables import entries, payments, postings, refunds, withdrawals

_W = withdrawals.c
_R = refunds.c

_Rule = tuple[str, str, str, ColumnElement[int], ColumnElement[bool]]

REFUNDS: tuple[_Rule, ...] = (
    ("refund", "the promise", REFUNDS_DUE, -_R.amount, literal(True)),
    ("refund", "what was held of it", SUSPENSE, _R.from_suspense, literal(True)),
    ("refund-paid", "its payment", REFUNDS_DUE, _R.amount, _R.status == "succeeded"),
    ("refund-failed", "its failure", REFUNDS_DUE, _R.amount, _R.status == "failed"),
    ("refund-failed", "what is held again", SUSPENSE, -_R.from_suspense, _R.status == "failed"),
)
WITHDRAWALS: tuple[_Rule, ...] = (
    ("withdrawal", "what is held", WITHDRAWALS_DUE, -(_W.amount + _W.fee), literal(True)),
    (
        *("withdrawal-paid", "its payment", WITHDRAWALS_DUE, _W.amount + _W.fee),
        _W.status == "settled",
    ),
    ("withdrawal-paid", "its fee", FEES, -_W.fee, _W.status == "settled"),
    (
        *("withdrawal-returned", "its return", WITHDRAWALS_DUE, _W.amount + _W.fee),
        _W.status == "returned",
    ),
)
"""(word of the cause, what it is to people, account, what this posting moves there, when it is).

Where the state is another one, there is no such posting."""


def faults() -> Iterator[str]:
    for table, rules in ((refunds, REFUNDS), (withdrawals, WITHDRAWALS)):
        noun = table.name.removesuffix("s")
        for rule in rules:
            yield from _broken(noun, table, rule)
        for word in dict.fromkeys(rule[0] for rule in rules):
            yield from _orphans(word, table)
    yield from _corroborated()


def _moved(word: str, account: str) -> Subquery:
    """By cause: what postings with this word moved in the account; 0 where nothing."""
    here = case((entries.c.account == account, entries.c.amount), else_=0)
    return (
        select(postings.c.cause, func.sum(here).label("amount"))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.cause.startswith(f"{word}:"))
        .group_by(postings.c.cause)
        .subquery()
    )


def _broken(noun: str, table: Table, rule: _Rule) -> Iterator[str]:
    word, what, account, amount, holds = rule
    moved = _moved(word, account)
    wrong = case(
        (holds, or_(moved.c.amount.is_(None), moved.c.amount != amount)),
        else_=moved.c.cause.is_not(None),
    )
    for name, status, due, found in db.session.execute(
        select(table.c.id, table.c.status, amount, moved.c.amount)
        .outerjoin(moved, moved.c.cause == f"{word}:" + table.c.id)
        .where(wrong)
    ):
        yield f"{noun} {name}: {status}, {what} should move {due} of {account}, it moves {found}"


def _orphans(word: str, table: Table) -> Iterator[str]:
    for (cause,) in db.session.execute(
        select(postings.c.cause)
        .outerjoin(table, postings.c.cause == f"{word}:" + table.c.id)
        .where(postings.c.cause.startswith(f"{word}:"), table.c.id.is_(None))
    ):
        yield f"posting {cause}: no {table.name.removesuffix('s')} is its cause"


def _corroborated() -> Iterator[str]:
    """What a provider bore out is a payment that staff had confirmed, with all of its amount."""
    cause = "corroborated:" + payments.c.reference
    moved = (
        select(postings.c.cause, func.sum(entries.c.amount).label("amount"))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.cause.startswith("corroborated:"), entries.c.amount > 0)
        .group_by(postings.c.cause)
        .subquery()
    )
    borne_out = and_(
        payments.c.confirmed_by.is_not(None), payments.c.amount_received == moved.c.amount
    )
    for (orphan,) in db.session.execute(
        select(moved.c.cause)
        .outerjoin(payments, and_(moved.c.cause == cause, borne_out))
        .where(payments.c.reference.is_(None))
    ):
        yield f"posting {orphan}: no confirmed payment of this amount is its cause"
