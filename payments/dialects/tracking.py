"""`tracking`: one attempt, by the reference that beginning it answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from payments.dialects.reading import moved_attempt, order_id, order_version, said_at
from payments.dialects.record import Dialect, Payload, Subject, Told
from payments.domain.facts import Fact

STATUS = {
    "created": "PENDING",
    "pending": "PENDING",
    "succeeded": "SUCCESSFUL",
    "failed": "FAILED",
    "expired": "FAILED",
    "cancelled": "FAILED",
}
"""Of an attempt's status."""


def room(reference: str) -> str:
    return f"payment:{reference}"


def _room(fact: Fact) -> str | None:
    reference = moved_attempt(fact).get("reference")
    return room(reference) if reference else None


def _room_if_pending(fact: Fact) -> str | None:
    return _room(fact) if moved_attempt(fact).get("status") == "pending" else None


def _named(fact: Fact) -> Payload:
    return {
        "reference": moved_attempt(fact)["reference"],
        "orderId": order_id(fact),
        "version": order_version(fact),
        "timestamp": said_at(fact),
    }


def _status(fact: Fact, _sent_at: str) -> Payload:
    return {**_named(fact), "status": STATUS[moved_attempt(fact)["status"]]}


def _initiated(fact: Fact, _sent_at: str) -> Payload:
    found = moved_attempt(fact)
    action = found.get("action") or {}
    optional = {"operator": action.get("operator"), "ussdCode": action.get("ussd_code")}
    return {
        **_named(fact),
        "amount": found["amount"],
        "currency": found["currency"],
        **{name: value for name, value in optional.items() if value},
    }


def _end(fact: Fact, _sent_at: str) -> Payload:
    found = moved_attempt(fact)
    told = {
        **_named(fact),
        "amount": found["amount_received"] or found["amount"],
        "currency": found["currency"],
    }
    if found["status"] == "succeeded":
        return told
    return {**told, "reason": found.get("failure_code") or found["status"]}


def _each_attempt(fact: Fact) -> Sequence[Fact]:
    """The end of an order ends every attempt that still waited, and each has its own trackers."""
    closed = fact.about.get("closed") or []
    if not closed:
        return (fact,)
    return [replace(fact, about={**fact.about, "payment": one}) for one in closed]


INITIATED = Told("payment-initiated", _room_if_pending, _initiated)
CHANGED = Told("payment-status", _room, _status)
SUCCESS = Told("payment-success", _room, _end)
FAILED = Told("payment-failed", _room, _end)
COMPLETED = Told("payment-completed", _room, _status)

_PAID = (CHANGED, SUCCESS, COMPLETED)
_NOT_PAID = (CHANGED, FAILED, COMPLETED)


def _at_once(fact: Fact) -> tuple[Told, ...]:
    status = moved_attempt(fact).get("status")
    if status == "pending":
        return (INITIATED,)
    return () if status == "created" else (CHANGED,)


TRACKING = Dialect(
    name="tracking",
    subject=Subject.PAYMENT,
    id_field="reference",
    subscribe=("track-payment",),
    unsubscribe=("stop-tracking-payment",),
    room=room,
    facts={
        "payment.started": (INITIATED, CHANGED),
        "payment.failed": _NOT_PAID,
        "order.partially_paid": _PAID,
        "order.paid": _PAID,
        "order.overpaid": _PAID,
        "order.payment_held": _PAID,
        "order.expired": _NOT_PAID,
        "order.cancelled": _NOT_PAID,
        "live.payment": (CHANGED,),
    },
    parts=_each_attempt,
    at_once=_at_once,
    answer=lambda reference, events: {
        "reference": reference,
        "orderId": events["snapshot"]["id"],
    },
    greeting=lambda sid, at: ("connected", {"clientId": sid, "timestamp": at}),
)
