"""Gives money back: promised in one transaction, asked of the provider, ended in another."""

from __future__ import annotations

import structlog

from payments.domain import ledger as bookkeeping
from payments.domain.errors import (
    Conflict,
    InvalidAmount,
    InvalidInput,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.money import Money
from payments.domain.order import Order, Payment
from payments.domain.states import PaymentStatus
from payments.providers.registry import Rails
from payments.services.access import Identity, demand
from payments.services.ids import new_id
from payments.services.moves import move_order
from payments.store import audit, ledger, orders, payments, refunds
from payments.store.db import end_read, in_transaction
from payments.store.refunds import Refund

log = structlog.get_logger()


def refund(
    rails: Rails, who: Identity, order_id: str, amount: int | None, reason: str
) -> list[Refund]:
    """Refunds `amount` minor units, or all that is left, from the newest payments back.

    Where the rail cannot refund, the refund stays `requested` until staff have paid it by hand.
    Raises Forbidden, NotFound, InvalidAmount, Conflict, ProviderRefused.
    """
    demand(who, "order.refund")
    reason = reason.strip()
    if not 3 <= len(reason) <= 500:
        raise InvalidInput(
            "Say why, in 3 to 500 characters.", code="invalid_reason", field="reason"
        )
    promised = in_transaction(lambda: _promise(who, order_id, amount, reason))
    end_read()
    for one in promised:
        send(rails, one)
    return [refunds.find(one.id) or one for one in promised]


def send(rails: Rails, promised: Refund) -> None:
    """Asks the provider. The same refund asked for twice is one: its id goes along."""
    payment = payments.find(promised.reference)
    end_read()
    if payment is None or not rails.able(payment.provider, "refund") or not payment.transaction_id:
        return
    money = Money(promised.amount, promised.currency)
    try:
        done = rails.receiver(payment.provider).refund(payment, promised.id, money, promised.reason)
    except ProviderUnavailable:
        # It may have been taken: the promise stands and `reconcile` asks again under the same id.
        return
    except ProviderRefused:
        in_transaction(lambda: _fail(promised))
        raise
    if done.final:
        in_transaction(lambda: _pay(promised, payment.provider, done.refund_id, "system"))


def send_waiting(rails: Rails) -> None:
    """Asks again for every promised refund: a crash or a provider that was away came between."""
    waiting = refunds.requested()
    end_read()
    for promised in waiting:
        try:
            send(rails, promised)
        except ProviderRefused as refusal:
            log.warning("refund refused", refund=promised.id, code=refusal.code)


def settle_by_hand(who: Identity, refund_id: str, evidence: str) -> str:
    """Staff have given the money back themselves; the order's id. Raises NotFound, Conflict."""
    demand(who, "order.refund")
    if not 3 <= len(evidence.strip()) <= 100:
        raise InvalidInput("Evidence takes 3 to 100 characters.", code="invalid_evidence")

    def change() -> str:
        promised = refunds.find(refund_id)
        if promised is None:
            raise NotFound
        if promised.status != "requested":
            raise Conflict("This refund has ended.", code="refund_ended")
        _pay(promised, bookkeeping.BY_HAND, evidence.strip(), who.actor)
        return promised.order_id

    return in_transaction(change)


def _promise(who: Identity, order_id: str, amount: int | None, reason: str) -> list[Refund]:
    order = orders.lock(order_id)
    if order is None:
        raise NotFound
    left = [
        (payment, payment.amount_received - refunds.claimed(payment.reference))
        for payment in reversed(payments.of_order(order_id))
        if payment.status is PaymentStatus.SUCCEEDED
    ]
    available = sum(rest for _, rest in left)
    wanted = available if amount is None else amount
    if available == 0:
        raise Conflict("There is nothing to refund.", code="nothing_to_refund")
    if not 0 < wanted <= available:
        raise InvalidAmount(
            f"From 1 to {available} can be refunded.",
            field="amount",
            most=available,
            currency=order.currency,
        )
    promised = []
    for payment, rest in left:
        if wanted and rest:
            promised.append(_promise_one(who, order, payment, min(wanted, rest), reason))
            wanted -= promised[-1].amount
    return promised


def _promise_one(who: Identity, order: Order, payment: Payment, amount: int, reason: str) -> Refund:
    held = order.amount_excess - refunds.suspense_claimed(order.id)
    from_suspense = min(amount, max(0, held))
    refund_id = new_id("R")
    refunds.add(
        id=refund_id,
        order_id=order.id,
        reference=payment.reference,
        amount=amount,
        currency=order.currency,
        from_suspense=from_suspense,
        reason=reason,
        actor=who.actor,
    )
    ledger.append(
        bookkeeping.refund_promised(
            f"refund:{refund_id}", Money(amount, order.currency), from_suspense
        ),
        order.id,
    )
    audit.record(who.actor, "refund.requested", order.id, reason, refund=refund_id, amount=amount)
    made = refunds.find(refund_id)
    if made is None:
        raise NotFound
    return made


def _pay(promised: Refund, rail: str, provider_refund_id: str, actor: str) -> None:
    order = orders.lock(promised.order_id)
    if order is None or not refunds.finish(promised.id, "succeeded", provider_refund_id):
        return
    money = Money(promised.amount, promised.currency)
    ledger.append(bookkeeping.refund_paid(f"refund-paid:{promised.id}", rail, money), order.id)
    audit.record(actor, "refund.paid", order.id, refund=promised.id, evidence=provider_refund_id)
    move_order(
        order,
        order.kind_of_refund(promised.amount),
        payments.find(promised.reference),
        amount_refunded=order.amount_refunded + promised.amount,
    )


def _fail(promised: Refund) -> None:
    if not refunds.finish(promised.id, "failed"):
        return
    money = Money(promised.amount, promised.currency)
    ledger.append(
        bookkeeping.refund_failed(f"refund-failed:{promised.id}", money, promised.from_suspense),
        promised.order_id,
    )
    audit.record("system", "refund.failed", promised.order_id, refund=promised.id)
