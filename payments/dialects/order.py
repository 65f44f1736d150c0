"""`order`: one room for each order."""

from __future__ import annotations

from payments.dialects.reading import (
    WAITING,
    about_order,
    amount,
    attempt,
    order_id,
    order_version,
    outcome,
    said_at,
    transaction_id,
)
from payments.dialects.record import Dialect, Payload, Subject, Told
from payments.domain.facts import Fact

STATUS = {
    "pending": "pending",
    "partially_paid": "pending",
    "paid": "completed",
    "refunded": "completed",
    "partially_refunded": "completed",
    "failed": "failed",
    "expired": "expired",
    "cancelled": "cancelled",
}
"""Of an order's outcome. `order-update` says what became of the order after its payment."""


def _room(named: str) -> str:
    return f"order-{named}"


def _own_room(fact: Fact) -> str:
    return _room(order_id(fact))


def _joined(fact: Fact, _sent_at: str) -> Payload:
    return {
        "orderId": order_id(fact),
        "room": _own_room(fact),
        "status": STATUS[outcome(fact)],
        "version": order_version(fact),
        "timestamp": said_at(fact),
    }


def _payment(fact: Fact, _sent_at: str) -> Payload:
    return {
        "orderId": order_id(fact),
        "status": STATUS[outcome(fact)],
        "transactionId": transaction_id(fact),
        "amount": amount(fact),
        "currency": fact.snapshot["currency"],
        "method": attempt(fact).get("provider"),
        "version": order_version(fact),
        "timestamp": said_at(fact),
    }


def _order(fact: Fact, _sent_at: str) -> Payload:
    return {
        "orderId": order_id(fact),
        "status": fact.snapshot["status"],
        "amountPaid": fact.snapshot["amount_paid"],
        "version": order_version(fact),
        "timestamp": said_at(fact),
    }


def _test(fact: Fact, _sent_at: str) -> Payload:
    return {
        "orderId": order_id(fact),
        "message": fact.about["message"],
        "version": order_version(fact),
        "timestamp": said_at(fact),
    }


JOINED = Told("joined-order", _own_room, _joined)
PAYMENT_STATUS = Told("payment-status-update", _own_room, _payment, critical=True)
ORDER_UPDATE = Told("order-update", _own_room, _order)
ANY_ORDER_UPDATE = Told(
    "order-update", lambda fact: _own_room(fact) if about_order(fact) else None, _order
)
CONNECTION_TEST = Told("connection-test", _own_room, _test)

ORDER = Dialect(
    name="order",
    subject=Subject.ORDER,
    id_field="orderId",
    subscribe=("join-order",),
    unsubscribe=("leave-order",),
    room=_room,
    facts={
        "payment.started": (PAYMENT_STATUS,),
        "payment.failed": (PAYMENT_STATUS,),
        "order.partially_paid": (PAYMENT_STATUS, ORDER_UPDATE),
        "order.paid": (PAYMENT_STATUS, ORDER_UPDATE),
        "order.expired": (PAYMENT_STATUS, ORDER_UPDATE),
        "order.cancelled": (PAYMENT_STATUS, ORDER_UPDATE),
        "live.payment": (PAYMENT_STATUS,),
        "live.order": (ORDER_UPDATE,),
        "live.test": (CONNECTION_TEST,),
        "live.room": (),
    },
    otherwise=(ANY_ORDER_UPDATE,),
    at_once=lambda fact: (JOINED,) if outcome(fact) in WAITING else (JOINED, PAYMENT_STATUS),
    answer=lambda named, events: {
        "orderId": named,
        "room": _room(named),
        "status": STATUS[events["snapshot"]["display"]],
    },
    replies={"ping": lambda at: ("pong", {"timestamp": at})},
)
