"""Worker: the commits of callbacks without the callbacks - the database's own price.

For each due order one transaction with the INSERTs and UPDATEs that a MoMo callback ends in, all
values made before the clock starts: no HTTP, no signature, no question, no savepoint. One
connection, one transaction after the other, by SQLAlchemy as in the application. What it leaves is
right, so that the same checks hold for it.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, insert, update

from benchmarks import worker
from benchmarks.due import AMOUNT, Due
from payments.bootstrap import create_app
from payments.domain.snapshot import payment_view, snapshot
from payments.domain.states import OrderStatus, PaymentStatus
from payments.store import orders, payments, tables
from payments.store.db import db, end_read, now


class Receipt:
    """The rows that one callback leaves."""

    def __init__(self, due: Due) -> None:
        order, payment = orders.find(due.order_id), payments.find(due.reference)
        assert order is not None
        assert payment is not None
        at, transaction = now(), str(due.transaction_id)
        self.due = due
        self.payment: dict[str, Any] = {
            "status": PaymentStatus.SUCCEEDED.value,
            "amount_received": AMOUNT,
            "transaction_id": transaction,
            "updated_at": at,
        }
        self.order: dict[str, Any] = {
            "status": OrderStatus.PAID.value,
            "version": order.version + 1,
            "amount_paid": AMOUNT,
            "ended_at": at,
        }
        paid = replace(order, **{**self.order, "status": OrderStatus.PAID})
        settled = replace(payment, **{**self.payment, "status": PaymentStatus.SUCCEEDED})
        body = due.callback.encode()
        self.inbox = {
            "provider": "momo",
            "event_id": f"{due.reference}:{transaction}:0",
            "source": "callback",
            "received_at": at,
            "headers": {"Content-Type": "application/json"},
            "body": body,
            "digest": hashlib.sha256(body).hexdigest(),
            "verdict": "applied",
            "order_id": due.order_id,
            "reference": due.reference,
            "transaction_id": transaction,
            "amount": AMOUNT,
            "currency": "VND",
        }
        self.posting = {
            "cause": f"receipt:{due.reference}",
            "order_id": due.order_id,
            "created_at": at,
        }
        self.fact = {
            "topic": f"order:{due.order_id}",
            "version": order.version + 1,
            "event": "order.paid",
            "snapshot": snapshot(paid, settled),
            "about": {"payment": payment_view(settled), "customer_id": None, "salon_id": None},
            "at": at,
            "published_at": at,
        }
        self.audit = {
            "at": at,
            "actor": "momo",
            "action": "callback.applied",
            "order_id": due.order_id,
            "detail": {"said": "succeeded"},
        }

    def write(self, connection: Connection) -> None:
        connection.execute(insert(tables.inbox).values(self.inbox))
        connection.execute(
            update(tables.payments)
            .where(tables.payments.c.reference == self.due.reference)
            .values(self.payment)
        )
        posting_id = connection.execute(
            insert(tables.postings).values(self.posting).returning(tables.postings.c.id)
        ).scalar_one()
        connection.execute(
            insert(tables.entries),
            [
                {"posting_id": posting_id, "account": account, "currency": "VND", "amount": amount}
                for account, amount in (("clearing:momo", AMOUNT), ("revenue", -AMOUNT))
            ],
        )
        connection.execute(
            update(tables.orders).where(tables.orders.c.id == self.due.order_id).values(self.order)
        )
        connection.execute(insert(tables.outbox).values(self.fact))
        connection.execute(insert(tables.audit).values(self.audit))


def main(asked: dict[str, Any]) -> dict[str, Any]:
    app = create_app()
    with app.app_context():
        receipts = [Receipt(Due(**due)) for due in asked["dues"]]
        end_read()
        db.session.remove()
        warm_up = receipts[: asked["warm_up"]]
        with db.engine.connect() as connection:
            writer = connection.execution_options(sqlite_begin="IMMEDIATE")
            for receipt in warm_up:
                with writer.begin():
                    receipt.write(writer)
            start = time.perf_counter()
            for receipt in receipts[len(warm_up) :]:
                with writer.begin():
                    receipt.write(writer)
            seconds = time.perf_counter() - start
        db.engine.dispose()
    return {"seconds": seconds, "commits": len(receipts) - len(warm_up)}


if __name__ == "__main__":
    worker.answer(main(worker.job()))
