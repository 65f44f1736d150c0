"""The states of an order and of one attempt to pay it, and every move between them.

`TRANSITIONS` is the whole of it: what is not in the table cannot happen and is parked for staff.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class OrderStatus(Enum):
    PENDING = "pending"
    PARTIALLY_PAID = "partially_paid"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"


class PaymentStatus(Enum):
    CREATED = "created"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Kind(Enum):
    """What happened: the first group to an attempt, the second to its order."""

    ACCEPTED = "accepted"
    """The provider has taken the attempt and waits for the payer."""
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    CONFIRMED = "confirmed"
    """A member of staff has seen the money."""
    CORROBORATED = "corroborated"
    """The provider says what staff had already confirmed."""
    REPEATED = "repeated"
    """The provider says again, in another message, what it has said."""
    FAILED = "failed"
    LAPSED = "lapsed"
    """The order ended before the attempt did."""
    WITHDRAWN = "withdrawn"
    """The order was cancelled before the attempt ended."""

    ATTEMPT_STARTED = "attempt started"
    ATTEMPT_FAILED = "attempt failed"
    PART_RECEIVED = "part received"
    FULL_RECEIVED = "full amount received"
    EXCESS_RECEIVED = "more than due received"
    TIME_RAN_OUT = "time ran out"
    CANCELLED = "cancelled"
    PART_REFUNDED = "part refunded"
    ALL_REFUNDED = "all refunded"
    EXCESS_REFUNDED = "excess refunded"


class Recipe(Enum):
    """Which posting a move makes; the recipes themselves are in `domain/ledger.py`."""

    RECEIPT = "receipt"
    """What was due becomes revenue, what is over the customer's, or is held."""
    EXCESS = "excess"
    """All of it is over: to the customer's wallet, or held where there is none."""
    SUSPENSE = "suspense"
    """All of it is held: no order asks for it."""
    RECLASSIFY = "reclassify"
    """From the clearing account of confirmations by hand to the provider's own."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where a row of the table leads. `fact` None means: nothing that a page could show."""

    to: OrderStatus | PaymentStatus
    posting: Recipe | None = None
    fact: str | None = None
    late: bool = False


_O, _P, _K = OrderStatus, PaymentStatus, Kind

