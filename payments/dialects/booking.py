"""`booking`: said once, when the booking is paid."""

from __future__ import annotations

from payments.dialects.reading import amount, order_id, order_version, said_at, transaction_id
from payments.dialects.record import Dialect, Payload, Subject, Told
from payments.domain.facts import Fact

PAID = frozenset({"paid", "partially_refunded"})
"""The order's statuses in which a newcomer is told of the payment. A refunded booking is none."""


def _room(booking_id: str) -> str:
    return f"booking_{booking_id}"


def _room_if_paid(fact: Fact) -> str | None:
    return _room(order_id(fact)) if fact.snapshot["status"] in PAID else None


def _paid(fact: Fact) -> Payload:
    return {
        "bookingId": order_id(fact),
        "transactionId": transaction_id(fact),
        "amount": amount(fact),
        "version": order_version(fact),
    }


SUCCESS = Told(
    "transaction_success",
    _room_if_paid,
    lambda fact, _sent_at: {**_paid(fact), "timestamp": said_at(fact)},
)
CONFIRMED = Told(
    "payment_confirmed",
    _room_if_paid,
    lambda fact, _sent_at: {**_paid(fact), "confirmed": True},
)
BOTH = (SUCCESS, CONFIRMED)

BOOKING = Dialect(
    name="booking",
    subject=Subject.ORDER,
    id_field="bookingId",
    subscribe=("subscribe_booking",),
    unsubscribe=("unsubscribe_booking",),
    room=_room,
    facts={"order.paid": BOTH, "live.payment": BOTH},
    at_once=lambda fact: BOTH if fact.snapshot["status"] in PAID else (),
    answer=lambda booking_id, _events: {"bookingId": booking_id},
)
