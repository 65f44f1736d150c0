"""What becomes of a refund, each step written in the caller's transaction with its postings.

Promised, taken by the provider, paid out, or taken back.
"""

from __future__ import annotations

from datetime import datetime

from payments.domain import ledger as bookkeeping
from payments.domain.errors import NotFound
from payments.domain.money import Money
from payments.domain.order import Order, Payment
from payments.services.moves import move_order
from payments.services.wallets import personal_facts
from payments.store import audit, ledger, orders, payments, refunds
from payments.store.refunds import Refund


def promise(
    refund_id: str,
    order: Order,
    payment: Payment,
    amount: int,
    reason: str,
    actor: str,
    *,
    ask_at: datetime | None,
    wallet_of: str | None = None,
) -> Refund:
    """Owed from now on, what is held as excess first: written in the caller's transaction."""
    held = order.amount_excess - refunds.suspense_claimed(order.id)
    from_suspense = min(amount, max(0, held))
    refunds.add(
        id=refund_id,
        order_id=order.id,
        reference=payment.reference,
        amount=amount,
        currency=order.currency,
        from_suspense=from_suspense,
        reason=reason,
        actor=actor,
        ask_at=ask_at,
        wallet_of=wallet_of,
    )
    ledger.append(
        bookkeeping.refund_promised(
            f"refund:{refund_id}", Money(amount, order.currency), from_suspense
        ),
        order.id,
    )
    audit.record(actor, "refund.requested", order.id, reason, refund=refund_id, amount=amount)
    made = refunds.find(refund_id)
    if made is None:
        raise NotFound
    return made


def taken(promised: Refund, provider: str, refund_id: str | None, ask_at: datetime) -> None:
    """The provider has taken it under its own name: written in the caller's transaction."""
    if refunds.ask_again(promised.id, ask_at, refund_id):
        audit.record(
            *(provider, "refund.taken", promised.order_id),
            refund=promised.id,
            provider_refund=refund_id,
        )


def pay_out(promised: Refund, rail: str, provider_refund_id: str, actor: str) -> Order | None:
    """The money has left: written in the caller's transaction, once. The order after it."""
    order = orders.lock(promised.order_id)
    if order is None or not refunds.finish(promised.id, "succeeded", provider_refund_id):
        return None
    money, owner = Money(promised.amount, promised.currency), promised.wallet_of
    account = bookkeeping.wallet(owner) if owner else bookkeeping.clearing(rail)
    ledger.append(bookkeeping.refund_paid(f"refund-paid:{promised.id}", account, money), order.id)
    audit.record(actor, "refund.paid", order.id, refund=promised.id, evidence=provider_refund_id)
    if owner:
        personal_facts.tell_of_money(
            *(owner, "payment.status", personal_facts.REFUND, personal_facts.COMPLETED),
            transaction_id=promised.id,
            amount=money.amount,
            currency=money.currency,
            order_id=order.id,
        )
    return move_order(
        order,
        order.kind_of_refund(promised.amount),
        payments.find(promised.reference),
        amount_refunded=order.amount_refunded + promised.amount,
    )


def take_back(promised: Refund) -> None:
    """The promise ends as if it had not been made: written in the caller's transaction, once."""
    # What the next promise takes from suspense depends on this one: they stand in line.
    orders.lock(promised.order_id)
    if not refunds.finish(promised.id, "failed"):
        return
    money = Money(promised.amount, promised.currency)
    ledger.append(
        bookkeeping.refund_failed(f"refund-failed:{promised.id}", money, promised.from_suspense),
        promised.order_id,
    )
    audit.record("system", "refund.failed", promised.order_id, refund=promised.id)
