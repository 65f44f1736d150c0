"""Worker: orders of Paychime that a MoMo attempt has been begun for, as the services leave them.

The first is made by the services. The others are copies of its rows under ids of their own, which
is what makes thousands of them in seconds. Their facts are told already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Flask
from sqlalchemy import Table, insert, select, update

from benchmarks import worker
from benchmarks.due import AMOUNT, Due
from payments.bootstrap import create_app
from payments.domain.money import Money
from payments.domain.order import Order, Payment
from payments.domain.states import PaymentStatus
from payments.front.request import House
from payments.services.access import Identity
from payments.services.checkout import NewOrder, open_order
from payments.services.ids import new_order_id, new_reference
from payments.store import payments, tables
from payments.store.db import db, in_transaction, now

SHOP = Identity("key", key_name="benchmark")


def house_of(app: Flask) -> House:
    house: House = app.extensions["paychime"]
    return house


def begin_one(house: House) -> tuple[Order, Payment]:
    new = NewOrder(Money(AMOUNT, "VND"), "Two coffees and a croissant")
    order = open_order(house.settings, SHOP, new)
    payment = Payment(
        reference=new_reference(),
        order_id=order.id,
        provider="momo",
        status=PaymentStatus.PENDING,
        amount=order.amount_due,
        currency=order.currency,
        amount_received=0,
        transaction_id=None,
        confirmed_by=None,
        action={"type": "qr", "qr": "00020101021238570010A000000727"},
        handle=None,
        failure_code=None,
        asked=0,
        created_at=now(),
        updated_at=now(),
    )
    in_transaction(lambda: payments.add(payment))
    return order, payment


def _rows(table: Table, column: str, value: str) -> list[dict[str, Any]]:
    """Without their numbers, which the database gives."""
    numbers = [key for key in table.primary_key if key.autoincrement is True]
    columns = [one for one in table.c if one not in numbers]
    found = db.session.execute(select(*columns).where(table.c[column] == value))
    return [dict(row._mapping) for row in found]


def _renamed(value: Any, names: dict[str, str]) -> Any:
    """The value with every old name in it replaced, however deep."""
    if isinstance(value, dict):
        return {key: _renamed(part, names) for key, part in value.items()}
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
    return value


def copy(order: Order, payment: Payment, names: Sequence[tuple[str, str]]) -> None:
    """The rows of the template once more for each pair of an order's id and a reference."""
    topic = f"order:{order.id}"
    originals = [
        (tables.orders, _rows(tables.orders, "id", order.id)),
        (tables.payments, _rows(tables.payments, "reference", payment.reference)),
        (tables.outbox, _rows(tables.outbox, "topic", topic)),
        (tables.audit, _rows(tables.audit, "order_id", order.id)),
    ]
    for table, rows in originals:
        copies = [
            _renamed(row, {order.id: order_id, payment.reference: reference})
            for order_id, reference in names
            for row in rows
        ]
        db.session.execute(insert(table), copies)


def main(asked: dict[str, Any]) -> dict[str, Any]:
    app = create_app()
    house = house_of(app)
    with app.app_context():
        order, payment = begin_one(house)
        names = [(new_order_id(), new_reference()) for _ in range(asked["count"] - 1)]
        if names:
            in_transaction(lambda: copy(order, payment, names))
        in_transaction(lambda: db.session.execute(update(tables.outbox).values(published_at=now())))
        db.session.remove()
        db.engine.dispose()
    dues = [
        Due(order_id, reference, house.tokens.watch(order_id))
        for order_id, reference in [(order.id, payment.reference), *names]
    ]
    return {"dues": [due.as_dict() for due in dues]}


if __name__ == "__main__":
    worker.answer(main(worker.job()))
