"""Pays an order out of the payer's own balance: whole, or a part with the rest by another rail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from payments.domain import ledger as bookkeeping
from payments.domain.errors import InvalidAmount, InvalidInput
from payments.domain.order import PAID_BY, WALLET, Order, Payment, begun
from payments.domain.states import Kind
from payments.services.access import Identity, person_of
from payments.services.ids import new_reference
from payments.services.moves import move_payment, receive
from payments.services.wallets import personal_facts
from payments.store import audit, payments
from payments.store.db import in_transaction, now


def pay(
    who: Identity, order_id: str, amount: int | None, payable: Callable[[str], Order]
) -> Payment:
    """`amount` minor units of what is due, or all of it, at once. `payable` locks the order.

    Raises Unauthenticated and Forbidden for whoever is no person, InsufficientFunds,
    InvalidAmount, and Conflict where the order cannot be paid now.
    """
    person = person_of(who)

    def change() -> Payment:
        order = payable(order_id)
        if order.deposit:
            raise InvalidInput(
                "A balance does not top itself up.", code="provider_not_offered", field="provider"
            )
        wanted = order.amount_due if amount is None else amount
        if not 0 < wanted <= order.amount_due:
            raise InvalidAmount(
                f"From 1 to {order.amount_due} can be paid.",
                field="amount",
                most=order.amount_due,
                currency=order.currency,
            )
        payment = begun(new_reference(), order, WALLET, wanted, now())
        payment = replace(payment, handle={PAID_BY: person.id})
        payments.add(payment)
        audit.record(
            *(who.actor, "payment.created", order.id),
            reference=payment.reference,
            amount=payment.amount,
        )
        paid = take(order, payment)
        # Written while the wallet is held: so a rebuild does them in the order in which they were.
        audit.record(who.actor, "payment.from_wallet", order.id, reference=paid.reference)
        return paid

    return in_transaction(change)


def take(order: Order, payment: Payment) -> Payment:
    """Moves the balance, the order and what both tell, in the caller's transaction."""
    payer = payer_of(payment)
    paid = move_payment(
        payment,
        Kind.SUCCEEDED,
        amount_received=payment.amount,
        transaction_id=payment.reference,
    )
    receive(order, paid, paid.amount, bookkeeping.wallet(payer))
    personal_facts.tell_of_money(
        *(payer, "payment.status", personal_facts.PAYMENT, personal_facts.COMPLETED),
        transaction_id=paid.reference,
        amount=paid.amount,
        currency=paid.currency,
        order_id=order.id,
    )
    return paid


def payer_of(payment: Payment) -> str:
    """Whose wallet paid this attempt."""
    return str((payment.handle or {})[PAID_BY])
