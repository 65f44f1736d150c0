"""An attempt to pay an order: begun, asked of the provider, taken by it or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from payments.domain.errors import Conflict, NotFound, ProviderRefused, ProviderUnavailable
from payments.domain.money import Money
from payments.domain.notice import RUNG
from payments.domain.order import Order, Payment, begun
from payments.domain.ports import Addresses, Payer, Started
from payments.domain.questions import FIRST_QUESTION
from payments.domain.states import Kind, OrderStatus, PaymentStatus
from payments.providers.registry import Rails
from payments.services import cards
from payments.services.access import Identity
from payments.services.ids import new_reference
from payments.services.moves import move_order, move_payment
from payments.store import audit, orders, payments
from payments.store.db import end_read, in_transaction, now

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody wants to pay with; the fields as in `checkout.start_payment`."""

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
    """`order` is what is known of it before, `held` locks or opens it, in the transaction.

    Raises ProviderRefused and ProviderUnavailable with the `order_id` that waits for another try.
    """
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
        refusal.facts["order_id"] = order.id
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
