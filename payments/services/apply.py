"""Takes verified notices into the house: inbox, move, posting, facts, audit, in one transaction.

The same notices in any order, repeated any number of times, end in the same state. What cannot be
applied is rolled back to a savepoint, parked with its reason and answered as received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.exc import IntegrityError

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Unapplicable
from payments.domain.money import Money
from payments.domain.notice import Notice, RawCallback
from payments.domain.order import Order, Payment, begun
from payments.domain.states import TRANSITIONS, Kind, PaymentStatus
from payments.services.ids import new_reference
from payments.services.moves import lookup, move_order, move_payment, receive
from payments.store import audit, inbox, ledger, orders, payments
from payments.store.db import in_transaction, now, savepoint

STAFF = "manual"
"""The provider of confirmations by hand: they enter as notices like all others."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one notice: `applied`, `duplicate`, `conflict` or `parked`, and why."""

    word: str
    reason: str | None = None


def apply(notices: Sequence[Notice], raw: RawCallback) -> list[Verdict]:
    """One transaction for all of them, a savepoint for each."""
    return in_transaction(lambda: [_take(notice, raw) for notice in notices])


def _take(notice: Notice, raw: RawCallback) -> Verdict:
    entry = inbox.append(notice, raw)
    if entry is None:
        return _known(notice, raw)
    try:
        with savepoint():
            payment = settle(notice)
    except Unapplicable as fault:
        return _park(entry, notice, fault)
    except IntegrityError:
        # The database's own no: this transaction of the provider's has paid another attempt.
        return _park(entry, notice, Unapplicable("transaction_used", notice.order_id))
    inbox.judge(entry, "applied", order_id=payment.order_id, reference=payment.reference)
    audit.record(
        notice.provider, "callback.applied", payment.order_id, entry=entry, said=notice.kind.value
    )
    return Verdict("applied")


def _park(entry: int, notice: Notice, fault: Unapplicable) -> Verdict:
    inbox.judge(entry, "parked", reason=fault.reason, order_id=fault.order_id)
    audit.record(notice.provider, "callback.parked", fault.order_id, fault.reason, entry=entry)
    return Verdict("parked", fault.reason)


def _known(notice: Notice, raw: RawCallback) -> Verdict:
    """The event is here already.

    The first wins; other words under the same id are kept and flagged.
    """
    first = inbox.find_event(notice.provider, notice.event_id)
    digest = inbox.digest(notice, raw)
    if first is None or {first.source, raw.source} != {"callback"} or first.digest == digest:
        return Verdict("duplicate")
    other = inbox.append(notice, raw, event_id=f"{notice.event_id[:120]}#{digest}")
    if other is not None:
        inbox.judge(other, "conflict", reason="same_event_other_body", order_id=first.order_id)
        audit.record(notice.provider, "callback.conflict", first.order_id, entry=other)
    return Verdict("conflict", "same_event_other_body")


def settle(notice: Notice, actor: str | None = None) -> Payment:
    """Applies one notice to its attempt and its order. Raises Unapplicable with the reason."""
    order, payment = _locate(notice)
    try:
        money = _money(notice, order, payment)
        if payment is None:
            payment = _attempt_made_by(notice, order, money)
        kind = _kind(notice, payment)
        if kind in {Kind.SUCCEEDED, Kind.CONFIRMED} and money is not None:
            return _succeed(notice, kind, order, payment, money, actor)
        if kind is Kind.CORROBORATED and money is not None:
            return _corroborate(notice, payment, money)
        if kind is Kind.REPEATED and money is not None and money.amount != payment.amount_received:
            raise Unapplicable("another_amount")
        if lookup(payment.status, kind).to is payment.status:
            return payment
        if kind is Kind.PROCESSING:
            payment = move_payment(payment, kind)
            move_order(order, Kind.ATTEMPT_STARTED, payment)
            return payment
        if kind is not Kind.FAILED:
            return move_payment(payment, kind)
        payment = move_payment(payment, kind, failure_code=notice.reason_code, ask_at=None)
        move_order(order, Kind.ATTEMPT_FAILED, payment)
        return payment
    except Unapplicable as fault:
        raise Unapplicable(fault.reason, order.id) from fault


