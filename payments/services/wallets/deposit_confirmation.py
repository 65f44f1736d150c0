"""A deposit that people confirm: staff who have seen the money; in the sandbox its owner."""

from __future__ import annotations

from dataclasses import dataclass

from payments.domain.errors import NotFound
from payments.domain.order import Order
from payments.services import confirm, simulate
from payments.services.access import Identity, demand, order_for
from payments.settings import Settings
from payments.store import orders, payments
from payments.store.db import end_read


@dataclass(frozen=True, slots=True)
class DepositConfirmed:
    """The deposit as it is now. `held`: the confirmation that another person has to approve."""

    order: Order
    held: str | None = None


def confirm_deposit(
    settings: Settings,
    who: Identity,
    transaction_id: str,
    amount: int | None = None,
    reason: str | None = None,
    evidence: str | None = None,
) -> DepositConfirmed:
    """`transaction_id`: the deposit's, or the reference of a later attempt at it.

    What is left out is all that is missing, that `who` confirmed it, and the deposit's own name.
    Raises NotFound, Forbidden, InvalidInput, Conflict.
    """
    payment = payments.find(transaction_id)
    order = order_for(who, payment.order_id if payment else transaction_id)
    end_read()
    if not order.deposit:
        raise NotFound
    mine = who.user is not None and who.user.id == order.customer_id
    if settings.sandbox and mine:
        simulate.say(who, order.id, payment.reference if payment else None, "success")
        return _now(order)
    demand(who, "order.confirm")
    done = confirm.confirm(
        *(settings, who, order.id),
        order.amount - order.amount_paid if amount is None else amount,
        reason or f"Deposit confirmed by {_name(who)}",
        evidence or f"deposit {order.id}",
    )
    return _now(order, done.confirmation_id if done.held else None)


def _name(who: Identity) -> str:
    user = who.user
    return (user.name or user.email or user.id) if user else who.actor


def _now(order: Order, held: str | None = None) -> DepositConfirmed:
    return DepositConfirmed(orders.find(order.id) or order, held)
