"""`salon`: card payments of a salon's page, in a namespace for each salon."""

from __future__ import annotations

from payments.dialects.reading import (
    WAITING,
    amount,
    attempt,
    ms,
    order_id,
    order_version,
    outcome,
    persons_room,
    room_of_person,
)
from payments.dialects.record import Dialect, Payload, Subject, Told
from payments.domain.facts import Fact

STATUS = {
    "pending": "PENDING",
    "partially_paid": "PENDING",
    "paid": "SUCCESS",
    "refunded": "SUCCESS",
    "partially_refunded": "SUCCESS",
    "failed": "FAILED",
    "expired": "FAILED",
    "cancelled": "FAILED",
}
"""Of an order's outcome. A payment that was given back later has succeeded all the same."""


def _status(fact: Fact) -> str:
    return STATUS[outcome(fact)]


def _room(invoice_id: str) -> str:
    return f"invoice:{invoice_id}"


def _update(fact: Fact, _sent_at: str) -> Payload:
    found = attempt(fact)
    return {
        "invoiceId": order_id(fact),
        "status": _status(fact),
        "timestamp": ms(fact),
        "version": order_version(fact),
        "data": {
            "amount": amount(fact),
            "currency": fact.snapshot["currency"],
            "reference": found.get("reference"),
            "provider": found.get("provider"),
        },
    }


def _token(fact: Fact, _sent_at: str) -> Payload:
    card = fact.about
    return {
        "tokenId": card["token_id"],
        "timestamp": ms(fact),
        "data": {
            "maskedCardNo": card["masked_number"],
            "cardScheme": card["scheme"],
            "exp": card["expiry"],
        },
    }


def _in_its_salon(namespace: str, snapshot: Payload) -> bool:
    return snapshot["salon_id"] in {None, namespace.removeprefix(NAMESPACE)}


NAMESPACE = "/ws/payments/salon/"

UPDATE = Told("payment:status-update", lambda fact: _room(order_id(fact)), _update)
COMPLETED = Told(
    "payment:completed",
    lambda fact: _room(order_id(fact)) if _status(fact) == "SUCCESS" else None,
    _update,
)
TOKEN_SAVED = Told("payment:token-saved", persons_room, _token)

SALON = Dialect(
    name="salon",
    namespace=f"{NAMESPACE}*",
    subject=Subject.ORDER,
    id_field="invoiceId",
    subscribe=("subscribe:payment-events",),
    unsubscribe=("unsubscribe:payment-events",),
    room=_room,
    facts={
        "payment.started": (UPDATE,),
        "payment.failed": (UPDATE,),
        "order.partially_paid": (UPDATE,),
        "order.paid": (UPDATE, COMPLETED),
        "order.expired": (UPDATE,),
        "order.cancelled": (UPDATE,),
        "live.payment": (UPDATE, COMPLETED),
        "card.saved": (TOKEN_SAVED,),
    },
    at_once=lambda fact: () if outcome(fact) in WAITING else (UPDATE,),
    answer=lambda invoice_id, events: {
        "invoiceId": invoice_id,
        "status": STATUS[events["snapshot"]["display"]],
    },
    admits=_in_its_salon,
    own_room=room_of_person,
)
