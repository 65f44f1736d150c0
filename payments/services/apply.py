"""Takes verified notices into the house: inbox, move, posting, facts, audit, in one transaction.

The same notices in any order, repeated any number of times, end in the same state. What cannot be
applied is rolled back to a savepoint, parked with its reason and answered as received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Unapplicable
from payments.domain.notice import RUNG, Notice, RawCallback
from payments.domain.order import Payment
from payments.domain.states import Kind
from payments.domain.withdrawals import Withdrawal
from payments.services import cards, refunds, transfers
from payments.services.settlement import STAFF, named, settle
from payments.services.wallets import withdrawal_moves
from payments.store import audit, inbox, orders, payments
from payments.store.bank_lines import BankLine
from payments.store.db import in_transaction, now, savepoint

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
            if notice.kept_card is not None and isinstance(payment, Payment):
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
    leaving = refunds.ring(notice) or withdrawal_moves.ring(notice)
    payment = None if leaving else named(notice)
    if payment is not None:
        if payment.transaction_id is None and notice.transaction_id is not None:
            # The answer to our first call was lost: what rang may be asked about by its name.
            handle = {**(payment.handle or {}), RUNG: notice.transaction_id}
            payment = payments.move(payment, handle=handle)
        payments.ask_about(payment.reference, now(), RING_PAUSE)
    elif leaving is None:
        raise Unapplicable("unknown_payment")
    about = leaving or payment
    inbox.judge(
        entry, "rung", order_id=about and about.order_id, reference=about and about.reference
    )
    return Verdict("rung")


def _told_first(entry: int, notice: Notice) -> BankLine | None:
    """The other feed's line of the same transfer, where that came first."""
    if not transfers.is_line(notice):
        return None
    try:
        meant = named(notice)
    except Unapplicable:
        meant = None
    # Two feeds that tell of one transfer at the same moment stand in line at its order.
    order = orders.lock(meant.order_id) if meant else None
    return transfers.enter(entry, notice, order.id if order else None)


def _applied(notice: Notice, first: BankLine | None) -> Payment | Withdrawal:
    """The attempt that the notice is about, as it is after it. Raises Unapplicable."""
    if notice.payout is not None:
        return withdrawal_moves.told(notice)
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
