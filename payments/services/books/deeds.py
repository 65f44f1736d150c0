"""`DEEDS`: how each deed of the audit is done again, by the code that did it.

Kept callbacks go through `apply`, money that found a home through `unmatched`, refunds through
`refunds`. Each is in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TypeVar

from sqlalchemy.exc import IntegrityError

from payments.domain import ledger as bookkeeping
from payments.domain.errors import PaychimeError, Unapplicable
from payments.domain.notice import Action, Notice
from payments.domain.order import Order, Payment, begun
from payments.domain.ports import Started
from payments.domain.states import Kind, OrderStatus
from payments.domain.withdrawals import HELD, Withdrawal
from payments.services import (
    apply,
    checkout,
    expire,
    moves,
    refunds,
    settlement,
    transfers,
    unmatched,
)
from payments.services.wallets import wallet_payments, withdrawal_moves
from payments.store import bank_lines, inbox, orders, payments, records, tables, withdrawals
from payments.store import refunds as promises
from payments.store.bank_lines import BankLine
from payments.store.db import LostRace, now
from payments.store.records import Line, Records, Row
from payments.store.refunds import Refund
from payments.store.then import doing_again

T = TypeVar("T")

PEOPLE = ("user:", "key:")
"""How the actor of a deed begins where somebody of the shop did it."""


class Differs(Exception):
    """A deed cannot be done again, or with another end: the message names it."""


def do_again(kept: Records, line: Line) -> None:
    """Raises Differs."""
    if line.action in NO_DEEDS:
        return
    again = DEEDS.get(line.action)
    if again is None:
        raise Differs(f"{line} is a deed that this version does not know")
    try:
        with doing_again(line.at):
            again(kept, line)
    except (Unapplicable, LostRace, IntegrityError, PaychimeError) as fault:
        why = fault.orig if isinstance(fault, IntegrityError) else fault
        raise Differs(f"{line} cannot be done again: {why}") from fault


# ---- Orders and attempts ----


def _order_created(kept: Records, line: Line) -> None:
    row = _known(kept.order(line.order_id))
    order = Order(**{one.name: row[one.name] for one in fields(Order)})
    order = replace(
        order,
        status=OrderStatus.PENDING,
        version=1,
        amount_paid=0,
        amount_excess=0,
        amount_refunded=0,
        amount_credited=0,
        late=False,
        ended_at=None,
    )
    orders.add(order)
    moves.tell(order, "order.created")


def _order_cancelled(_: Records, line: Line) -> None:
    checkout.withdraw(_order(line))


def _order_expired(_: Records, line: Line) -> None:
    expire.lapse(_order(line))


def _payment_created(kept: Records, line: Line) -> None:
    row = _known(kept.payment(line.detail.get("reference")))
    payment = begun(
        row["reference"], _order(line), row["provider"], row["amount"], row["created_at"]
    )
    payments.add(replace(payment, handle=row["handle"]))
    about = kept.lines_about(line.order_id, row["reference"])
    if not any(one.action in {"payment.accepted", "payment.refused"} for one in about):
        _answered_before_0_2(payment, row, about)


def _answered_before_0_2(payment: Payment, row: Row, about: Sequence[Line]) -> None:
    """Then nobody wrote down what a provider had answered; what came of it shows."""
    said = {one.detail.get("said") for one in about}
    if row["action"] is not None:
        checkout.taken(payment, _started(row, None))
    elif row["failure_code"] is not None and "failed" not in said:
        checkout.not_taken(payment, row["failure_code"])


def _payment_accepted(kept: Records, line: Line) -> None:
    payment, row = _payment(line), _known(kept.payment(line.detail.get("reference")))
    checkout.taken(payment, _started(row, line.detail["transaction"]))


def _payment_refused(_: Records, line: Line) -> None:
    checkout.not_taken(_payment(line), line.detail["code"])


def _paid_from_wallet(_: Records, line: Line) -> None:
    wallet_payments.take(_order(line), _payment(line))


def _started(row: Row, transaction_id: str | None) -> Started:
    return Started(Action(**row["action"]), transaction_id, row["handle"] or {})


# ---- What came from outside ----


def _callback(kept: Records, line: Line) -> None:
    entry = _known(kept.entry(line.detail.get("entry")))
    notice = _notice(kept, entry, line)
    refused = None
    if line.action == "callback.parked":
        refused = Unapplicable(line.reason or "", line.order_id)
    records.restore(entry, notice)
    with doing_again(line.at, entry["reference"]):
        verdict = apply.decide(entry["id"], notice, refused)
    if refused is None and verdict.word != "applied":
        raise Unapplicable(f"it was applied, now it is {verdict.word} ({verdict.reason})")


def _notice(kept: Records, entry: Row, line: Line) -> Notice:
    """What was read of it. Its bytes are not read again: the reader may have changed since."""
    if entry["notice"] is not None:
        return Notice.of_record(entry["notice"])
    # An entry of before 0.2, which kept no more of it than this.
    payment = kept.payment(entry["reference"])
    return Notice(
        provider=entry["provider"],
        event_id=entry["event_id"],
        kind=Kind(line.detail.get("said", "processing")),
        reference=entry["reference"],
        order_id=entry["order_id"],
        transaction_id=entry["transaction_id"],
        amount=entry["amount"],
        currency=entry["currency"],
        any_amount=entry["provider"] == "generic",
        reason_code=payment["failure_code"] if payment else None,
    )


def _conflict(kept: Records, line: Line) -> None:
    entry = _known(kept.entry(line.detail.get("entry")))
    records.put(tables.inbox, entry, resolved_at=None)


def _resolved(_: Records, line: Line) -> None:
    if line.actor.startswith(PEOPLE) and not inbox.resolve(line.detail["entry"]):
        raise Unapplicable("it waits no more")


def _assigned(_: Records, line: Line) -> None:
    # Where another feed told whose it was, its own callback does it again.
    if line.actor.startswith(PEOPLE):
        with doing_again(line.at, line.detail["reference"]):
            unmatched.give(_bank_line(line), _order(line))


def _returned(_: Records, line: Line) -> None:
    transfers.release(_bank_line(line), bookkeeping.RETURNED)


# ---- Staff ----


def _confirmed(kept: Records, line: Line) -> None:
    reference = line.detail["reference"]
    entry = _known(kept.entry_of_staff(line.order_id, reference))
    row = _known(kept.confirmation(entry["event_id"]))
    records.put(tables.confirmations, row)
    notice = settlement.confirmed_by_hand(_order(line), row["amount"], row["id"])
    records.restore(entry, notice)
    with doing_again(line.at, reference):
        payment = settlement.settle(notice, line.actor)
    inbox.judge(entry["id"], "applied", order_id=payment.order_id, reference=payment.reference)


def _refund_requested(kept: Records, line: Line) -> None:
    row = _known(kept.refund(line.detail["refund"]))
    payment = _known(payments.find(row["reference"]))
    refunds.promise(
        *(row["id"], _order(line), payment, row["amount"], row["reason"], row["actor"]),
        ask_at=None,
        wallet_of=row["wallet_of"],
    )


def _refund_taken(_: Records, line: Line) -> None:
    refunds.taken(_promise(line), line.actor, line.detail["provider_refund"], now())


def _refund_paid(_: Records, line: Line) -> None:
    promised = _promise(line)
    payment = _known(payments.find(promised.reference))
    rail = bookkeeping.BY_HAND if line.actor.startswith(PEOPLE) else payment.provider
    refunds.pay_out(promised, rail, line.detail["evidence"], line.actor)


def _refund_failed(_: Records, line: Line) -> None:
    refunds.take_back(_promise(line))


# ---- Withdrawals ----


def _withdrawal_requested(kept: Records, line: Line) -> None:
    row = _known(kept.withdrawal(line.detail["withdrawal"]))
    names = {one.name for one in fields(Withdrawal)} & row.keys()
    unsent = {"payout_id": None, "status": HELD, "evidence": None, "reason": None}
    terms = {name: row[name] for name in names} | unsent | {"ask_at": None, "ended_at": None}
    withdrawal_moves.hold(Withdrawal(**terms), line.actor)


def _withdrawal_sent(_: Records, line: Line) -> None:
    withdrawal_moves.sent(_withdrawal(line), line.detail["payout"])


def _withdrawal_settled(_: Records, line: Line) -> None:
    said = line.detail
    withdrawal_moves.settle(
        *(_withdrawal(line), said["rail"], line.actor),
        payout_id=said["payout"],
        evidence=said["evidence"],
    )


def _withdrawal_returned(_: Records, line: Line) -> None:
    withdrawal_moves.give_back(
        *(_withdrawal(line), line.reason or "", line.actor), payout_id=line.detail["payout"]
    )


DEEDS: dict[str, Callable[[Records, Line], None]] = {
    "order.created": _order_created,
    "order.cancelled": _order_cancelled,
    "order.expired": _order_expired,
    "payment.created": _payment_created,
    "payment.accepted": _payment_accepted,
    "payment.refused": _payment_refused,
    "payment.confirmed": _confirmed,
    "payment.from_wallet": _paid_from_wallet,
    "callback.applied": _callback,
    "callback.parked": _callback,
    "callback.conflict": _conflict,
    "callback.resolved": _resolved,
    "money.assigned": _assigned,
    "money.returned": _returned,
    "refund.requested": _refund_requested,
    "refund.taken": _refund_taken,
    "refund.paid": _refund_paid,
    "refund.failed": _refund_failed,
    "withdrawal.requested": _withdrawal_requested,
    "withdrawal.sent": _withdrawal_sent,
    "withdrawal.settled": _withdrawal_settled,
    "withdrawal.returned": _withdrawal_returned,
}

NO_DEEDS = frozenset(
    {
        *("user.created", "key.created", "card.removed", "card.renamed", "customer.claimed_paid"),
        # What they ask for or allow is done where it is done: `payment.confirmed`.
        *("confirmation.held", "confirmation.approved"),
        *("webhook.created", "webhook.changed", "webhook.removed", "webhook.rotated"),
        *("webhook.redelivered", "webhook.recovered", "webhook.disabled"),
    }
)
"""Actions that change nothing which is derived."""


def _order(line: Line) -> Order:
    return _known(orders.lock(line.order_id or ""))


def _payment(line: Line) -> Payment:
    return _known(payments.find(line.detail.get("reference", "")))


def _promise(line: Line) -> Refund:
    return _known(promises.find(line.detail["refund"]))


def _withdrawal(line: Line) -> Withdrawal:
    return _known(withdrawals.find(line.detail["withdrawal"]))


def _bank_line(line: Line) -> BankLine:
    return _known(bank_lines.find(line.detail["entry"]))


def _known(found: T | None) -> T:
    if found is None:
        raise Unapplicable("what it is about is not among the records")
    return found
