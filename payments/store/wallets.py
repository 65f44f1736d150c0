"""Customers' balances: moved only by `store/ledger.py`, in the transaction of the posting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from payments.domain.errors import InsufficientFunds
from payments.domain.ledger import wallet
from payments.store.db import db
from payments.store.tables import entries, wallets

PREFIX = wallet("")
"""Of every wallet's account in the ledger."""


def move(user_id: str, currency: str, change: int) -> int:
    """The balance after `change` minor units; who else moves this wallet waits for the commit.

    Raises InsufficientFunds where it would fall below zero, however many try at once.
    """
    if change < 0:
        taken = db.session.execute(
            update(wallets)
            .where(
                wallets.c.user_id == user_id,
                wallets.c.currency == currency,
                wallets.c.balance >= -change,
            )
            .values(balance=wallets.c.balance + change)
            .returning(wallets.c.balance)
        ).scalar_one_or_none()
        if taken is None:
            raise InsufficientFunds(balance(user_id, currency), currency)
        return int(taken)
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(wallets).values(user_id=user_id, currency=currency, balance=change)
    added = statement.on_conflict_do_update(
        index_elements=[wallets.c.user_id, wallets.c.currency],
        set_={"balance": wallets.c.balance + change},
    ).returning(wallets.c.balance)
    return int(db.session.execute(added).scalar_one())


def balance(user_id: str, currency: str) -> int:
    """0 where nothing was ever credited in this currency."""
    found = db.session.execute(
        select(wallets.c.balance).where(
            wallets.c.user_id == user_id, wallets.c.currency == currency
        )
    )
    return int(found.scalar_one_or_none() or 0)


def balances(user_id: str) -> list[tuple[str, int]]:
    """(currency, minor units) of every wallet this person has had money in, by currency."""
    rows = db.session.execute(
        select(wallets.c.currency, wallets.c.balance)
        .where(wallets.c.user_id == user_id)
        .order_by(wallets.c.currency)
    )
    return [(currency, int(amount)) for currency, amount in rows]


def faults() -> Iterator[str]:
    """Balances that are not the sum of their entries, and running balances that do not run."""
    sums = (
        select(entries.c.account, entries.c.currency, func.sum(-entries.c.amount).label("amount"))
        .where(entries.c.account.startswith(PREFIX))
        .group_by(entries.c.account, entries.c.currency)
        .subquery()
    )
    account = PREFIX + wallets.c.user_id
    total = func.coalesce(sums.c.amount, 0)
    for owner, currency, says, found in db.session.execute(
        select(wallets.c.user_id, wallets.c.currency, wallets.c.balance, total)
        .outerjoin(sums, (sums.c.account == account) & (sums.c.currency == wallets.c.currency))
        .where(wallets.c.balance != total)
    ):
        yield f"wallet of {owner}: says {says} {currency}, its entries sum to {found}"
    for name, currency in db.session.execute(
        select(sums.c.account, sums.c.currency)
        .outerjoin(wallets, (sums.c.account == account) & (sums.c.currency == wallets.c.currency))
        .where(wallets.c.user_id.is_(None))
    ):
        yield f"{name}: entries in {currency}, but no wallet"
    for row in _that_do_not_run():
        yield f"{row.account}: entry {row.id} says {row.balance_after} {row.currency} are left"


def _that_do_not_run() -> Iterator[Row[Any]]:
    """Each entry's balance is the sum of all of its wallet up to it."""
    running = func.sum(-entries.c.amount).over(
        partition_by=[entries.c.account, entries.c.currency], order_by=entries.c.id
    )
    lines = (
        select(
            entries.c.id,
            entries.c.account,
            entries.c.currency,
            entries.c.balance_after,
            running.label("running"),
        )
        .where(entries.c.account.startswith(PREFIX))
        .subquery()
    )
    wrong = lines.c.balance_after.is_(None) | (lines.c.balance_after != lines.c.running)
    yield from db.session.execute(select(lines).where(wrong).order_by(lines.c.id))
