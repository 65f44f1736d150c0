"""What the pretended bank and its feeds remember: payments in the app, lines, links of Pay2S."""

import sqlite3
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime, timedelta, timezone

from ..store import Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS bank_payments (
    id INTEGER PRIMARY KEY, pressed TEXT UNIQUE, feed TEXT NOT NULL, bin TEXT NOT NULL,
    account TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0), memo TEXT NOT NULL,
    noise TEXT NOT NULL, made_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS bank_lines (
    id INTEGER PRIMARY KEY, payment_id INTEGER NOT NULL REFERENCES bank_payments (id),
    bin TEXT NOT NULL, account TEXT NOT NULL, incoming INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0), content TEXT NOT NULL,
    reference TEXT NOT NULL UNIQUE, balance INTEGER NOT NULL, made_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS bank_lines_payment ON bank_lines (payment_id);
CREATE INDEX IF NOT EXISTS bank_lines_account ON bank_lines (account);
CREATE TABLE IF NOT EXISTS pay2s_links (
    order_id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, request_id TEXT NOT NULL UNIQUE,
    order_info TEXT NOT NULL, amount INTEGER NOT NULL, bin TEXT NOT NULL, account TEXT NOT NULL,
    shop TEXT NOT NULL, redirect_url TEXT NOT NULL, ipn_url TEXT NOT NULL,
    created_ms INTEGER NOT NULL, result_code INTEGER NOT NULL DEFAULT 9000,
    trans_id INTEGER NOT NULL DEFAULT 0, paid INTEGER NOT NULL DEFAULT 0
);
"""

VIETNAM = timezone(timedelta(hours=7), "ICT")


@dataclass(frozen=True)
class Payment:
    """One press of "pay". `pressed` marks the form it came from, so that a second click is none."""

    id: int
    pressed: str | None
    feed: str
    bin: str
    account: str
    amount: int
    memo: str
    noise: str
    made_ms: int


@dataclass(frozen=True)
class Line:
    """One line of the account's statement, in dong. `balance` is what is there after it."""

    id: int
    payment_id: int
    bin: str
    account: str
    incoming: int
    amount: int
    content: str
    reference: str
    balance: int
    made_ms: int

    @property
    def local_time(self) -> str:
        return local_time(self.made_ms)


@dataclass(frozen=True)
class Link:
    """An order at Pay2S's gateway. `result_code` 9000 while it waits; `paid` in dong."""

    order_id: str
    token: str
    request_id: str
    order_info: str
    amount: int
    bin: str
    account: str
    shop: str
    redirect_url: str
    ipn_url: str
    created_ms: int
    result_code: int = 9000
    trans_id: int = 0
    paid: int = 0


class Book:
    def __init__(self, store: Store) -> None:
        self.store = store
        store.define(SCHEMA)

    def payment(self, payment_id: int) -> Payment | None:
        rows = self.store.rows("SELECT * FROM bank_payments WHERE id = ?", payment_id)
        return Payment(**rows[0]) if rows else None

    def pressed(self, mark: str) -> Payment | None:
        rows = self.store.rows("SELECT * FROM bank_payments WHERE pressed = ?", mark)
        return Payment(**rows[0]) if rows else None

    def latest(self, most: int) -> list[Payment]:
        rows = self.store.rows(
            "SELECT * FROM bank_payments ORDER BY made_ms DESC, rowid DESC LIMIT ?", most
        )
        return [Payment(**row) for row in rows]

    def lines(self, payment_id: int) -> list[Line]:
        rows = self.store.rows(
            "SELECT * FROM bank_lines WHERE payment_id = ? ORDER BY made_ms, rowid", payment_id
        )
        return [Line(**row) for row in rows]

    def is_taken(self, number: int) -> bool:
        return bool(
            self.store.rows(
                "SELECT 1 FROM bank_lines WHERE id = ? UNION SELECT 1 FROM bank_payments"
                " WHERE id = ? UNION SELECT 1 FROM pay2s_links WHERE trans_id = ?",
                *(number, number, number),
            )
        )

    def balance(self, account: str) -> int:
        (row,) = self.store.rows(
            "SELECT coalesce(sum(CASE incoming WHEN 1 THEN amount ELSE -amount END), 0) AS sum"
            " FROM bank_lines WHERE account = ?",
            account,
        )
        return int(row["sum"])

    def link(self, order_id: str) -> Link | None:
        rows = self.store.rows("SELECT * FROM pay2s_links WHERE order_id = ?", order_id)
        return Link(**rows[0]) if rows else None

    def link_of_token(self, token: str) -> Link | None:
        rows = self.store.rows("SELECT * FROM pay2s_links WHERE token = ?", token)
        return Link(**rows[0]) if rows else None

    def link_in(self, account: str, content: str) -> Link | None:
        """The order whose memo stands in this text."""
        rows = self.store.rows(
            "SELECT * FROM pay2s_links WHERE account = ? AND instr(upper(?), upper(order_info))",
            *(account, content),
        )
        return Link(**rows[0]) if rows else None

    def is_known(self, order_id: str, request_id: str) -> bool:
        return bool(
            self.store.rows(
                "SELECT 1 FROM pay2s_links WHERE order_id = ? OR request_id = ?",
                *(order_id, request_id),
            )
        )


def add(db: sqlite3.Connection, record: Payment | Line | Link) -> None:
    """One row, in the caller's transaction."""
    names = [one.name for one in fields(record)]
    places = ", ".join("?" * len(names))
    table = {Payment: "bank_payments", Line: "bank_lines", Link: "pay2s_links"}[type(record)]
    db.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", astuple(record))  # noqa: S608


def end_link(db: sqlite3.Connection, ended: Link) -> bool:
    """Writes how the order ended. False: it had ended before."""
    done = db.execute(
        "UPDATE pay2s_links SET result_code = ?, trans_id = ?, paid = ?"
        " WHERE order_id = ? AND result_code = 9000",
        (ended.result_code, ended.trans_id, ended.paid, ended.order_id),
    )
    return done.rowcount == 1


def local_time(at_ms: int, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(VIETNAM).strftime(form)
