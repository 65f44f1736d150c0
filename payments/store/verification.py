"""Every contradiction between stored figures, in words: `flask ledger verify`.

Each figure is stored beside something else that says the same: a posting, the words of a provider,
the audit, the newest fact. Who changes one of them by hand leaves the other behind.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, or_, select

from payments.store import (
    bank_lines,
    order_figures,
    promised_figures,
    said_figures,
    seals,
    wallets,
)
from payments.store.db import db
from payments.store.tables import entries, inbox, payments, postings, withdrawals

CAUSES = (
    *("receipt", "corroborated", "refund", "refund-paid", "refund-failed"),
    *("unmatched", "assigned", "returned"),
    *("withdrawal", "withdrawal-paid", "withdrawal-returned"),
)
"""The first words of causes; the object that each of them names is looked for."""


def faults() -> Iterator[str]:
    """Nothing where all is well. Reads everything: give it one moment to read (`snapshot`)."""
    yield from seals.faults()
    yield from _legs()
    yield from _unknown_causes()
    yield from _receipts()
    yield from order_figures.faults()
    yield from promised_figures.faults()
    yield from said_figures.faults()
    yield from bank_lines.faults()
    yield from wallets.faults()


def _legs() -> Iterator[str]:
    """A posting sums to zero in each currency, and has two legs at least."""
    unbalanced = db.session.execute(
        select(postings.c.cause, entries.c.currency, func.sum(entries.c.amount))
        .join(entries, entries.c.posting_id == postings.c.id)
        .group_by(postings.c.id, postings.c.cause, entries.c.currency)
        .having(func.sum(entries.c.amount) != 0)
    )
    for cause, currency, total in unbalanced:
        yield f"posting {cause}: its legs in {currency} sum to {total}, not to 0"
    legless = db.session.execute(
        select(postings.c.cause)
        .outerjoin(entries, entries.c.posting_id == postings.c.id)
        .group_by(postings.c.id, postings.c.cause)
        .having(func.count(entries.c.id) < 2)
    )
    for (cause,) in legless:
        yield f"posting {cause}: it has fewer than two legs"


def _unknown_causes() -> Iterator[str]:
    known = or_(*(postings.c.cause.startswith(f"{word}:") for word in CAUSES))
    for (cause,) in db.session.execute(select(postings.c.cause).where(~known)):
        yield f"posting {cause}: nothing that this version knows is its cause"


def _receipts() -> Iterator[str]:
    """A receipt has an attempt that succeeded with its amount, and such an attempt a receipt."""
    cause = "receipt:" + payments.c.reference
    debited = (
        select(
            postings.c.cause,
            func.max(postings.c.order_id).label("order_id"),
            func.sum(entries.c.amount).label("amount"),
        )
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.cause.like("receipt:%"), entries.c.amount > 0)
        .group_by(postings.c.cause)
        .subquery()
    )
    for reference, received, posted in db.session.execute(
        select(payments.c.reference, payments.c.amount_received, debited.c.amount)
        .outerjoin(debited, debited.c.cause == cause)
        .where(payments.c.amount_received > 0)
        .where((debited.c.amount.is_(None)) | (debited.c.amount != payments.c.amount_received))
    ):
        yield f"payment {reference}: {received} received, {posted} posted"
    for (orphan,) in db.session.execute(
        select(debited.c.cause)
        .outerjoin(payments, cause == debited.c.cause)
        .where((payments.c.reference.is_(None)) | (payments.c.amount_received == 0))
    ):
        yield f"posting {orphan}: no payment that succeeded is its cause"
    for reference, order_id in db.session.execute(
        select(payments.c.reference, debited.c.order_id)
        .join(debited, debited.c.cause == cause)
        .where(func.coalesce(debited.c.order_id, "") != payments.c.order_id)
    ):
        yield f"payment {reference}: its receipt is booked for order {order_id}"
    for (event,) in db.session.execute(
        select(inbox.c.event_id)
        .outerjoin(payments, payments.c.reference == inbox.c.reference)
        .outerjoin(withdrawals, withdrawals.c.id == inbox.c.reference)
        .where(
            inbox.c.verdict == "applied",
            payments.c.reference.is_(None),
            withdrawals.c.id.is_(None),
        )
    ):
        yield f"callback {event}: applied, but to no payment and no withdrawal"
