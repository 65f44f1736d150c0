"""Opens orders, starts attempts to pay them, and cancels them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import structlog

from payments.domain.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
    Unapplicable,
)
from payments.domain.money import Money
from payments.domain.notice import RUNG
from payments.domain.order import SALE, WALLET, Order, Payment, begun
from payments.domain.ports import Addresses, Payer, Started
from payments.domain.questions import FIRST_QUESTION
from payments.domain.states import Kind, OrderStatus, PaymentStatus
from payments.providers.registry import Rails
from payments.services import cards
from payments.services.access import Identity, demand
from payments.services.confirm import UPI, UTR
from payments.services.ids import new_order_id, new_reference
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody wants to pay with; the fields as in `start_payment`."""

    rails: Rails
    who: Identity
    provider: str
    payer: Payer
    return_url: str
    locale: str
    again: bool = True
    reference: str | None = None
    """The attempt's name, where it is given already: a deposit has that of its first one."""


def attempt(want: Attempt, *, order: Order | None, held: Callable[[], Order]) -> Payment:
    """`order` is what is known of it before, `held` locks or opens it, in the transaction."""
    rails, provider = want.rails, want.provider
    rail = rails.offered(provider)
    payer = cards.with_card(rails, want.who, order, provider, want.payer)

    def begin() -> tuple[Order, Payment, Payer | None]:
        order = held()
        rails.check(provider, Money(order.amount_due, order.currency))
        last = payments.last_of(order.id)
        if payer.token_id and cards.is_under_way(payments.of_order(order.id)):
            raise Conflict("A saved card is being charged.", code="payment_under_way")
        if not want.again and not payer.token_id and last and _still_good(last, provider, order):
            return order, last, None
        told = rail.check(order, payer)
        reference = want.reference or new_reference()
        payment = begun(reference, order, provider, order.amount_due, now())
        payment = replace(payment, handle=cards.trace_of(payer))
        askable = rails.able(provider, "fetch")
        payments.add(payment, ask_at=now() + FIRST_QUESTION if askable else None)
        audit.record(
            *(want.who.actor, "payment.created", order.id),
            reference=payment.reference,
            amount=payment.amount,
        )
        return order, payment, told

    order, payment, told = in_transaction(begin)
    if told is None:
        return payment
    end_read()
    to = Addresses(want.return_url, rails.callback_url(provider), want.locale)
    try:
        started = rail.start(payment, order, told, to)
    except (ProviderRefused, ProviderUnavailable) as refusal:
        log.warning("payment not taken", provider=provider, code=refusal.code, said=refusal.message)
        code = refusal.code
        in_transaction(lambda: not_taken(payment, code))
        raise
    return in_transaction(lambda: taken(payment, started))


def payable(order_id: str) -> Order:
    """The order, locked. Raises NotFound, and Conflict where it cannot be paid now."""
    order = orders.lock(order_id)
    if order is None:
        raise NotFound
    if not order.open or (order.expires_at <= now() and not order.late):
        status = order.status.value if not order.open else OrderStatus.EXPIRED.value
        raise Conflict(f"This order is {status}.", code="order_not_payable")
    return order


def _still_good(last: Payment, provider: str, order: Order) -> bool:
    """A second press of the same button gets the same code, not a second payment."""
    return (
        last.status is PaymentStatus.PENDING
        and last.provider == provider
        and last.amount == order.amount_due
        and last.action is not None
    )


def taken(payment: Payment, started: Started) -> Payment:
    """The provider has taken it: written in the caller's transaction."""
    # The provider may have called before it answered: then the attempt is past this already.
    order, current = _under_lock(payment)
    current = move_payment(
        current,
        Kind.ACCEPTED,
        action=started.action.as_dict(),
        handle={**(current.handle or {}), **started.handle} or None,
        transaction_id=current.transaction_id or started.transaction_id,
    )
    # What a provider answers stands in the inbox or here: a rebuild asks nobody.
    audit.record(
        payment.provider,
        "payment.accepted",
        order.id,
        reference=payment.reference,
        transaction=started.transaction_id,
    )
    if current.unsettled:
        move_order(order, Kind.ATTEMPT_STARTED, current)
    return current


def not_taken(payment: Payment, code: str) -> None:
    """The provider has not taken it: written in the caller's transaction."""
    order, current = _under_lock(payment)
    if current.status is PaymentStatus.CREATED:
        # Where a doorbell has rung meanwhile the provider does know of it: it is still to be asked.
        rung = RUNG in (current.handle or {})
        questions: dict[str, None] = {} if rung else {"ask_at": None}
        current = move_payment(current, Kind.FAILED, failure_code=code, **questions)
        audit.record(
            *(payment.provider, "payment.refused", order.id),
            reference=payment.reference,
            code=code,
        )
        move_order(order, Kind.ATTEMPT_FAILED, current)


def _under_lock(payment: Payment) -> tuple[Order, Payment]:
    order, current = orders.lock(payment.order_id), payments.find(payment.reference)
    if order is None or current is None:
        raise NotFound
    return order, current


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
