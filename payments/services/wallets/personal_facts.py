"""What a person is told about their own money and cards, whatever order it came by."""

from __future__ import annotations

from typing import Any

from payments.domain.facts import Fact, wallet_topic
from payments.domain.order import Order, Payment
from payments.services.wallets.personal_words import message
from payments.store import outbox, then, topics, wallets
from payments.store.db import now

DEPOSIT, PAYMENT, REFUND, WITHDRAWAL = "deposit", "payment", "refund", "withdrawal"
PENDING, COMPLETED, FAILED, CANCELLED = "pending", "completed", "failed", "cancelled"

_OF_A_DEPOSIT = {
    "payment.started": PENDING,
    "payment.failed": FAILED,
    "order.expired": CANCELLED,
    "order.cancelled": CANCELLED,
}
"""What a deposit's order is told to be, to its person. That money came is `wallet.deposited`."""


def balances(user_id: str) -> list[dict[str, Any]]:
    """`{currency, amount}` of each, in minor units."""
    return [{"currency": one, "amount": amount} for one, amount in wallets.balances(user_id)]


def tell_person(user_id: str, event: str, about: dict[str, Any]) -> None:
    """Writes the fact in the transaction that makes it true, with the balances as they are in it.

    `about` is what the vocabularies read: `card.saved` has `user_id token_id masked_number scheme
    expiry`. In a rebuild nobody is told anything: what was told is copied.
    """
    if then.present() is not None:
        return
    topic = wallet_topic(user_id)
    version = topics.next_version(topic)
    snapshot = {"balances": balances(user_id)}
    outbox.add(Fact(topic, version, event, snapshot, {"user_id": user_id, **about}, now()))


def tell_of_money(
    user_id: str,
    event: str,
    kind: str,
    status: str,
    *,
    transaction_id: str,
    amount: int,
    currency: str,
    **more: Any,
) -> None:
    """A movement of `amount` minor units, of this `kind`, that is now `status`.

    `new_balance` is that of the same transaction: nobody is ever told an older one.
    """
    if then.present() is not None:
        # Nor are there words for it: a rebuild speaks no language.
        return
    tell_person(
        user_id,
        event,
        {
            "transaction_id": transaction_id,
            "transaction_type": kind,
            "status": status,
            "amount": amount,
            "currency": currency,
            "new_balance": wallets.balance(user_id, currency),
            "message": message(user_id, kind, status, amount, currency),
            **more,
        },
    )


def credited(owner: str, order: Order, payment: Payment, amount: int) -> None:
    """Money came into a wallet: a deposit, or what an order had too much."""
    tell_of_money(
        *(owner, "wallet.deposited", DEPOSIT, COMPLETED),
        transaction_id=order.id if order.deposit else payment.reference,
        amount=amount,
        currency=order.currency,
        order_id=order.id,
        provider=payment.provider,
        provider_transaction_id=payment.transaction_id,
    )


def deposit_moved(order: Order, event: str, payment: Payment | None) -> None:
    """A deposit waits, failed or ended without its money."""
    status = _OF_A_DEPOSIT.get(event)
    if status is None or order.customer_id is None:
        return
    tell_of_money(
        *(order.customer_id, "payment.status", DEPOSIT, status),
        transaction_id=order.id,
        amount=payment.amount if payment else order.amount_due or order.amount,
        currency=order.currency,
        order_id=order.id,
        provider=payment.provider if payment else None,
    )
