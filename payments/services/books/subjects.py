"""What a line of the audit is about, as it is in the books by then. All raise Unapplicable."""

from __future__ import annotations

from typing import TypeVar

from payments.domain.errors import Unapplicable
from payments.domain.order import Order, Payment
from payments.domain.withdrawals import Withdrawal
from payments.store import bank_lines, orders, payments, withdrawals
from payments.store import refunds as promises
from payments.store.bank_lines import BankLine
from payments.store.records import Line
from payments.store.refunds import Refund

T = TypeVar("T")


def order_of(line: Line) -> Order:
    return known(orders.lock(line.order_id or ""))


def payment_of(line: Line) -> Payment:
    return known(payments.find(line.detail.get("reference", "")))


def promise_of(line: Line) -> Refund:
    return known(promises.find(line.detail["refund"]))


def withdrawal_of(line: Line) -> Withdrawal:
    return known(withdrawals.find(line.detail["withdrawal"]))


def bank_line_of(line: Line) -> BankLine:
    return known(bank_lines.find(line.detail["entry"]))


def known(found: T | None) -> T:
    if found is None:
        raise Unapplicable("what it is about is not among the records")
    return found
