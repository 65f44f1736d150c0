"""Moves an order or an attempt along `TRANSITIONS`, with posting and fact, in a transaction."""

from __future__ import annotations

from typing import Any

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Unapplicable
from payments.domain.facts import Fact, order_topic
from payments.domain.order import Order, Payment
from payments.domain.snapshot import payment_view, snapshot
from payments.domain.states import (
    OPEN,
    TRANSITIONS,
    Kind,
    Move,
    OrderStatus,
    PaymentStatus,
    Recipe,
)
from payments.services.wallets import personal_facts
from payments.store import ledger, orders, outbox, payments, people
from payments.store.db import now


def lookup(status: OrderStatus | PaymentStatus, kind: Kind) -> Move:
    """The row of the table. Raises Unapplicable where there is none: the move is impossible."""
    move = TRANSITIONS.get((status, kind))
    if move is None:
        raise Unapplicable("impossible_move")
    return move


def move_payment(payment: Payment, kind: Kind, **changes: Any) -> Payment:
    """By compare-and-set on the attempt's status; writes nothing where nothing changes."""
    to = lookup(payment.status, kind).to
    if to is payment.status and not changes:
        return payment
    return payments.move(payment, status=to, updated_at=now(), **changes)


def move_order(order: Order, kind: Kind, payment: Payment | None = None, **changes: Any) -> Order:
    """Moves the order, and tells it where a page could show it: one version, one fact."""
    move = lookup(order.status, kind)
    if move.fact is None:
        return orders.move(order, **changes) if changes else order
    if move.to in OPEN:
        changes["ended_at"] = None
    elif order.open or order.status is OrderStatus.EXPIRED:
        changes["ended_at"] = now()
    moved = orders.move(
        order,
        status=move.to,
        version=order.version + 1,
        late=order.late or move.late,
        **changes,
    )
    tell(moved, move.fact, payment)
    return moved


def receive(order: Order, payment: Payment, amount: int, source: str) -> Order:
    """Books `amount` minor units that came by `payment` out of the ledger's account `source`.

    Moves the order by what was due. What is over is the customer's where they have a wallet here.
    """
    kind = order.kind_of_receipt(amount)
    recipe = lookup(order.status, kind).posting or Recipe.SUSPENSE
    due = order.amount - order.amount_paid
    owner = people.known_by(order.customer_id, now())
    parts = bookkeeping.split(recipe, amount, due, owner, deposit=order.deposit)
    cause = f"receipt:{payment.reference}"
    ledger.append(bookkeeping.received(cause, source, order.currency, parts), order.id)
    moved = move_order(
        order,
        kind,
        payment,
        amount_paid=order.amount_paid + amount,
        amount_excess=order.amount_excess + parts.held,
        amount_credited=order.amount_credited + parts.credited,
    )
    if parts.owner is not None and parts.credited:
        personal_facts.credited(parts.owner, moved, payment, parts.credited)
    return moved


def tell(order: Order, event: str, payment: Payment | None = None) -> None:
    """Writes the fact to the outbox, in the transaction that makes it true."""
    outbox.add(
        Fact(
            topic=order_topic(order.id),
            version=order.version,
            event=event,
            snapshot=snapshot(order, payments.last_of(order.id)),
            about={
                "payment": payment_view(payment) if payment else None,
                "closed": _closed_with(order, event),
                "customer_id": order.customer_id,
                "salon_id": order.salon_id,
            },
            at=now(),
        )
    )
    if order.deposit:
        personal_facts.deposit_moved(order, event, payment)


_CLOSED = {"order.expired": PaymentStatus.EXPIRED, "order.cancelled": PaymentStatus.CANCELLED}


def _closed_with(order: Order, event: str) -> list[dict[str, Any]]:
    """The attempts that waited until the order ended: whoever tracks one of them is told."""
    ended = _CLOSED.get(event)
    if ended is None:
        return []
    return [payment_view(one) for one in payments.of_order(order.id) if one.status is ended]