TRANSITIONS: dict[tuple[OrderStatus | PaymentStatus, Kind], Move] = {
    # An attempt. Success outranks everything: money that came has come.
    (_P.CREATED, _K.ACCEPTED): Move(_P.PENDING),
    (_P.CREATED, _K.PROCESSING): Move(_P.PENDING),
    (_P.CREATED, _K.SUCCEEDED): Move(_P.SUCCEEDED),
    (_P.CREATED, _K.CONFIRMED): Move(_P.SUCCEEDED),
    (_P.CREATED, _K.FAILED): Move(_P.FAILED),
    (_P.CREATED, _K.LAPSED): Move(_P.EXPIRED),
    (_P.CREATED, _K.WITHDRAWN): Move(_P.CANCELLED),
    (_P.PENDING, _K.ACCEPTED): Move(_P.PENDING),
    (_P.PENDING, _K.PROCESSING): Move(_P.PENDING),
    (_P.PENDING, _K.SUCCEEDED): Move(_P.SUCCEEDED),
    (_P.PENDING, _K.CONFIRMED): Move(_P.SUCCEEDED),
    (_P.PENDING, _K.FAILED): Move(_P.FAILED),
    (_P.PENDING, _K.LAPSED): Move(_P.EXPIRED),
    (_P.PENDING, _K.WITHDRAWN): Move(_P.CANCELLED),
    (_P.FAILED, _K.ACCEPTED): Move(_P.FAILED),
    (_P.FAILED, _K.PROCESSING): Move(_P.FAILED),
    (_P.FAILED, _K.SUCCEEDED): Move(_P.SUCCEEDED),
    (_P.FAILED, _K.CONFIRMED): Move(_P.SUCCEEDED),
    (_P.FAILED, _K.FAILED): Move(_P.FAILED),
    (_P.EXPIRED, _K.ACCEPTED): Move(_P.EXPIRED),
    (_P.EXPIRED, _K.PROCESSING): Move(_P.EXPIRED),
    (_P.EXPIRED, _K.SUCCEEDED): Move(_P.SUCCEEDED),
    (_P.EXPIRED, _K.CONFIRMED): Move(_P.SUCCEEDED),
    (_P.EXPIRED, _K.FAILED): Move(_P.EXPIRED),
    (_P.CANCELLED, _K.ACCEPTED): Move(_P.CANCELLED),
    (_P.CANCELLED, _K.PROCESSING): Move(_P.CANCELLED),
    (_P.CANCELLED, _K.SUCCEEDED): Move(_P.SUCCEEDED),
    (_P.CANCELLED, _K.FAILED): Move(_P.CANCELLED),
    (_P.SUCCEEDED, _K.ACCEPTED): Move(_P.SUCCEEDED),
    (_P.SUCCEEDED, _K.PROCESSING): Move(_P.SUCCEEDED),
    (_P.SUCCEEDED, _K.REPEATED): Move(_P.SUCCEEDED),
    (_P.SUCCEEDED, _K.CORROBORATED): Move(_P.SUCCEEDED, Recipe.RECLASSIFY),
    # An order that waits.
    (_O.PENDING, _K.ATTEMPT_STARTED): Move(_O.PENDING, fact="payment.started"),
    (_O.PENDING, _K.ATTEMPT_FAILED): Move(_O.PENDING, fact="payment.failed"),
    (_O.PENDING, _K.PART_RECEIVED): Move(_O.PARTIALLY_PAID, Recipe.RECEIPT, "order.partially_paid"),
    (_O.PENDING, _K.FULL_RECEIVED): Move(_O.PAID, Recipe.RECEIPT, "order.paid"),
    (_O.PENDING, _K.EXCESS_RECEIVED): Move(_O.PAID, Recipe.RECEIPT, "order.paid"),
    (_O.PENDING, _K.TIME_RAN_OUT): Move(_O.EXPIRED, fact="order.expired"),
    (_O.PENDING, _K.CANCELLED): Move(_O.CANCELLED, fact="order.cancelled"),
    # An order that has had some of its money.
    (_O.PARTIALLY_PAID, _K.ATTEMPT_STARTED): Move(_O.PARTIALLY_PAID, fact="payment.started"),
    (_O.PARTIALLY_PAID, _K.ATTEMPT_FAILED): Move(_O.PARTIALLY_PAID, fact="payment.failed"),
    (_O.PARTIALLY_PAID, _K.PART_RECEIVED): Move(
        _O.PARTIALLY_PAID, Recipe.RECEIPT, "order.partially_paid"
    ),
    (_O.PARTIALLY_PAID, _K.FULL_RECEIVED): Move(_O.PAID, Recipe.RECEIPT, "order.paid"),
    (_O.PARTIALLY_PAID, _K.EXCESS_RECEIVED): Move(_O.PAID, Recipe.RECEIPT, "order.paid"),
    (_O.PARTIALLY_PAID, _K.TIME_RAN_OUT): Move(_O.EXPIRED, fact="order.expired"),
    (_O.PARTIALLY_PAID, _K.CANCELLED): Move(_O.CANCELLED, fact="order.cancelled"),
    (_O.PARTIALLY_PAID, _K.PART_REFUNDED): Move(_O.PARTIALLY_PAID, fact="order.partially_refunded"),
    (_O.PARTIALLY_PAID, _K.ALL_REFUNDED): Move(_O.REFUNDED, fact="order.refunded"),
    # A paid order: a failure cannot lower it, and more money is all excess.
    (_O.PAID, _K.ATTEMPT_STARTED): Move(_O.PAID),
    (_O.PAID, _K.ATTEMPT_FAILED): Move(_O.PAID),
    (_O.PAID, _K.EXCESS_RECEIVED): Move(_O.PAID, Recipe.EXCESS, "order.overpaid"),
    (_O.PAID, _K.PART_REFUNDED): Move(_O.PARTIALLY_REFUNDED, fact="order.partially_refunded"),
    (_O.PAID, _K.ALL_REFUNDED): Move(_O.REFUNDED, fact="order.refunded"),
    (_O.PAID, _K.EXCESS_REFUNDED): Move(_O.PAID, fact="order.excess_refunded"),
    # Late money is welcome, and said to be late.
    (_O.EXPIRED, _K.ATTEMPT_STARTED): Move(_O.EXPIRED),
    (_O.EXPIRED, _K.ATTEMPT_FAILED): Move(_O.EXPIRED),
    (_O.EXPIRED, _K.PART_RECEIVED): Move(
        _O.PARTIALLY_PAID, Recipe.RECEIPT, "order.partially_paid", late=True
    ),
    (_O.EXPIRED, _K.FULL_RECEIVED): Move(_O.PAID, Recipe.RECEIPT, "order.paid", late=True),
    (_O.EXPIRED, _K.EXCESS_RECEIVED): Move(_O.PAID, Recipe.RECEIPT, "order.paid", late=True),
    (_O.EXPIRED, _K.PART_REFUNDED): Move(_O.EXPIRED, fact="order.partially_refunded"),
    (_O.EXPIRED, _K.ALL_REFUNDED): Move(_O.REFUNDED, fact="order.refunded"),
    # A cancelled order stays cancelled; what still comes is held for staff.
    (_O.CANCELLED, _K.ATTEMPT_STARTED): Move(_O.CANCELLED),
    (_O.CANCELLED, _K.ATTEMPT_FAILED): Move(_O.CANCELLED),
    (_O.CANCELLED, _K.EXCESS_RECEIVED): Move(_O.CANCELLED, Recipe.SUSPENSE, "order.payment_held"),
    (_O.CANCELLED, _K.PART_REFUNDED): Move(_O.CANCELLED, fact="order.partially_refunded"),
    (_O.CANCELLED, _K.ALL_REFUNDED): Move(_O.CANCELLED, fact="order.refunded"),
    (_O.CANCELLED, _K.EXCESS_REFUNDED): Move(_O.CANCELLED, fact="order.excess_refunded"),
    # After a refund.
    (_O.REFUNDED, _K.ATTEMPT_STARTED): Move(_O.REFUNDED),
    (_O.REFUNDED, _K.ATTEMPT_FAILED): Move(_O.REFUNDED),
    (_O.REFUNDED, _K.EXCESS_RECEIVED): Move(_O.REFUNDED, Recipe.EXCESS, "order.overpaid"),
    (_O.REFUNDED, _K.PART_REFUNDED): Move(_O.REFUNDED, fact="order.partially_refunded"),
    (_O.REFUNDED, _K.ALL_REFUNDED): Move(_O.REFUNDED, fact="order.refunded"),
    (_O.REFUNDED, _K.EXCESS_REFUNDED): Move(_O.REFUNDED, fact="order.excess_refunded"),
    (_O.PARTIALLY_REFUNDED, _K.ATTEMPT_STARTED): Move(_O.PARTIALLY_REFUNDED),
    (_O.PARTIALLY_REFUNDED, _K.ATTEMPT_FAILED): Move(_O.PARTIALLY_REFUNDED),
    (_O.PARTIALLY_REFUNDED, _K.EXCESS_RECEIVED): Move(
        _O.PARTIALLY_REFUNDED, Recipe.EXCESS, "order.overpaid"
    ),
    (_O.PARTIALLY_REFUNDED, _K.PART_REFUNDED): Move(
        _O.PARTIALLY_REFUNDED, fact="order.partially_refunded"
    ),
    (_O.PARTIALLY_REFUNDED, _K.ALL_REFUNDED): Move(_O.REFUNDED, fact="order.refunded"),
    (_O.PARTIALLY_REFUNDED, _K.EXCESS_REFUNDED): Move(
        _O.PARTIALLY_REFUNDED, fact="order.excess_refunded"
    ),
}

OPEN = frozenset({OrderStatus.PENDING, OrderStatus.PARTIALLY_PAID})
"""An order that may still be paid on its page."""

UNSETTLED = frozenset({PaymentStatus.CREATED, PaymentStatus.PENDING})
"""An attempt whose end is not known."""

ASKABLE = frozenset(PaymentStatus) - {PaymentStatus.SUCCEEDED}
"""An attempt whose money may still come: after its order's end, or after it was said to fail."""

FACTS = frozenset(move.fact for move in TRANSITIONS.values() if move.fact) | {"order.created"}
"""Every fact there is, in the past tense."""
