"""What the database says, read beside the servers; and what must be true of it after any fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import func, select

from payments.bootstrap import create_app
from payments.services import accounts
from payments.settings import load
from payments.store import inbox, ledger, outbox, tables
from payments.store.db import db
from payments.store.tables import entries, orders, payments

T = TypeVar("T")
CHUNK = 400


class Books:
    """An application of the test's own on the shop's database: it serves nobody."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.app: Flask = create_app(load(dict(environment)))

    def read(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        with self.app.app_context():
            return work(*args, **kwargs)

    def close(self) -> None:
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    def key(self) -> str:
        return self.read(accounts.create_key, "faults")

    def states(self, order_ids: Iterable[str]) -> dict[str, tuple[int, str]]:
        """Version and status of each order."""

        def found() -> dict[str, tuple[int, str]]:
            wanted, states = list(order_ids), dict[str, tuple[int, str]]()
            for start in range(0, len(wanted), CHUNK):
                chunk = wanted[start : start + CHUNK]
                for row in db.session.execute(
                    select(orders.c.id, orders.c.version, orders.c.status).where(
                        orders.c.id.in_(chunk)
                    )
                ):
                    states[row.id] = (row.version, row.status)
            return states

        return self.read(found)

    def credits(self) -> dict[tuple[str, str | None], int]:
        """What each (order, provider's transaction) was credited with, in minor units."""

        def found() -> dict[tuple[str, str | None], int]:
            rows = db.session.execute(
                select(payments.c.order_id, payments.c.transaction_id, payments.c.amount_received)
                .where(payments.c.amount_received > 0)
                .order_by(payments.c.seq)
            ).all()
            credited = {(order, transaction): amount for order, transaction, amount in rows}
            assert len(credited) == len(rows), "a transaction was credited twice"
            return credited

        return self.read(found)

    def transactions(self, order_id: str) -> list[str | None]:
        """What the order was credited with, by the providers' names for it."""
        return [transaction for order, transaction in self.credits() if order == order_id]

    def verdicts(self, event_id: str) -> list[str]:
        """What became of each kept callback of this event, and of what came under its name."""

        def found() -> list[str]:
            rows = db.session.execute(
                select(tables.inbox.c.verdict)
                .where(tables.inbox.c.event_id.startswith(event_id, autoescape=True))
                .order_by(tables.inbox.c.id)
            )
            return list(rows.scalars())

        return self.read(found)

    def all_told(self) -> bool:
        """No fact waits to be published."""
        return self.read(outbox.lag)[0] == 0

    def waiting_for_staff(self, order_id: str) -> list[str]:
        """The verdicts of the kept callbacks of this order that staff are shown."""
        return [e.verdict for e in self.read(inbox.unresolved) if e.order_id == order_id]

    def prove(self, credits: Mapping[tuple[str, str | None], int]) -> None:
        """The invariants of every row. `credits`: what the providers were really paid."""
        assert self.read(lambda: list(ledger.faults())) == []
        assert self.read(_sums) == {}, "the ledger does not sum to zero"
        assert self.credits() == dict(credits)
        for (account, currency), total in self.read(ledger.balances).items():
            # Debits are positive: a clearing account is owed to us, all else is earned or owed.
            negative = total < 0 if account.startswith("clearing:") else total > 0
            assert not negative, f"{account} is negative: {total} {currency}"

    def eventually(self, wanted: Callable[[], bool], seconds: float) -> float:
        """Seconds until `wanted()` of the database."""
        began = time.monotonic()
        while not wanted():
            assert time.monotonic() - began < seconds, "it did not become true"
            time.sleep(0.05)
        return time.monotonic() - began


def _sums() -> dict[str, int]:
    """Currencies whose entries do not sum to zero."""
    rows = db.session.execute(
        select(entries.c.currency, func.sum(entries.c.amount)).group_by(entries.c.currency)
    )
    return {currency: int(total) for currency, total in rows if total}
