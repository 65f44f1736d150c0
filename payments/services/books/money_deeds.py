"""What came from outside, and what staff then did with it, done again."""

from __future__ import annotations

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Unapplicable
from payments.domain.notice import Notice
from payments.domain.states import Kind
from payments.services import (
    apply,
    refund_moves,
    settlement,
    transfers,
    unmatched,
)
from payments.services.books.subjects import (
    bank_line_of,
    known,
    order_of,
    promise_of,
)
from payments.store import inbox, payments, records, tables
from payments.store.db import now
from payments.store.records import Line, Records, Row
from payments.store.then import doing_again

PEOPLE = ("user:", "key:")
"""How the actor of a deed begins where somebody of the shop did it."""


def callback(kept: Records, line: Line) -> None:
    entry = known(kept.entry(line.detail.get("entry")))
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


def conflict(kept: Records, line: Line) -> None:
    entry = known(kept.entry(line.detail.get("entry")))
    records.put(tables.inbox, entry, resolved_at=None)


def resolved(_: Records, line: Line) -> None:
    if line.actor.startswith(PEOPLE) and not inbox.resolve(line.detail["entry"]):
        raise Unapplicable("it waits no more")


def assigned(_: Records, line: Line) -> None:
    # Where another feed told whose it was, its own callback does it again.
    if line.actor.startswith(PEOPLE):
        with doing_again(line.at, line.detail["reference"]):
            unmatched.give(bank_line_of(line), order_of(line))


def returned(_: Records, line: Line) -> None:
    transfers.release(bank_line_of(line), bookkeeping.RETURNED)


def confirmed(kept: Records, line: Line) -> None:
    reference = line.detail["reference"]
    entry = known(kept.entry_of_staff(line.order_id, reference))
    row = known(kept.confirmation(entry["event_id"]))
    records.put(tables.confirmations, row)
    notice = settlement.confirmed_by_hand(order_of(line), row["amount"], row["id"])
    records.restore(entry, notice)
    with doing_again(line.at, reference):
        payment = settlement.settle(notice, line.actor)
    inbox.judge(entry["id"], "applied", order_id=payment.order_id, reference=payment.reference)


def refund_requested(kept: Records, line: Line) -> None:
    row = known(kept.refund(line.detail["refund"]))
    payment = known(payments.find(row["reference"]))
    refund_moves.promise(
        *(row["id"], order_of(line), payment, row["amount"], row["reason"], row["actor"]),
        ask_at=None,
        wallet_of=row["wallet_of"],
    )


def refund_taken(_: Records, line: Line) -> None:
    refund_moves.taken(promise_of(line), line.actor, line.detail["provider_refund"], now())


def refund_paid(_: Records, line: Line) -> None:
    promised = promise_of(line)
    payment = known(payments.find(promised.reference))
    rail = bookkeeping.BY_HAND if line.actor.startswith(PEOPLE) else payment.provider
    refund_moves.pay_out(promised, rail, line.detail["evidence"], line.actor)


def refund_failed(_: Records, line: Line) -> None:
    refund_moves.take_back(promise_of(line))