def _locate(notice: Notice) -> tuple[Order, Payment | None]:
    """The order, which everybody locks first, and its attempt as it is under the lock."""
    payment = payments.find(notice.reference) if notice.reference else None
    if payment is None and notice.transaction_id:
        payment = payments.find_transaction(notice.provider, notice.transaction_id)
    order_id = payment.order_id if payment else notice.order_id
    order = orders.lock(order_id) if order_id else None
    if order is None:
        raise Unapplicable("unknown_order")
    if payment is None:
        return order, None
    payment = payments.find(payment.reference)
    if payment is None or notice.provider not in {payment.provider, STAFF}:
        raise Unapplicable("another_provider", order.id)
    return order, payment


def _money(notice: Notice, order: Order, payment: Payment | None) -> Money | None:
    """The amount, if the rail may say it: where we set the amount, another one pays nothing."""
    if notice.amount is None:
        return None
    currency = notice.currency or order.currency
    if currency != order.currency:
        raise Unapplicable("another_currency")
    if notice.amount <= 0:
        raise Unapplicable("no_amount")
    if not notice.any_amount and payment is not None and notice.amount != payment.amount:
        raise Unapplicable("another_amount")
    return Money(notice.amount, currency)


def _attempt_made_by(notice: Notice, order: Order, money: Money | None) -> Payment:
    """Money may come where nobody had begun to pay on this rail: it makes its attempt."""
    if not notice.any_amount:
        raise Unapplicable("unknown_payment")
    if money is None:
        raise Unapplicable("no_amount")
    payment = begun(
        new_reference(), order, notice.provider, money.amount, now(), notice.transaction_id
    )
    payments.add(payment)
    return payment


def _kind(notice: Notice, payment: Payment) -> Kind:
    """What a second success is: staff's word borne out, the same said again, or impossible."""
    if notice.kind is Kind.SUCCEEDED and payment.status is PaymentStatus.SUCCEEDED:
        if payment.confirmed_by and payment.transaction_id is None:
            return Kind.CORROBORATED
        if payment.transaction_id == notice.transaction_id:
            return Kind.REPEATED
    return notice.kind


def _succeed(
    notice: Notice, kind: Kind, order: Order, payment: Payment, money: Money, actor: str | None
) -> Payment:
    by_hand = kind is Kind.CONFIRMED
    payment = move_payment(
        payment,
        kind,
        amount_received=money.amount,
        transaction_id=payment.transaction_id if by_hand else notice.transaction_id,
        confirmed_by=actor if by_hand else None,
        failure_code=None,
        ask_at=None,
    )
    receive(order, payment, money.amount, bookkeeping.BY_HAND if by_hand else payment.provider)
    return payment


def _corroborate(notice: Notice, payment: Payment, money: Money) -> Payment:
    if money.amount != payment.amount_received:
        raise Unapplicable("differs_from_confirmation")
    recipe = TRANSITIONS[payment.status, Kind.CORROBORATED].posting
    if recipe is not None:
        posting = bookkeeping.RECIPES[recipe](
            f"corroborated:{payment.reference}", payment.provider, money, 0
        )
        ledger.append(posting, payment.order_id)
    return move_payment(payment, Kind.CORROBORATED, transaction_id=notice.transaction_id)


def confirmed_by_hand(order: Order, amount: int, event_id: str) -> Notice:
    """Staff's word as a notice: of the last attempt if it can still succeed, else of a new one."""
    last = payments.last_of(order.id)
    fits = last is not None and (last.status, Kind.CONFIRMED) in TRANSITIONS
    notice = Notice(
        provider=STAFF,
        event_id=event_id,
        kind=Kind.CONFIRMED,
        order_id=order.id,
        amount=amount,
        currency=order.currency,
        any_amount=True,
    )
    return replace(notice, reference=last.reference) if fits and last else notice
