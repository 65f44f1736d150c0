"""What can happen to a withdrawal: each is written in the caller's transaction, and happens once.

Everybody locks the withdrawal first, then the wallet, then tells its person.
"""

from __future__ import annotations

from typing import Any

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Unapplicable
from payments.domain.notice import Notice
from payments.domain.states import Kind
from payments.domain.withdrawals import RETURNED, SETTLED, Withdrawal
from payments.services.wallets import personal_facts
from payments.store import audit, ledger, wallets, withdrawals
from payments.store.db import now


def hold(one: Withdrawal, actor: str) -> None:
    """Out of the wallet, fee and all. Raises InsufficientFunds."""
    withdrawals.add(one)
    ledger.append(
        bookkeeping.withdrawal_held(f"withdrawal:{one.id}", one.user_id, one.money, one.fee), None
    )
    audit.record(actor, "withdrawal.requested", withdrawal=one.id, amount=one.amount, fee=one.fee)
    _tell(one, "payment.status", personal_facts.PENDING)


def sent(one: Withdrawal, payout_id: str) -> None:
    """The provider has it under this name, or under ours where its answer was lost."""
    if withdrawals.taken(one.id, payout_id, one.ask_at):
        audit.record(
            one.provider or "system", "withdrawal.sent", withdrawal=one.id, payout=payout_id
        )


def settle(
    one: Withdrawal, rail: str, actor: str, *, payout_id: str | None, evidence: str | None = None
) -> bool:
    """It has left by `rail`. False where another ended it first.

    Raises IntegrityError where the evidence has settled another one.
    """
    if not withdrawals.finish(one.id, SETTLED, payout_id=payout_id, evidence=evidence):
        return False
    # Who moves this wallet meanwhile waits: the balance that is told is the newest.
    wallets.move(one.user_id, one.currency, 0)
    ledger.append(
        bookkeeping.withdrawal_settled(
            f"withdrawal-paid:{one.id}", bookkeeping.clearing(rail), one.money, one.fee
        ),
        None,
    )
    audit.record(
        *(actor, "withdrawal.settled"),
        withdrawal=one.id,
        rail=rail,
        payout=payout_id,
        evidence=evidence,
    )
    _tell(one, "wallet.withdrawn", personal_facts.COMPLETED, provider_transaction_id=payout_id)
    return True


def give_back(one: Withdrawal, reason: str, actor: str, *, payout_id: str | None) -> bool:
    """It has not left: all of it is the customer's again. False where another ended it first.

    `reason` is a code, or staff's words.
    """
    if not withdrawals.finish(one.id, RETURNED, payout_id=payout_id, reason=reason):
        return False
    cause = f"withdrawal-returned:{one.id}"
    ledger.append(bookkeeping.withdrawal_returned(cause, one.user_id, one.money, one.fee), None)
    audit.record(actor, "withdrawal.returned", reason=reason, withdrawal=one.id, payout=payout_id)
    _tell(one, "payment.status", personal_facts.FAILED)
    return True


def ring(notice: Notice) -> Withdrawal | None:
    """A doorbell about a withdrawal: the question is due now. None where it is none of ours."""
    name = notice.payout and withdrawals.named(notice.payout)
    one = withdrawals.find(name) if name else None
    # One that was not sent yet is not sent for a doorbell.
    if one is not None and one.sent:
        withdrawals.ask_again(one.id, now())
    return one


def told(notice: Notice) -> Withdrawal:
    """The provider's word about a withdrawal.

    Raises Unapplicable: `unknown_payout`, `another_currency`, `another_amount`,
    `another_provider`, or `impossible_move` where it ended otherwise.
    """
    name = withdrawals.named(notice.payout or "")
    one = withdrawals.lock(name) if name else None
    if one is None:
        raise Unapplicable("unknown_payout")
    if one.provider != notice.provider:
        raise Unapplicable("another_provider")
    if notice.currency not in {None, one.currency}:
        raise Unapplicable("another_currency")
    if notice.amount is not None and notice.amount != one.amount:
        raise Unapplicable("another_amount")
    ended = {Kind.SUCCEEDED: SETTLED, Kind.FAILED: RETURNED}.get(notice.kind)
    if ended is None or one.status == ended:
        return one
    payout_id = notice.transaction_id or one.payout_id
    if ended == SETTLED:
        done = settle(one, notice.provider, notice.provider, payout_id=payout_id)
    else:
        why = notice.reason_code or "payout_rejected"
        done = give_back(one, why, notice.provider, payout_id=payout_id)
    if not done:
        raise Unapplicable("impossible_move")
    return one


def _tell(one: Withdrawal, event: str, status: str, **more: Any) -> None:
    personal_facts.tell_of_money(
        *(one.user_id, event, personal_facts.WITHDRAWAL, status),
        transaction_id=one.id,
        amount=one.amount,
        currency=one.currency,
        fee=one.fee,
        provider=one.provider,
        **more,
    )
