"""Two vocabularies beside our own, for the tests: what the records can carry without a branch."""

from __future__ import annotations

from typing import Any

from payments.dialects import DIALECTS, Dialect, Subject, Told
from payments.domain.facts import Fact

STATUS = {"pending": "pending", "paid": "completed", "cancelled": "cancelled"}


def _status(fact: Fact, sent_at: str) -> dict[str, Any]:
    return {
        "orderId": fact.snapshot["id"],
        "status": STATUS[fact.snapshot["status"]],
        "amount": fact.snapshot["amount"],
        "version": fact.version,
        "timestamp": sent_at,
    }


def _joined(fact: Fact, sent_at: str) -> dict[str, Any]:
    order_id = fact.snapshot["id"]
    return {"orderId": order_id, "room": f"order-{order_id}", "timestamp": sent_at}


def _room(fact: Fact) -> str:
    return f"order-{fact.snapshot['id']}"


STATUS_UPDATE = Told("payment-status-update", _room, _status, critical=True)
JOINED = Told("joined-order", _room, _joined)

ORDER = Dialect(
    name="order",
    subject=Subject.ORDER,
    id_field="orderId",
    subscribe=("join-order",),
    unsubscribe=("leave-order",),
    room=lambda order_id: f"order-{order_id}",
    facts={"order.paid": (STATUS_UPDATE,), "order.cancelled": (STATUS_UPDATE,)},
    at_once=lambda fact: (
        (JOINED,) if fact.snapshot["status"] == "pending" else (JOINED, STATUS_UPDATE)
    ),
    greeting=lambda sid, at: ("connected", {"clientId": sid, "timestamp": at}),
    replies={"ping": lambda at: ("pong", {"timestamp": at})},
)
"""The default namespace, a room of its own spelling, a greeting, a reply, the present at once."""


def _salon(fact: Fact, sent_at: str) -> dict[str, Any]:
    status = "SUCCESS" if fact.snapshot["status"] == "paid" else "PENDING"
    return {"invoiceId": fact.snapshot["id"], "status": status, "version": fact.version}


def _invoice(fact: Fact) -> str:
    return f"invoice:{fact.snapshot['id']}"


def _in_its_salon(namespace: str, snapshot: dict[str, Any]) -> bool:
    return snapshot["salon_id"] in {None, namespace.rpartition("/")[2]}


SALON = Dialect(
    name="salon",
    namespace="/ws/payments/salon/*",
    subject=Subject.ORDER,
    id_field="invoiceId",
    subscribe=("subscribe:payment-events",),
    unsubscribe=("unsubscribe:payment-events",),
    room=lambda invoice_id: f"invoice:{invoice_id}",
    facts={
        "order.paid": (
            Told("payment:status-update", _invoice, _salon),
            Told("payment:completed", _invoice, _salon),
        )
    },
    otherwise=(Told("payment:status-update", _invoice, _salon),),
    admits=_in_its_salon,
    own_room=lambda user_id: f"owner:{user_id}",
)
"""Any namespace of a kind, one fact as two events, an order that is one salon's alone."""

ALL = (*DIALECTS, ORDER, SALON)
