"""After the run: was the money of every callback taken, once, and nothing else?"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing

from sqlalchemy import Connection, create_engine, text

from benchmarks.due import AMOUNT, Due
from benchmarks.worker import RunFailed
from payments.store.engine import database_url as driver_url

DRAIN_SECONDS = 10.0

PAID_ONCE = text("""
    SELECT p.reference FROM payments p
    JOIN orders o ON o.id = p.order_id
    JOIN postings b ON b.cause = 'receipt:' || p.reference AND b.order_id = o.id
    JOIN inbox i ON i.reference = p.reference AND i.verdict = 'applied'
    JOIN outbox f ON f.topic = 'order:' || o.id AND f.version = 2 AND f.event = 'order.paid'
    WHERE o.status = 'paid' AND o.version = 2 AND o.amount_paid = :amount
      AND p.status = 'succeeded' AND p.amount_received = :amount AND p.transaction_id IS NOT NULL
""")
"""A second posting, callback or fact of an order would show it here twice."""

TOTALS = {
    "orders paid": text("SELECT count(*) FROM orders WHERE amount_paid <> 0"),
    "attempts succeeded": text("SELECT count(*) FROM payments WHERE status = 'succeeded'"),
    "postings": text("SELECT count(*) FROM postings"),
    "callbacks kept": text("SELECT count(*) FROM inbox"),
    "facts of payment": text("SELECT count(*) FROM outbox WHERE event = 'order.paid'"),
}
UNTOLD = text("SELECT count(*) FROM outbox WHERE published_at IS NULL")


def check_paychime(database_url: str, paid: Sequence[Due]) -> None:
    """Raises RunFailed."""
    engine = create_engine(driver_url(database_url))
    try:
        with engine.connect() as connection:
            _exactly(
                [row[0] for row in connection.execute(PAID_ONCE, {"amount": AMOUNT})],
                [due.reference for due in paid],
            )
            for what, query in TOTALS.items():
                found = connection.execute(query).scalar_one()
                if found != len(paid):
                    raise RunFailed(f"{what}: {found}, after {len(paid)} callbacks")
            _all_told(connection)
    finally:
        engine.dispose()


def _all_told(connection: Connection) -> None:
    end = time.monotonic() + DRAIN_SECONDS
    while untold := connection.execute(UNTOLD).scalar_one():
        connection.rollback()
        if time.monotonic() > end:
            raise RunFailed(f"{untold} facts were never told")
        time.sleep(0.1)


def check_peer(path: str, paid: Sequence[Due]) -> None:
    """Raises RunFailed."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT reference FROM orders WHERE status = 'paid'").fetchall()
    _exactly([reference for (reference,) in rows], [due.reference for due in paid])


def _exactly(found: list[str], expected: list[str]) -> None:
    if sorted(found) != sorted(expected):
        unpaid, strange = set(expected) - set(found), set(found) - set(expected)
        raise RunFailed(
            f"{len(expected)} callbacks, {len(found)} payments: "
            f"{len(unpaid)} of them unpaid, {len(strange)} paid without a callback"
        )
