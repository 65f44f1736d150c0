"""What happens to orders, attempts and wallets, done in the tests' process by the real services.

The server finds the facts in the outbox, as it finds those of another process.
"""

from __future__ import annotations

from typing import Any

from payments.domain.facts import Fact, wallet_topic
from payments.domain.notice import Notice
from payments.domain.order import Order, begun
from payments.domain.states import Kind
from payments.services import settlement
from payments.services.checkout import close_attempts
from payments.services.ids import new_reference
from payments.services.moves import move_order, move_payment
from payments.store import orders, outbox, payments
from payments.store.db import in_transaction, now


def make(order: Order) -> str:
    """An attempt that the provider has not taken yet; its reference."""
    reference = new_reference()

    def change() -> str:
        current = orders.lock(order.id)
        assert current is not None
        payments.add(begun(reference, current, "campay", current.amount_due, now()))
        return reference

    return in_transaction(change)


def take(reference: str, **action: Any) -> None:
    """The provider takes it, and says what the payer has to do."""

    def change() -> None:
        payment = payments.find(reference)
        assert payment is not None
        current = orders.lock(payment.order_id)
        assert current is not None
        taken = move_payment(payment, Kind.ACCEPTED, action={"type": "ussd", **action})
        move_order(current, Kind.ATTEMPT_STARTED, taken)

    in_transaction(change)


def begin(order: Order, **action: Any) -> str:
    """An attempt that the provider has taken; its reference."""
    reference = make(order)
    take(reference, **action)
    return reference


def pay(reference: str, amount: int = 100_000, transaction_id: str | None = None) -> None:
    settle(
        reference,
        Kind.SUCCEEDED,
        amount=amount,
        any_amount=True,
        transaction_id=transaction_id or f"T{reference}",
    )


def fail(reference: str, reason: str = "declined") -> None:
    settle(reference, Kind.FAILED, reason_code=reason)


def settle(reference: str, kind: Kind, **said: Any) -> None:
    notice = Notice("campay", f"{reference}:{kind.value}", kind, reference=reference, **said)
    in_transaction(lambda: settlement.settle(notice))


def end(order: Order, kind: Kind) -> None:
    """Its time runs out, or it is cancelled; its attempts end with it."""

    def change() -> None:
        current = orders.lock(order.id)
        assert current is not None
        expired = kind is Kind.TIME_RAN_OUT
        close_attempts(current, Kind.LAPSED if expired else Kind.WITHDRAWN)
        move_order(current, kind)

    in_transaction(change)


def tell_person(user_id: str, event: str, version: int = 1, /, **about: Any) -> None:
    """A fact about somebody's money or cards."""
    fact = Fact(wallet_topic(user_id), version, event, {"version": version}, about, now())
    in_transaction(lambda: outbox.add(fact))


DEPOSIT: dict[str, Any] = {
    "transaction_id": "P-deposit",
    "amount": 100_000,
    "currency": "VND",
    "new_balance": 350_000,
    "transaction_type": "deposit",
    "status": "completed",
    "provider_transaction_id": "4088878653",
    "message": "Nạp tiền thành công 100.000 VND",
}
CARD: dict[str, Any] = {
    "token_id": "tok_1",
    "masked_number": "4111 **** **** 1111",
    "scheme": "VISA",
    "expiry": "12/29",
}
