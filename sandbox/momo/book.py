"""The payments, refunds and requests that the pretended MoMo has taken."""

import sqlite3
from dataclasses import astuple, dataclass, fields
from typing import Any

from ..store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS momo_payments (
    order_id TEXT PRIMARY KEY, request_id TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0),
    order_info TEXT NOT NULL, redirect_url TEXT NOT NULL, ipn_url TEXT NOT NULL,
    request_type TEXT NOT NULL, extra_data TEXT NOT NULL, lang TEXT NOT NULL, shop TEXT NOT NULL,
    created_ms INTEGER NOT NULL, result_code INTEGER NOT NULL, trans_id INTEGER NOT NULL,
    pay_type TEXT NOT NULL, payment_option TEXT NOT NULL, decided_ms INTEGER, left_ms INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS momo_payments_trans_id
    ON momo_payments (trans_id) WHERE trans_id != 0;
CREATE TABLE IF NOT EXISTS momo_refunds (
    order_id TEXT PRIMARY KEY, purchase_id TEXT NOT NULL REFERENCES momo_payments (order_id),
    amount INTEGER NOT NULL CHECK (amount > 0), trans_id INTEGER NOT NULL UNIQUE,
    result_code INTEGER NOT NULL, created_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS momo_requests (
    request_id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, result_code INTEGER NOT NULL,
    answer TEXT NOT NULL
);
"""

WAITING = 1000
PAID = 0
DENIED = 1006
STATES = {WAITING: "waiting", PAID: "paid", DENIED: "declined"}


@dataclass(frozen=True)
class Payment:
    """`amount` in dong; times in ms since the epoch; `trans_id` 0 and `decided_ms` None until the
    customer has decided; `payment_option` is empty where MoMo would not send one."""

    order_id: str
    request_id: str
    amount: int
    order_info: str
    redirect_url: str
    ipn_url: str
    request_type: str
    extra_data: str
    lang: str
    shop: str
    created_ms: int
    result_code: int = WAITING
    trans_id: int = 0
    pay_type: str = ""
    payment_option: str = ""
    decided_ms: int | None = None
    left_ms: int | None = None

    @property
    def state(self) -> str:
        return STATES[self.result_code]


@dataclass(frozen=True)
class Refund:
    """`order_id` is the refund's own; `purchase_id` the orderId of the payment."""

    order_id: str
    purchase_id: str
    amount: int
    trans_id: int
    result_code: int
    created_ms: int


@dataclass(frozen=True)
class Remembered:
    """A request that was answered: who sends it again gets `answer` (JSON), or code 40."""

    request_id: str
    fingerprint: str
    result_code: int
    answer: str


class Book:
    def __init__(self, store: Store) -> None:
        self.store = store
        store.define(SCHEMA)

    def payment(self, order_id: str) -> Payment | None:
        rows = self.store.rows("SELECT * FROM momo_payments WHERE order_id = ?", order_id)
        return Payment(**rows[0]) if rows else None

    def payment_of_transaction(self, trans_id: int) -> Payment | None:
        rows = self.store.rows(
            "SELECT * FROM momo_payments WHERE trans_id = ? AND decided_ms IS NOT NULL", trans_id
        )
        return Payment(**rows[0]) if rows else None

    def latest(self, most: int) -> list[Payment]:
        rows = self.store.rows(
            "SELECT * FROM momo_payments ORDER BY created_ms DESC, rowid DESC LIMIT ?", most
        )
        return [Payment(**row) for row in rows]

    def refunds(self, purchase_id: str) -> list[Refund]:
        rows = self.store.rows(
            "SELECT * FROM momo_refunds WHERE purchase_id = ? ORDER BY rowid", purchase_id
        )
        return [Refund(**row) for row in rows]

    def remembered(self, request_id: str) -> Remembered | None:
        rows = self.store.rows("SELECT * FROM momo_requests WHERE request_id = ?", request_id)
        return Remembered(**rows[0]) if rows else None

    def is_order_taken(self, order_id: str) -> bool:
        """Payments and refunds share one space of orderIds (MoMo docs, refund)."""
        found = self.store.rows(
            "SELECT 1 FROM momo_payments WHERE order_id = ?"
            " UNION SELECT 1 FROM momo_refunds WHERE order_id = ?",
            *(order_id, order_id),
        )
        return bool(found)

    def is_transaction_taken(self, trans_id: int) -> bool:
        found = self.store.rows(
            "SELECT 1 FROM momo_payments WHERE trans_id = ?"
            " UNION SELECT 1 FROM momo_refunds WHERE trans_id = ?",
            *(trans_id, trans_id),
        )
        return bool(found)


def add(db: sqlite3.Connection, record: Payment | Refund | Remembered) -> None:
    """One row, in the caller's transaction."""
    names = [one.name for one in fields(record)]
    places = ", ".join("?" * len(names))
    statement = f"INSERT INTO {TABLES[type(record)]} ({', '.join(names)}) VALUES ({places})"  # noqa: S608
    db.execute(statement, astuple(record))


def decide(db: sqlite3.Connection, payment: Payment) -> bool:
    """Write the decision that `payment` carries. False: somebody decided before."""
    done = db.execute(
        "UPDATE momo_payments SET result_code = ?, trans_id = ?, pay_type = ?, payment_option = ?,"
        " decided_ms = ? WHERE order_id = ? AND decided_ms IS NULL",
        (
            *(payment.result_code, payment.trans_id, payment.pay_type, payment.payment_option),
            *(payment.decided_ms, payment.order_id),
        ),
    )
    return done.rowcount == 1


def leave(db: sqlite3.Connection, order_id: str, at_ms: int) -> bool:
    """The customer went away; the payment stays open. False: it was decided before."""
    done = db.execute(
        "UPDATE momo_payments SET left_ms = ? WHERE order_id = ? AND decided_ms IS NULL",
        (at_ms, order_id),
    )
    return done.rowcount == 1


TABLES: dict[type[Any], str] = {
    Payment: "momo_payments",
    Refund: "momo_refunds",
    Remembered: "momo_requests",
}
