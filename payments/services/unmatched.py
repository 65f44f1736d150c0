"""Money that came without a home: staff see whose it may be, assign it, or say it was sent back."""

from __future__ import annotations

from dataclasses import dataclass

from payments.domain import ledger as bookkeeping
from payments.domain import likeness
from payments.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Unapplicable
from payments.domain.notice import Notice
from payments.domain.order import Order, Payment
from payments.domain.states import TRANSITIONS, Kind
from payments.domain.transfers import BANK
from payments.services import settlement, transfers
from payments.services.access import Identity, demand
from payments.store import audit, bank_lines, candidates, orders, payments
from payments.store.bank_lines import BankLine
from payments.store.db import in_transaction

SHOWN = 5
"""The best candidates of a line; the others have to be named."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that the money may be for. `signs` are names of `likeness.WEIGHTS`."""

    order: Order
    signs: tuple[str, ...]


def candidates_of(line: BankLine) -> list[Candidate]:
    """The likeliest first, with why. It ranks, and books nothing."""
    text, at = line.text or "", line.received_at
    found = candidates.possible(
        at, line.currency, line.amount, likeness.words(text), likeness.beginnings(text)
    )
    memos = candidates.memos_of([order.id for order in found], BANK)
    ranked = [
        Candidate(order, likeness.signs(order, memos[order.id], line.amount, text, at))
        for order in found
    ]
    ranked.sort(key=lambda one: (likeness.weight(one.signs), one.order.created_at), reverse=True)
    return [one for one in ranked if one.signs][:SHOWN]


def assign(who: Identity, entry_id: int, order_id: str, reason: str) -> Payment:
    """The line's money becomes the order's, with whatever its amount does to it; the attempt.

    The same once more by the same person changes nothing. No second person is asked whatever the
    amount: the money is in the account, and it is only said whose it is. Raises Forbidden,
    NotFound, InvalidInput, and Conflict where somebody else has dealt with the line.
    """
    demand(who, "order.confirm")
    reason = _typed(reason, "reason", 3, 500)

    def change() -> Payment:
        order = orders.lock(order_id) if order_id.isprintable() else None
        if order is None:
            raise InvalidInput("There is no such order.", code="unknown_order", field="order_id")
        line = _line(entry_id)
        if not line.waits:
            _demand_same_deed(line, who, "money.assigned", order.id)
            return transfers.home_of(line)
        if line.currency != order.currency:
            raise InvalidInput(
                f"This order is in {order.currency}.", code="another_currency", field="order_id"
            )
        try:
            payment = give(line, order)
        except Unapplicable as fault:
            raise Conflict("This order cannot take the money.", code=fault.reason) from fault
        audit.record(
            *(who.actor, "money.assigned", order.id, reason),
            entry=line.id,
            reference=payment.reference,
            amount=line.amount,
        )
        return payment

    return in_transaction(change)


def give(line: BankLine, order: Order) -> Payment:
    """The line's money becomes the order's, in the caller's transaction. Raises Unapplicable."""
    transfers.release(line, bookkeeping.ASSIGNED)
    payment = settlement.settle(_as_notice(line, order))
    transfers.find_home(line, payment)
    return payment


def give_back(who: Identity, entry_id: int, reason: str, evidence: str) -> None:
    """It was not ours and has left the account again, or never was in it: two feeds told of it.

    The same once more by the same person changes nothing. Raises Forbidden, NotFound, InvalidInput,
    and Conflict where somebody else has dealt with the line.
    """
    demand(who, "order.refund")
    if who.user is None:
        raise Forbidden("Only a person can say what a person has done.")
    reason, evidence = _typed(reason, "reason", 3, 500), _typed(evidence, "evidence", 3, 100)

    def change() -> None:
        line = _line(entry_id)
        if not line.waits:
            _demand_same_deed(line, who, "money.returned", None)
            return
        transfers.release(line, bookkeeping.RETURNED)
        audit.record(
            *(who.actor, "money.returned", None, reason),
            entry=line.id,
            evidence=evidence,
            amount=line.amount,
        )

    in_transaction(change)


def _line(entry_id: int) -> BankLine:
    """The line as it is once nobody else has to do with its transfer."""
    line = bank_lines.find(entry_id)
    if line is None or line.same_as is not None:
        raise NotFound
    if line.number is None:
        return line
    bank_lines.stand_in_line(line.number)
    return bank_lines.find(entry_id) or line


def _demand_same_deed(line: BankLine, who: Identity, action: str, order_id: str | None) -> None:
    done = audit.of_entry(line.id, action, order_id)
    if done is None or done.actor != who.actor:
        raise Conflict("Somebody has dealt with this money already.", code="already_resolved")


def _as_notice(line: BankLine, order: Order) -> Notice:
    """As if it had named the order's last attempt by bank that can still succeed, or none."""
    open_ones = [
        one.reference
        for one in payments.of_order(order.id)
        if one.provider == BANK and (one.status, Kind.SUCCEEDED) in TRANSITIONS
    ]
    return Notice(
        provider=line.provider,
        event_id=line.event_id,
        kind=Kind.SUCCEEDED,
        reference=open_ones[-1] if open_ones else None,
        order_id=order.id,
        transaction_id=line.transaction_id,
        amount=line.amount,
        currency=line.currency,
        any_amount=True,
        rail=BANK,
    )


def _typed(text: str, field: str, shortest: int, longest: int) -> str:
    text = " ".join(text.split())
    if not shortest <= len(text) <= longest or not text.isprintable():
        raise InvalidInput(
            f"{field.capitalize()} takes {shortest} to {longest} characters.",
            code=f"invalid_{field}",
            field=field,
        )
    return text
