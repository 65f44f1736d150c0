"""The transactions that the pretended CamPay has taken: money asked for, and money sent."""

import sqlite3
from dataclasses import astuple, dataclass, fields
from typing import Any

from ..courier import now_ms
from ..store import Store
from . import wire

SCHEMA = """
CREATE TABLE IF NOT EXISTS campay_transactions (
    reference TEXT PRIMARY KEY, endpoint TEXT NOT NULL CHECK (endpoint IN ('collect', 'withdraw')),
    amount INTEGER NOT NULL CHECK (amount > 0), phone TEXT NOT NULL, operator TEXT NOT NULL,
    description TEXT NOT NULL, external_reference TEXT, external_user TEXT, code TEXT NOT NULL,
    operator_reference TEXT NOT NULL, created_ms INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('PENDING', 'SUCCESSFUL', 'FAILED')),
    reason TEXT, decided_ms INTEGER
);
CREATE INDEX IF NOT EXISTS campay_external ON campay_transactions (endpoint, external_reference);
"""

PENDING = "PENDING"
PAID = "SUCCESSFUL"
FAILED = "FAILED"


@dataclass(frozen=True)
class Transaction:
    """`amount` in francs, times in ms since the epoch. `status` is how it ends at `decided_ms`,
    which may lie ahead where money is sent; None: the payer has not decided."""

    reference: str
    endpoint: str
    amount: int
    phone: str
    operator: str
    description: str
    external_reference: str | None
    external_user: str | None
    code: str
    operator_reference: str
    created_ms: int
    status: str = PENDING
    reason: str | None = None
    decided_ms: int | None = None

    @property
    def state(self) -> str:
        """The status that anybody may see now."""
        ended = self.decided_ms is not None and self.decided_ms <= now_ms()
        return self.status if ended else PENDING

    @property
    def fee(self) -> int:
        """Two in a hundred, rounded up: CamPay's own is not public."""
        return -(-self.amount * 2 // 100)

    def told(self) -> dict[str, Any]:
        """As `GET /transaction/` tells it: absent values are the text None."""
        ended = self.state != PENDING
        net = self.amount - self.fee if self.endpoint == "collect" else self.amount
        return {
            "reference": self.reference,
            "external_reference": str(self.external_reference),
            "status": self.state,
            "amount": f"{self.amount}.00",
            "app_amount": f"{net}.00",
            "currency": wire.CURRENCY,
            "operator": self.operator,
            "code": self.code,
            "operator_reference": self.operator_reference if ended else "None",
            "endpoint": self.endpoint,
            "external_user": str(self.external_user),
            "phone_number": self.phone,
            "reason": str(self.reason if ended else None),
        }


class Book:
    def __init__(self, store: Store) -> None:
        self.store = store
        store.define(SCHEMA)

    def find(self, reference: str) -> Transaction | None:
        return self._one("SELECT * FROM campay_transactions WHERE reference = ?", reference)

    def named(self, endpoint: str, external_reference: str) -> Transaction | None:
        """The first that the merchant has called so."""
        return self._one(
            "SELECT * FROM campay_transactions WHERE endpoint = ? AND external_reference = ?"
            " ORDER BY rowid LIMIT 1",
            *(endpoint, external_reference),
        )

    def _one(self, sql: str, *values: str) -> Transaction | None:
        rows = self.store.rows(sql, *values)
        return Transaction(**rows[0]) if rows else None

    def latest(self, most: int) -> list[Transaction]:
        rows = self.store.rows(
            "SELECT * FROM campay_transactions ORDER BY created_ms DESC, rowid DESC LIMIT ?", most
        )
        return [Transaction(**row) for row in rows]

    def between(self, from_ms: int, to_ms: int) -> list[Transaction]:
        rows = self.store.rows(
            "SELECT * FROM campay_transactions WHERE created_ms >= ? AND created_ms < ?"
            " ORDER BY rowid",
            *(from_ms, to_ms),
        )
        return [Transaction(**row) for row in rows]


def add(db: sqlite3.Connection, one: Transaction) -> None:
    """One row, in the caller's transaction."""
    names = [field.name for field in fields(one)]
    places = ", ".join("?" * len(names))
    db.execute(
        f"INSERT INTO campay_transactions ({', '.join(names)}) VALUES ({places})",  # noqa: S608
        astuple(one),
    )


def decide(db: sqlite3.Connection, one: Transaction) -> bool:
    """Write the decision that `one` carries. False: somebody decided before."""
    done = db.execute(
        "UPDATE campay_transactions SET status = ?, reason = ?, decided_ms = ?"
        " WHERE reference = ? AND decided_ms IS NULL",
        (one.status, one.reason, one.decided_ms, one.reference),
    )
    return done.rowcount == 1
