"""An order and the attempts to pay it, as they are read; changed only through `TRANSITIONS`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from payments.domain.money import Money
from payments.domain.states import OPEN, UNSETTLED, Kind, OrderStatus, PaymentStatus

SALE, DEPOSIT = "sale", "deposit"


@dataclass(frozen=True, slots=True)
class Order:
    """Amounts in minor units of `currency`.

    Of `amount_paid`, `amount_excess` is held in suspense and `amount_credited` has gone to the
    customer's wallet. `purpose`: a `sale` earns, a `deposit` is its customer's own money.
    """

    id: str
    status: OrderStatus
    version: int
    amount: int
    currency: str
    amount_paid: int
    amount_excess: int
    amount_refunded: int
    amount_credited: int
    purpose: str
    description: str
    late: bool
    customer_id: str | None
    customer_email: str | None
    customer_name: str | None
    salon_id: str | None
    return_url: str | None
    metadata: dict[str, Any]
    created_by: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    @property
    def amount_due(self) -> int:
        return max(0, self.amount - self.amount_paid) if self.open else 0

    @property
    def excess_held(self) -> int:
        """What is still held: refunds come out of suspense first."""
        return max(0, self.amount_excess - self.amount_refunded)

    @property
    def deposit(self) -> bool:
        return self.purpose == DEPOSIT

    @property
    def open(self) -> bool:
        return self.status in OPEN

    def kind_of_receipt(self, received: int) -> Kind:
        """What `received` more minor units are to this order. Anything after the end is excess."""
        if self.status not in OPEN and self.status is not OrderStatus.EXPIRED:
            return Kind.EXCESS_RECEIVED
        missing = self.amount - self.amount_paid - received
        if missing > 0:
            return Kind.PART_RECEIVED
        return Kind.FULL_RECEIVED if missing == 0 else Kind.EXCESS_RECEIVED

    def kind_of_refund(self, refunded: int) -> Kind:
        """What giving `refunded` more minor units back is to this order."""
        kept = self.amount_paid - self.amount_credited - self.amount_refunded - refunded
        if kept <= 0:
            return Kind.ALL_REFUNDED
        return Kind.EXCESS_REFUNDED if kept >= self.amount else Kind.PART_REFUNDED


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt. `reference` is ours and goes to the provider; `amount` is what was asked for.

    `handle` is what its adapter keeps to ask about it. `asked` counts the questions.
    """

    reference: str
    order_id: str
    provider: str
    status: PaymentStatus
    amount: int
    currency: str
    amount_received: int
    transaction_id: str | None
    confirmed_by: str | None
    action: dict[str, Any] | None
    failure_code: str | None
    handle: dict[str, Any] | None
    asked: int
    created_at: datetime
    updated_at: datetime

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def unsettled(self) -> bool:
        return self.status in UNSETTLED


WALLET = "wallet"
"""The rail of payments out of a customer's own balance."""
PAID_BY = "paid_by"
"""In the handle of such an attempt: whose wallet."""


def begun(
    reference: str,
    order: Order,
    provider: str,
    amount: int,
    at: datetime,
    transaction_id: str | None = None,
) -> Payment:
    """A new attempt at `amount` minor units of the order's currency, before anybody was asked."""
    return Payment(
        reference=reference,
        order_id=order.id,
        provider=provider,
        status=PaymentStatus.CREATED,
        amount=amount,
        currency=order.currency,
        amount_received=0,
        transaction_id=transaction_id,
        confirmed_by=None,
        action=None,
        failure_code=None,
        handle=None,
        asked=0,
        created_at=at,
        updated_at=at,
    )
