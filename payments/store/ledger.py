"""The ledger: appended to, summed, verified; no row of it is ever changed (triggers refuse it)."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, insert, select

from payments.domain.ledger import Leg, Posting, owner_of
from payments.store import verification, wallets
from payments.store.db import db, now
from payments.store.tables import entries, postings


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
    yield from verification.faults()
