"""Applies one notice to its attempt and its order, in the caller's transaction.

Which attempt it means, whether its amount may be believed, and what it moves.
"""

from __future__ import annotations

from dataclasses import replace

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Unapplicable
from payments.domain.money import Money
from payments.domain.notice import Notice
from payments.domain.order import Order, Payment, begun
from payments.domain.states import TRANSITIONS, Kind, PaymentStatus
from payments.domain.transfers import as_number, is_proof
from payments.services.ids import new_reference
from payments.services.moves import lookup, move_order, move_payment, receive
from payments.store import confirmations, ledger, orders, payments
from payments.store.db import now

STAFF = "manual"
"""The provider of confirmations by hand: they enter as notices like all others."""


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
        questions: dict[str, None] = {} if notice.again else {"ask_at": None}
        payment = move_payment(payment, kind, failure_code=notice.reason_code, **questions)
        move_order(order, Kind.ATTEMPT_FAILED, payment)
        return payment
    except Unapplicable as fault:
        raise Unapplicable(fault.reason, order.id) from fault


def _locate(notice: Notice) -> tuple[Order, Payment | None]:
    """The order, which everybody locks first, and its attempt as it is under the lock."""
    payment = _confirmed_before(notice) or named(notice)
    order_id = payment.order_id if payment else notice.order_id
    order = orders.lock(order_id) if order_id else None
    if order is None:
        raise Unapplicable("unknown_order")
    payment = payments.find(payment.reference) if payment else None
    if payment is not None:
        payment = _same_money_by_hand(notice, payment) or payment
    if payment is None or _fresh_money(notice, payment):
        return order, None
    if notice.provider == STAFF or payment.provider == notice.paid_on or _by_hand(payment):
        return order, payment
    raise Unapplicable("another_provider", order.id)


def named(notice: Notice) -> Payment | None:
    """The attempt that a notice names, by our reference, a memo, or the provider's own id."""
    payment = payments.find(notice.reference) if notice.reference else None
    if payment is None and notice.memos:
        # A whole memo of ours and nothing else: an amount or a time matches nothing by itself.
        of_mine = [payments.find(memo) for memo in dict.fromkeys(notice.memos)]
        known = [one for one in of_mine if one and one.provider == notice.paid_on]
        if len({one.order_id for one in known}) > 1:
            raise Unapplicable("several_memos")
        payment = max(known, key=lambda one: one.created_at, default=None)
    if payment is None and notice.transaction_id:
        payment = payments.find_transaction(notice.paid_on, notice.transaction_id)
    return payment


def _confirmed_before(notice: Notice) -> Payment | None:
    """What staff have confirmed by this very evidence, however they wrote its letters.

    A short number may be another transfer's: then only the same amount makes them one.
    """
    spellings = {way for one in notice.evidence for way in (one, one.upper(), one.lower())}
    confirmed = confirmations.by_evidence(sorted(spellings)) if spellings else None
    if confirmed is None:
        return None
    if confirmed.amount != notice.amount and not is_proof(as_number(confirmed.evidence)):
        return None
    return next(
        (
            p
            for p in payments.of_order(confirmed.order_id)
            if p.confirmed_by is not None
            # Borne out already by this very transaction, of which another event tells again.
            and p.transaction_id in {None, notice.transaction_id}
            and p.amount_received == confirmed.amount
        ),
        None,
    )


def _same_money_by_hand(notice: Notice, payment: Payment) -> Payment | None:
    """What staff have confirmed of the same order in this amount, where the one named differs.

    A gateway names no number of the bank's: then the amount says which of them it tells of.
    """
    if notice.evidence or not _by_hand(payment) or payment.amount_received == notice.amount:
        return None
    others = payments.of_order(payment.order_id)
    return next(
        (one for one in others if _by_hand(one) and one.amount_received == notice.amount), None
    )


def _by_hand(payment: Payment) -> bool:
    return payment.confirmed_by is not None and payment.transaction_id is None


def _fresh_money(notice: Notice, payment: Payment) -> bool:
    """A second transfer to the same account with the same memo: other money, its own attempt."""
    return (
        notice.any_amount
        and notice.kind is Kind.SUCCEEDED
        and payment.status is PaymentStatus.SUCCEEDED
        and payment.transaction_id not in {None, notice.transaction_id}
    )


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
        new_reference(), order, notice.paid_on, money.amount, now(), notice.transaction_id
    )
    payments.add(payment)
    return payment


def _kind(notice: Notice, payment: Payment) -> Kind:
    """What a second success is: staff's word borne out, the same said again, or impossible."""
    if notice.kind is Kind.SUCCEEDED and payment.status is PaymentStatus.SUCCEEDED:
        if _by_hand(payment):
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
    source = bookkeeping.clearing(bookkeeping.BY_HAND if by_hand else payment.provider)
    receive(order, payment, money.amount, source)
    return payment


def _corroborate(notice: Notice, payment: Payment, money: Money) -> Payment:
    if money.amount != payment.amount_received:
        raise Unapplicable("differs_from_confirmation")
    cause = f"corroborated:{payment.reference}"
    ledger.append(bookkeeping.reclassified(cause, notice.paid_on, money), payment.order_id)
    # The money came where this says, whatever the attempt was begun on: a refund goes back there.
    return move_payment(
        payment,
        Kind.CORROBORATED,
        provider=notice.paid_on,
        transaction_id=notice.transaction_id,
    )


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
