"""Opens orders, lets them be paid, and cancels them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog

from payments.domain.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    Unapplicable,
)
from payments.domain.money import Money
from payments.domain.order import SALE, WALLET, Order, Payment
from payments.domain.ports import Payer
from payments.domain.questions import FIRST_QUESTION
from payments.domain.states import Kind, OrderStatus
from payments.providers.registry import Rails
from payments.services.access import Identity, demand
from payments.services.attempts import Attempt, attempt, payable
from payments.services.confirm import UPI, UTR
from payments.services.ids import new_order_id
from payments.services.moves import lookup, move_order, move_payment, tell
from payments.services.wallets import wallet_payments
from payments.settings import Settings
from payments.store import audit, confirmations, orders, payments
from payments.store.db import end_read, in_transaction, now

log = structlog.get_logger()

RETURN_PAUSE = FIRST_QUESTION
"""How often a browser that comes back may make us ask."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a shop asks for; `money` has been checked by `money.price`."""

    money: Money
    description: str
    id: str | None = None
    customer_id: str | None = None
    customer_email: str | None = None
    customer_name: str | None = None
    salon_id: str | None = None
    return_url: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    expires_in: timedelta | None = None


def open_order(settings: Settings, who: Identity, new: NewOrder) -> Order:
    """Raises Conflict where the shop's own id is taken."""
    demand(who, "order.create")
    return in_transaction(lambda: opened(draft(settings, who, new), who))


def draft(settings: Settings, who: Identity, new: NewOrder, purpose: str = SALE) -> Order:
    """The order as it will be; nothing is stored yet."""
    at = now()
    return Order(
        id=new.id or new_order_id(),
        status=OrderStatus.PENDING,
        version=1,
        amount=new.money.amount,
        currency=new.money.currency,
        amount_paid=0,
        amount_excess=0,
        amount_refunded=0,
        amount_credited=0,
        purpose=purpose,
        description=new.description,
        late=False,
        customer_id=new.customer_id,
        customer_email=new.customer_email,
        customer_name=new.customer_name,
        salon_id=new.salon_id,
        return_url=new.return_url,
        metadata=new.metadata,
        created_by=who.actor,
        created_at=at,
        expires_at=at + (new.expires_in or settings.order_ttl),
        ended_at=None,
    )


def opened(order: Order, who: Identity) -> Order:
    """In the caller's transaction. Raises Conflict where the id is taken."""
    orders.add(order)
    audit.record(who.actor, "order.created", order.id)
    tell(order, "order.created")
    return order


def start_payment(
    rails: Rails,
    who: Identity,
    order_id: str,
    provider: str,
    payer: Payer,
    return_url: str,
    locale: str,
    *,
    again: bool = True,
    amount: int | None = None,
) -> Payment:
    """Begins an attempt and asks the provider to take it; `again` False returns one that waits.

    `return_url` is where the provider sends the payer's browser afterwards. `amount`: a part, out
    of the person's own wallet; the rails take all that is due.

    Raises InvalidInput for a rail or an amount that cannot be, Conflict where the order cannot be
    paid now, ProviderRefused and ProviderUnavailable: then the attempt has failed, the order not.
    """
    if provider == WALLET:
        return wallet_payments.pay(who, order_id, amount, payable)
    if amount is not None:
        raise InvalidInput("Only a wallet pays a part.", code="amount_not_taken", field="amount")
    return attempt(
        Attempt(rails, who, provider, payer, return_url, locale, again),
        order=orders.find(order_id),
        held=lambda: payable(order_id),
    )


def cancel(who: Identity, order_id: str, reason: str) -> Order:
    """Raises Conflict where the order has ended; money that still comes is then held for staff."""
    demand(who, "order.cancel")
    reason = reason.strip()
    if not 3 <= len(reason) <= 500:
        raise InvalidInput(
            "Say why, in 3 to 500 characters.", code="invalid_reason", field="reason"
        )

    def change() -> Order:
        order = orders.lock(order_id)
        if order is None:
            raise NotFound
        try:
            lookup(order.status, Kind.CANCELLED)
        except Unapplicable as fault:
            raise Conflict(f"This order is {order.status.value}.", code="order_ended") from fault
        audit.record(who.actor, "order.cancelled", order.id, reason)
        return withdraw(order)

    return in_transaction(change)


def withdraw(order: Order) -> Order:
    """In the caller's transaction."""
    close_attempts(order, Kind.WITHDRAWN)
    return move_order(order, Kind.CANCELLED)


def close_attempts(order: Order, kind: Kind) -> None:
    """The order ends: what is still unsettled ends with it, unless its money comes after all."""
    for payment in payments.of_order(order.id):
        if payment.unsettled:
            move_payment(payment, kind)


def ask_soon(order_id: str) -> None:
    """A browser says to come back from paying: the provider is asked now, however often it says."""
    last = payments.last_of(order_id)
    end_read()
    if last is not None and last.unsettled:
        in_transaction(lambda: payments.ask_about(last.reference, now(), RETURN_PAUSE))


def claim_paid(order_id: str, reference: str, note: str) -> None:
    """The customer says "I have paid already": a note to staff, that moves nothing.

    Raises InvalidInput about `reference` where a UPI payment cannot have it as its UTR, or where
    that UTR has paid before.
    """

    def change() -> None:
        last, said = payments.last_of(order_id), reference
        if last and last.provider in UPI:
            said = "".join(reference.split())
            if not UTR.fullmatch(said):
                raise InvalidInput("A UTR has 12 digits.", code="invalid_utr", field="reference")
            if confirmations.is_used(said):
                raise InvalidInput("This UTR has paid.", code="utr_used", field="reference")
        audit.record("customer", audit.CLAIMED, order_id, note, reference=said)

    in_transaction(change)
