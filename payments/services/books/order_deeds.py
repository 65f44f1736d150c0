"""Orders and attempts, done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from payments.domain.notice import Action
from payments.domain.order import Order, Payment, begun
from payments.domain.ports import Started
from payments.domain.states import OrderStatus
from payments.services import (
    attempts,
    checkout,
    expire,
    moves,
)
from payments.services.books.subjects import (
    known,
    order_of,
    payment_of,
)
from payments.services.wallets import wallet_payments
from payments.store import orders, payments
from payments.store.records import Line, Records, Row


def order_created(kept: Records, line: Line) -> None:
    row = known(kept.order(line.order_id))
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


def order_cancelled(_: Records, line: Line) -> None:
    checkout.withdraw(order_of(line))


def order_expired(_: Records, line: Line) -> None:
    expire.lapse(order_of(line))


def payment_created(kept: Records, line: Line) -> None:
    row = known(kept.payment(line.detail.get("reference")))
    payment = begun(
        row["reference"], order_of(line), row["provider"], row["amount"], row["created_at"]
    )
    payments.add(replace(payment, handle=row["handle"]))
    about = kept.lines_about(line.order_id, row["reference"])
    if not any(one.action in {"payment.accepted", "payment.refused"} for one in about):
        _answered_before_0_2(payment, row, about)


def _answered_before_0_2(payment: Payment, row: Row, about: Sequence[Line]) -> None:
    """Then nobody wrote down what a provider had answered; what came of it shows."""
    said = {one.detail.get("said") for one in about}
    if row["action"] is not None:
        attempts.taken(payment, _started(row, None))
    elif row["failure_code"] is not None and "failed" not in said:
        attempts.not_taken(payment, row["failure_code"])


def payment_accepted(kept: Records, line: Line) -> None:
    payment, row = payment_of(line), known(kept.payment(line.detail.get("reference")))
    attempts.taken(payment, _started(row, line.detail["transaction"]))


def payment_refused(_: Records, line: Line) -> None:
    attempts.not_taken(payment_of(line), line.detail["code"])


def paid_from_wallet(_: Records, line: Line) -> None:
    wallet_payments.take(order_of(line), payment_of(line))


def _started(row: Row, transaction_id: str | None) -> Started:
    return Started(Action(**row["action"]), transaction_id, row["handle"] or {})
