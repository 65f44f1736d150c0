"""What the pretended PAYable remembers. Never a card's number: only what is shown of it."""

import sqlite3
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

from ..store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS payable_payments (
    invoice_id TEXT PRIMARY KEY, uid TEXT NOT NULL UNIQUE, indicator TEXT NOT NULL,
    amount TEXT NOT NULL, currency TEXT NOT NULL, description TEXT NOT NULL,
    return_url TEXT NOT NULL, webhook_url TEXT NOT NULL, customer_ref TEXT NOT NULL,
    custom1 TEXT NOT NULL, custom2 TEXT NOT NULL, environment TEXT NOT NULL,
    created_ms INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'paid', 'declined')),
    order_id TEXT NOT NULL, transaction_id TEXT NOT NULL UNIQUE, scheme TEXT NOT NULL,
    masked TEXT NOT NULL, customer_id TEXT NOT NULL, decided_ms INTEGER, left_ms INTEGER
);
CREATE TABLE IF NOT EXISTS payable_customers (
    customer_ref TEXT PRIMARY KEY, customer_id TEXT NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS payable_cards (
    token_id TEXT PRIMARY KEY, customer_id TEXT NOT NULL, name TEXT NOT NULL, masked TEXT NOT NULL,
    scheme TEXT NOT NULL, exp TEXT NOT NULL, created_ms INTEGER NOT NULL, next_switches TEXT,
    UNIQUE (customer_id, name, exp)
);
CREATE TABLE IF NOT EXISTS payable_nicknames (token_id TEXT PRIMARY KEY, nickname TEXT NOT NULL);
"""

WAITING, PAID, DECLINED = "waiting", "paid", "declined"


@dataclass(frozen=True)
class Payment:
    """`amount` as it was sent. `customer_ref` where the card is to be kept or was a kept one."""

    invoice_id: str
    uid: str
    indicator: str
    amount: str
    currency: str
    description: str
    return_url: str
    webhook_url: str
    customer_ref: str
    custom1: str
    custom2: str
    environment: str
    created_ms: int
    order_id: str
    transaction_id: str
    state: str = WAITING
    scheme: str = ""
    masked: str = ""
    customer_id: str = ""
    decided_ms: int | None = None
    left_ms: int | None = None


@dataclass(frozen=True)
class Card:
    """`name` is the test card's. `next_switches`: JSON, how the next charge is told."""

    token_id: str
    customer_id: str
    name: str
    masked: str
    scheme: str
    exp: str
    created_ms: int
    next_switches: str | None = None


class Book:
    def __init__(self, store: Store) -> None:
        self.store = store
        store.define(SCHEMA)

    def payment(self, invoice_id: str) -> Payment | None:
        return self._payment("SELECT * FROM payable_payments WHERE invoice_id = ?", invoice_id)

    def payment_of_page(self, uid: str) -> Payment | None:
        return self._payment("SELECT * FROM payable_payments WHERE uid = ?", uid)

    def _payment(self, query: str, value: str) -> Payment | None:
        rows = self.store.rows(query, value)
        return Payment(**rows[0]) if rows else None

    def latest(self, most: int) -> list[Payment]:
        rows = self.store.rows(
            "SELECT * FROM payable_payments ORDER BY created_ms DESC, rowid DESC LIMIT ?", most
        )
        return [Payment(**row) for row in rows]

    def customer_ref(self, customer_id: str) -> str | None:
        rows = self.store.rows(
            "SELECT customer_ref FROM payable_customers WHERE customer_id = ?", customer_id
        )
        return str(rows[0][0]) if rows else None

    def cards(self, customer_id: str) -> list[Card]:
        rows = self.store.rows(
            "SELECT * FROM payable_cards WHERE customer_id = ? ORDER BY rowid", customer_id
        )
        return [Card(**row) for row in rows]

    def all_cards(self, most: int) -> list[Card]:
        rows = self.store.rows("SELECT * FROM payable_cards ORDER BY rowid DESC LIMIT ?", most)
        return [Card(**row) for row in rows]

    def nicknames(self) -> dict[str, str]:
        """By token."""
        rows = self.store.rows("SELECT token_id, nickname FROM payable_nicknames")
        return {row["token_id"]: row["nickname"] for row in rows}

    def card(self, token_id: str) -> Card | None:
        rows = self.store.rows("SELECT * FROM payable_cards WHERE token_id = ?", token_id)
        return Card(**rows[0]) if rows else None


def add_payment(db: sqlite3.Connection, payment: Payment) -> None:
    names = [one.name for one in fields(Payment)]
    places = ", ".join("?" * len(names))
    statement = f"INSERT INTO payable_payments ({', '.join(names)}) VALUES ({places})"  # noqa: S608
    db.execute(statement, astuple(payment))


def decide(db: sqlite3.Connection, payment: Payment) -> bool:
    """Write the decision that `payment` carries. False: somebody decided before."""
    done = db.execute(
        "UPDATE payable_payments SET state = ?, scheme = ?, masked = ?, customer_id = ?,"
        " decided_ms = ? WHERE invoice_id = ? AND decided_ms IS NULL",
        (
            *(payment.state, payment.scheme, payment.masked, payment.customer_id),
            *(payment.decided_ms, payment.invoice_id),
        ),
    )
    return done.rowcount == 1


def leave(db: sqlite3.Connection, invoice_id: str, at_ms: int) -> bool:
    done = db.execute(
        "UPDATE payable_payments SET left_ms = ? WHERE invoice_id = ? AND decided_ms IS NULL",
        (at_ms, invoice_id),
    )
    return done.rowcount == 1


def customer(db: sqlite3.Connection, reference: str, fresh_id: str) -> str:
    """The customer's id at PAYable: one for each reference of the merchant's."""
    db.execute(
        "INSERT INTO payable_customers (customer_ref, customer_id) VALUES (?, ?)"
        " ON CONFLICT DO NOTHING",
        (reference, fresh_id),
    )
    found = db.execute(
        "SELECT customer_id FROM payable_customers WHERE customer_ref = ?", (reference,)
    ).fetchone()
    return str(found[0])


def keep(db: sqlite3.Connection, card: Card) -> None:
    """The same card kept twice is one."""
    values: Mapping[str, Any] = {one.name: getattr(card, one.name) for one in fields(Card)}
    db.execute(
        "INSERT INTO payable_cards (token_id, customer_id, name, masked, scheme, exp, created_ms)"
        " VALUES (:token_id, :customer_id, :name, :masked, :scheme, :exp, :created_ms)"
        " ON CONFLICT DO NOTHING",
        values,
    )


def remove(db: sqlite3.Connection, token_id: str) -> None:
    db.execute("DELETE FROM payable_cards WHERE token_id = ?", (token_id,))
    db.execute("DELETE FROM payable_nicknames WHERE token_id = ?", (token_id,))


def nickname(db: sqlite3.Connection, token_id: str, name: str) -> None:
    db.execute("INSERT OR REPLACE INTO payable_nicknames VALUES (?, ?)", (token_id, name))


def plan(db: sqlite3.Connection, token_id: str, switches: str | None) -> None:
    """How the next charge of this card is told to the merchant."""
    db.execute(
        "UPDATE payable_cards SET next_switches = ? WHERE token_id = ?", (switches, token_id)
    )
