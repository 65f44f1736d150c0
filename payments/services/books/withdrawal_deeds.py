"""Money that left a wallet, done again."""

from __future__ import annotations

from dataclasses import fields

from payments.domain.withdrawals import HELD, Withdrawal
from payments.services.books.subjects import (
    known,
    withdrawal_of,
)
from payments.services.wallets import withdrawal_moves
from payments.store.records import Line, Records


def withdrawal_requested(kept: Records, line: Line) -> None:
    row = known(kept.withdrawal(line.detail["withdrawal"]))
    names = {one.name for one in fields(Withdrawal)} & row.keys()
    unsent = {"payout_id": None, "status": HELD, "evidence": None, "reason": None}
    terms = {name: row[name] for name in names} | unsent | {"ask_at": None, "ended_at": None}
    withdrawal_moves.hold(Withdrawal(**terms), line.actor)


def withdrawal_sent(_: Records, line: Line) -> None:
    withdrawal_moves.sent(withdrawal_of(line), line.detail["payout"])


def withdrawal_settled(_: Records, line: Line) -> None:
    said = line.detail
    withdrawal_moves.settle(
        *(withdrawal_of(line), said["rail"], line.actor),
        payout_id=said["payout"],
        evidence=said["evidence"],
    )


def withdrawal_returned(_: Records, line: Line) -> None:
    withdrawal_moves.give_back(
        *(withdrawal_of(line), line.reason or "", line.actor), payout_id=line.detail["payout"]
    )
