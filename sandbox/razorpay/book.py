"""What the pretended Razorpay has taken: codes, links and orders, payments, refunds."""

import json
import sqlite3
from dataclasses import astuple, dataclass, fields
from typing import Any

from ..store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS razorpay_asked (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('qr_code', 'payment_link', 'order')),
    amount INTEGER NOT NULL CHECK (amount > 0), reference TEXT NOT NULL, order_id TEXT,
    body TEXT NOT NULL, created_s INTEGER NOT NULL, closes_s INTEGER, state TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS razorpay_asked_link
    ON razorpay_asked (reference) WHERE kind = 'payment_link' AND reference != '';
CREATE TABLE IF NOT EXISTS razorpay_orders (
    id TEXT PRIMARY KEY, amount INTEGER NOT NULL, receipt TEXT NOT NULL, notes TEXT NOT NULL,
    created_s INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS razorpay_payments (
    id TEXT PRIMARY KEY, ask_id TEXT, order_id TEXT, amount INTEGER NOT NULL CHECK (amount > 0),
    status TEXT NOT NULL, reason TEXT NOT NULL, vpa TEXT NOT NULL, rrn TEXT NOT NULL,
    description TEXT NOT NULL, notes TEXT NOT NULL, created_s INTEGER NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS razorpay_payments_once
    ON razorpay_payments (ask_id) WHERE status = 'captured';
CREATE TABLE IF NOT EXISTS razorpay_refunds (
    id TEXT PRIMARY KEY, payment_id TEXT NOT NULL REFERENCES razorpay_payments (id),
    amount INTEGER NOT NULL CHECK (amount > 0), receipt TEXT, notes TEXT NOT NULL,
    idempotency TEXT, fingerprint TEXT NOT NULL, created_s INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL, ends_as TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS razorpay_refunds_once ON razorpay_refunds (idempotency);
CREATE TABLE IF NOT EXISTS razorpay_account (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

OPEN, PAID, CLOSED = "open", "paid", "closed"
CAPTURED, FAILED = "captured", "failed"


@dataclass(frozen=True)
class Ask:
    """A QR code, a payment link, or an order that the merchant made for the hosted page.

    `amount` in paise; `body` is what the merchant sent, in JSON, and for an order what the browser
    brought to its page too. `reference` is the merchant's own number, where it gave one.
    """

    id: str
    kind: str
    amount: int
    reference: str
    order_id: str | None
    body: str
    created_s: int
    closes_s: int | None
    state: str = OPEN

    @property
    def said(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def is_link(self) -> bool:
        return self.kind == "payment_link"

    @property
    def is_order(self) -> bool:
        return self.kind == "order"

    @property
    def has_page(self) -> bool:
        """Paid on a page of Razorpay's, not in the payer's own app."""
        return self.kind != "qr_code"

    @property
    def noun(self) -> str:
        return {"qr_code": "QR code", "payment_link": "Payment link", "order": "Order"}[self.kind]


@dataclass(frozen=True)
class Order:
    id: str
    amount: int
    receipt: str
    notes: str
    created_s: int


@dataclass(frozen=True)
class Payment:
    """`reason` is empty unless it failed; `rrn` is what the payer's app calls UTR."""

    id: str
    ask_id: str | None
    order_id: str | None
    amount: int
    status: str
    reason: str
    vpa: str
    rrn: str
    description: str
    notes: str
    created_s: int


@dataclass(frozen=True)
class Refund:
    """It is pending until `ends_ms`, then `ends_as`."""

    id: str
    payment_id: str
    amount: int
    receipt: str | None
    notes: str
    idempotency: str | None
    fingerprint: str
    created_s: int
    ends_ms: int
    ends_as: str

    def status(self, at_ms: int) -> str:
        return self.ends_as if at_ms >= self.ends_ms else "pending"


class Book:
    def __init__(self, store: Store) -> None:
        self.store = store
        store.define(SCHEMA)

    def ask(self, name: str) -> Ask | None:
        """By its id, or by the merchant's reference: the newest of that."""
        rows = self.store.rows(
            "SELECT * FROM razorpay_asked WHERE id = ? OR (reference = ? AND reference != '')"
            " ORDER BY rowid DESC LIMIT 1",
            *(name, name),
        )
        return Ask(**rows[0]) if rows else None

    def link_of(self, reference: str) -> Ask | None:
        rows = self.store.rows(
            "SELECT * FROM razorpay_asked WHERE kind = 'payment_link' AND reference = ?", reference
        )
        return Ask(**rows[0]) if rows else None

    def latest(self, most: int) -> list[Ask]:
        rows = self.store.rows("SELECT * FROM razorpay_asked ORDER BY rowid DESC LIMIT ?", most)
        return [Ask(**row) for row in rows]

    def order(self, order_id: str) -> Order | None:
        rows = self.store.rows("SELECT * FROM razorpay_orders WHERE id = ?", order_id)
        return Order(**rows[0]) if rows else None

    def payment(self, payment_id: str) -> Payment | None:
        rows = self.store.rows("SELECT * FROM razorpay_payments WHERE id = ?", payment_id)
        return Payment(**rows[0]) if rows else None

    def payments(self, column: str, value: str) -> list[Payment]:
        """Of an ask or an order (`column`: ask_id, order_id), newest first as Razorpay lists."""
        statement = f"SELECT * FROM razorpay_payments WHERE {column} = ? ORDER BY rowid DESC"  # noqa: S608
        return [Payment(**row) for row in self.store.rows(statement, value)]

    def refunds(self, payment_id: str) -> list[Refund]:
        rows = self.store.rows(
            "SELECT * FROM razorpay_refunds WHERE payment_id = ? ORDER BY rowid", payment_id
        )
        return [Refund(**row) for row in rows]

    def refund_by(self, column: str, value: str) -> Refund | None:
        """`column`: id, idempotency."""
        rows = self.store.rows(f"SELECT * FROM razorpay_refunds WHERE {column} = ?", value)  # noqa: S608
        return Refund(**rows[0]) if rows else None

    def count(self, table: str) -> int:
        (row,) = self.store.rows(f"SELECT count(*) FROM razorpay_{table}")  # noqa: S608
        return int(row[0])

    def setting(self, name: str, default: str) -> str:
        rows = self.store.rows("SELECT value FROM razorpay_account WHERE name = ?", name)
        return str(rows[0]["value"]) if rows else default


def add(db: sqlite3.Connection, record: Ask | Order | Payment | Refund) -> None:
    """One row, in the caller's transaction."""
    names = [one.name for one in fields(record)]
    places = ", ".join("?" * len(names))
    statement = f"INSERT INTO {TABLES[type(record)]} ({', '.join(names)}) VALUES ({places})"  # noqa: S608
    db.execute(statement, astuple(record))


def move(db: sqlite3.Connection, ask: Ask, state: str) -> bool:
    """From open to `state`. False: it was not open any more."""
    done = db.execute(
        "UPDATE razorpay_asked SET state = ? WHERE id = ? AND state = ?", (state, ask.id, OPEN)
    )
    return done.rowcount == 1


def brought(db: sqlite3.Connection, ask: Ask, fields: dict[str, str]) -> None:
    """What a browser has brought to an order's page: the last one counts."""
    body = json.dumps({**ask.said, **fields})
    db.execute("UPDATE razorpay_asked SET body = ? WHERE id = ?", (body, ask.id))


def set_up(db: sqlite3.Connection, name: str, value: str) -> None:
    db.execute("INSERT OR REPLACE INTO razorpay_account VALUES (?, ?)", (name, value))


TABLES: dict[type[Any], str] = {
    Ask: "razorpay_asked",
    Order: "razorpay_orders",
    Payment: "razorpay_payments",
    Refund: "razorpay_refunds",
}
