"""Takes verified notices into the house: inbox, move, posting, facts, audit, in one transaction.

The same notices in any order, repeated any number of times, end in the same state. What cannot be
applied is rolled back to a savepoint, parked with its reason and answered as received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Unapplicable
from payments.domain.money import Money
from payments.domain.notice import RUNG, Notice, RawCallback
from payments.domain.order import Order, Payment, begun
from payments.domain.states import TRANSITIONS, Kind, PaymentStatus
from payments.domain.transfers import as_number, is_proof
from payments.services import cards, refunds, transfers
from payments.services.ids import new_reference
from payments.services.moves import lookup, move_order, move_payment, receive
from payments.store import audit, confirmations, inbox, ledger, orders, payments
from payments.store.bank_lines import BankLine
from payments.store.db import in_transaction, now, savepoint

STAFF = "manual"
"""The provider of confirmations by hand: they enter as notices like all others."""

RING_PAUSE = timedelta(seconds=1)
DOUBT_PAUSE = timedelta(seconds=10)
"""How often a doorbell, and a callback that cannot be true, may make us ask."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one notice: `applied`, `duplicate`, `conflict`, `rung` or `parked`; why."""

    word: str
    reason: str | None = None


def apply(notices: Sequence[Notice], raw: RawCallback) -> list[Verdict]:
    """One transaction for all of them, a savepoint for each."""
    # The inbox's unique event makes a second run of it do nothing.
    return in_transaction(lambda: [_take(notice, raw) for notice in notices], repeatable=True)


def _take(notice: Notice, raw: RawCallback) -> Verdict:
    entry = inbox.append(notice, raw)
    return _known(notice, raw) if entry is None else decide(entry, notice)


def decide(entry: int, notice: Notice, refused: Unapplicable | None = None) -> Verdict:
    """What becomes of a kept notice, in the caller's transaction.

    `refused`: a rebuild knows that it was parked, and why. It is not judged anew: it has been
    answered, and staff have acted on that.
    """
    first: BankLine | None = None
    try:
        if not notice.proven and refused is None:
            return _ring(entry, notice)
        first = _told_first(entry, notice)
        if refused is not None:
            raise refused
        with savepoint():
            payment = _applied(notice, first)
            if notice.kept_card is not None:
                cards.kept(payment, notice.kept_card)
    except (Unapplicable, IntegrityError) as error:
        if first is not None:
            return _told_before(entry, notice, first)
        if transfers.is_line(notice):
            transfers.hold(entry, notice)
        # Or the database's own no: this transaction of the provider's has paid another attempt.
        used = Unapplicable("transaction_used", notice.order_id)
        return _park(entry, notice, error if isinstance(error, Unapplicable) else used)
    inbox.judge(entry, "applied", order_id=payment.order_id, reference=payment.reference)
    if notice.rail is not None and notice.kind is Kind.SUCCEEDED and notice.memos is None:
        # Of several events about one payment the first may not have named the order.
        for waited in inbox.resolve_unknown(notice):
            audit.record("system", "callback.resolved", payment.order_id, entry=waited)
    audit.record(
        notice.provider, "callback.applied", payment.order_id, entry=entry, said=notice.kind.value
    )
    return Verdict("applied")


def _ring(entry: int, notice: Notice) -> Verdict:
    """A doorbell says only that something has happened: the question about it is due now."""
    refund = refunds.ring(notice)
    payment = None if refund else _named(notice)
    if payment is not None:
        if payment.transaction_id is None and notice.transaction_id is not None:
            # The answer to our first call was lost: what rang may be asked about by its name.
            handle = {**(payment.handle or {}), RUNG: notice.transaction_id}
            payment = payments.move(payment, handle=handle)
        payments.ask_about(payment.reference, now(), RING_PAUSE)
    elif refund is None:
        raise Unapplicable("unknown_payment")
    about = refund or payment
    inbox.judge(
        entry, "rung", order_id=about and about.order_id, reference=about and about.reference
    )
    return Verdict("rung")


def _told_first(entry: int, notice: Notice) -> BankLine | None:
    """The other feed's line of the same transfer, where that came first."""
    if not transfers.is_line(notice):
        return None
    try:
        named = _named(notice)
    except Unapplicable:
        named = None
    # Two feeds that tell of one transfer at the same moment stand in line at its order.
    order = orders.lock(named.order_id) if named else None
    return transfers.enter(entry, notice, order.id if order else None)


def _applied(notice: Notice, first: BankLine | None) -> Payment:
    """The attempt that the notice is about, as it is after it. Raises Unapplicable."""
    if notice.refund is not None:
        return refunds.told(notice)
    if first is None:
        return settle(notice)
    if not first.waits:
        return transfers.home_of(first)
    # The other feed had not told enough to find the order; this one has.
    payment = settle(notice)
    transfers.release(first, bookkeeping.ASSIGNED)
    transfers.find_home(first, payment)
    audit.record(notice.provider, "money.assigned", payment.order_id, entry=first.id)
    return payment


def _told_before(entry: int, notice: Notice, first: BankLine) -> Verdict:
    """Its money is held already, or was sent back: whatever is to be done is done there."""
    inbox.judge(entry, "parked", reason="told_before", order_id=first.order_id, resolved_at=now())
    audit.record(notice.provider, "callback.parked", first.order_id, "told_before", entry=entry)
    return Verdict("duplicate", "told_before")


def _park(entry: int, notice: Notice, fault: Unapplicable) -> Verdict:
    inbox.judge(entry, "parked", reason=fault.reason, order_id=fault.order_id)
    if notice.reference and notice.provider != STAFF:
        # It may have been a lie about something true: the provider is asked, once for now.
        payments.ask_about(notice.reference, now(), DOUBT_PAUSE)
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
        questions: dict[str, None] = {} if notice.again else {"ask_at": None}
        payment = move_payment(payment, kind, failure_code=notice.reason_code, **questions)
        move_order(order, Kind.ATTEMPT_FAILED, payment)
        return payment
    except Unapplicable as fault:
        raise Unapplicable(fault.reason, order.id) from fault


def _locate(notice: Notice) -> tuple[Order, Payment | None]:
    """The order, which everybody locks first, and its attempt as it is under the lock."""
    payment = _confirmed_before(notice) or _named(notice)
    order_id = payment.order_id if payment else notice.order_id
    order = orders.lock(order_id) if order_id else None
    if order is None:
        raise Unapplicable("unknown_order")
    payment = payments.find(payment.reference) if payment else None
    if payment is None or _fresh_money(notice, payment):
        return order, None
    if notice.provider == STAFF or payment.provider == notice.paid_on or _by_hand(payment):
        return order, payment
    raise Unapplicable("another_provider", order.id)


def _named(notice: Notice) -> Payment | None:
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
