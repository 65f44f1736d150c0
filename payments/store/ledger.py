"""The ledger: appended to, summed, verified; no row of it is ever changed (triggers refuse it)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Subquery, func, insert, literal, select

from payments.domain.ledger import REFUNDS_DUE, SUSPENSE, Leg, Posting, owner_of
from payments.store import bank_lines, wallets
from payments.store.db import db, now
from payments.store.tables import entries, inbox, orders, payments, postings


def append(posting: Posting, order_id: str | None) -> None:
    """Raises IntegrityError where the cause is posted already; InsufficientFunds of a wallet.

    `Posting` has proved the zero sum. Balances of wallets move with it.
    """
    posting_id = db.session.execute(
        insert(postings)
        .values(cause=posting.cause, order_id=order_id, created_at=now())
        .returning(postings.c.id)
    ).scalar_one()
    db.session.execute(
        insert(entries),
        [
            {
                "posting_id": posting_id,
                "account": leg.account,
                "currency": leg.money.currency,
                "amount": leg.money.amount,
                "balance_after": _moved(leg),
            }
            for leg in posting.legs
        ],
    )


def _moved(leg: Leg) -> int | None:
    """The wallet's new balance. Its row stays locked, so that entries stand in their order."""
    owner = owner_of(leg.account)
    return wallets.move(owner, leg.money.currency, -leg.money.amount) if owner else None


def balances() -> dict[tuple[str, str], int]:
    """(account, currency) to its balance in minor units, debits positive."""
    rows = db.session.execute(
        select(entries.c.account, entries.c.currency, func.sum(entries.c.amount)).group_by(
            entries.c.account, entries.c.currency
        )
    )
    return {(account, currency): int(total) for account, currency, total in rows}


def of_order(order_id: str) -> list[tuple[str, str, str, int]]:
    """(cause, account, currency, amount) of everything posted for an order, in order."""
    rows = db.session.execute(
        select(postings.c.cause, entries.c.account, entries.c.currency, entries.c.amount)
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.order_id == order_id)
        .order_by(entries.c.id)
    )
    return [(cause, account, currency, int(amount)) for cause, account, currency, amount in rows]


def faults() -> Iterator[str]:
    """Every contradiction between stored figures, in words; nothing where all is well."""
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
    yield from _uncaused()
    yield from _orders_that_differ("paid", orders.c.amount_paid, _received())
    yield from _orders_that_differ("refunded", orders.c.amount_refunded, _refunded())
    yield from _orders_that_differ("held as excess", orders.c.amount_excess, _held())
    yield from _orders_that_differ("credited", orders.c.amount_credited, _credited())
    yield from bank_lines.faults()
    yield from wallets.faults()


def _uncaused() -> Iterator[str]:
    """A receipt has an attempt that succeeded with its amount, and such an attempt a receipt."""
    cause = literal("receipt:") + payments.c.reference
    debited = (
        select(postings.c.cause, func.sum(entries.c.amount).label("amount"))
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
    for (event,) in db.session.execute(
        select(inbox.c.event_id)
        .outerjoin(payments, payments.c.reference == inbox.c.reference)
        .where(inbox.c.verdict == "applied", payments.c.reference.is_(None))
    ):
        yield f"callback {event}: applied, but to no payment"


def _orders_that_differ(what: str, figure: ColumnElement[int], sums: Subquery) -> Iterator[str]:
    """An order's own figure beside the sum of what it is made of."""
    total = func.coalesce(sums.c.amount, 0)
    for order_id, says, found in db.session.execute(
        select(orders.c.id, figure, total)
        .outerjoin(sums, sums.c.order_id == orders.c.id)
        .where(figure != total)
    ):
        yield f"order {order_id}: says {says} {what}, its parts sum to {found}"


def _received() -> Subquery:
    return (
        select(payments.c.order_id, func.sum(payments.c.amount_received).label("amount"))
        .group_by(payments.c.order_id)
        .subquery()
    )


def _refunded() -> Subquery:
    """By the ledger: what left the debt of refunds for a clearing account."""
    return (
        select(postings.c.order_id, func.sum(entries.c.amount).label("amount"))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.cause.like("refund-paid:%"), entries.c.account == REFUNDS_DUE)
        .group_by(postings.c.order_id)
        .subquery()
    )


def _held() -> Subquery:
    """By the ledger: what receipts put into suspense."""
    return (
        select(postings.c.order_id, func.sum(-entries.c.amount).label("amount"))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.cause.like("receipt:%"), entries.c.account == SUSPENSE)
        .group_by(postings.c.order_id)
        .subquery()
    )


def _credited() -> Subquery:
    """By the ledger: what receipts put into wallets. What they take out of one is a payment."""
    return (
        select(postings.c.order_id, func.sum(-entries.c.amount).label("amount"))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(
            postings.c.cause.like("receipt:%"),
            entries.c.account.startswith(wallets.PREFIX),
            entries.c.amount < 0,
        )
        .group_by(postings.c.order_id)
        .subquery()
    )
