"""Bank lines on their way in: which tell of one transfer, and where money without a home is kept.

Called by `apply`, inside its transaction.
"""

from __future__ import annotations

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Conflict, Unapplicable
from payments.domain.money import Money
from payments.domain.notice import Notice
from payments.domain.order import Payment
from payments.domain.states import Kind
from payments.domain.transfers import BANK, as_number, is_proof, same_transfer
from payments.store import bank_lines, inbox, ledger, payments
from payments.store.bank_lines import BankLine
from payments.store.db import LostRace, now


def is_line(notice: Notice) -> bool:
    """Whether it tells of money that has come to the account, whatever it was for."""
    came = notice.memos is not None and notice.kind is Kind.SUCCEEDED
    return came and notice.amount is not None and notice.currency is not None


def enter(entry_id: int, notice: Notice, order_id: str | None) -> BankLine | None:
    """Writes the line down; what had told of the same transfer before it, on another feed.

    `order_id` is the order that its memo names, which the caller holds locked: so of two feeds that
    tell of one transfer at the same moment the second finds the first.
    """
    number = as_number(notice.evidence[0]) if notice.evidence else None
    if number:
        bank_lines.stand_in_line(number)
    bank_lines.add(entry_id, number, order_id)
    line = bank_lines.find(entry_id)
    first = _told_first(line, order_id) if line else None
    if first is not None:
        bank_lines.join(entry_id, first.id)
    return first


def _told_first(line: BankLine, order_id: str | None) -> BankLine | None:
    """Each feed tells of a transfer once: a second line of its own is a second transfer."""
    for near in bank_lines.like(line, order_id):
        if not same_transfer(line.told, near.told):
            continue
        others = bank_lines.telling_of(near.first)
        if all(_agree(line, other) for other in others):
            return next((other for other in others if other.id == near.first), None)
    return None


def _agree(line: BankLine, other: BankLine) -> bool:
    named = {one.number for one in (line, other) if one.number}
    return line.provider != other.provider and len(named) < 2


def home_of(first: BankLine) -> Payment:
    """Where the transfer's money went. Raises Unapplicable where staff have sent it back."""
    payment = payments.find(first.reference) if first.reference else None
    if first.verdict != "applied" or payment is None:
        raise Unapplicable("told_before")
    return payment


def hold(entry_id: int, notice: Notice) -> None:
    """Its money is in the account whatever it was for: it is booked as held."""
    if notice.amount is not None and notice.currency is not None:
        money = Money(notice.amount, notice.currency)
        cause = bookkeeping.unmatched_cause(entry_id)
        ledger.append(bookkeeping.held(cause, notice.paid_on, money), None)


def release(line: BankLine, word: str) -> None:
    """Takes a waiting line's money out of suspense, once; it waits no more."""
    if not inbox.resolve(line.id):
        raise LostRace(str(line.id))
    money = Money(line.amount, line.currency)
    ledger.append(bookkeeping.released(word, line.id, BANK, money), None)


def find_home(line: BankLine, payment: Payment) -> None:
    """The line has become this payment's."""
    inbox.judge(
        line.id,
        "applied",
        reason=None,
        order_id=payment.order_id,
        reference=payment.reference,
        resolved_at=now(),
    )


def demand_unheard(evidence: str, money: Money, order_id: str) -> None:
    """What a feed has told of already is not confirmed by hand as well. Raises Conflict.

    A short number may be another transfer's: then only the same amount makes them one.
    """
    if bank_lines.waiting_unnumbered(order_id, money.amount, money.currency):
        raise _waits()
    number = as_number(evidence)
    if number is None:
        return
    bank_lines.stand_in_line(number)
    for line in bank_lines.numbered(number):
        same_money = (line.amount, line.currency) == (money.amount, money.currency)
        if not same_money and not (is_proof(number) and line.currency == money.currency):
            continue
        if line.waits:
            raise _waits()
        raise Conflict(
            "This evidence has confirmed a payment already.", code="evidence_used", field="evidence"
        )


def _waits() -> Conflict:
    return Conflict(
        "This transfer has come already and waits under Unmatched money: assign it there.",
        code="money_waits",
        field="evidence",
    )
