"""Staff confirm money they have seen: with reason and evidence, above a limit by two people."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from payments.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, Unapplicable
from payments.domain.money import Money, price
from payments.domain.notice import RawCallback
from payments.domain.order import Order
from payments.domain.states import OrderStatus
from payments.services import settlement
from payments.services.access import Identity, demand
from payments.services.ids import new_id
from payments.services.transfers import demand_unheard
from payments.settings import Settings
from payments.store import audit, confirmations, inbox, orders, payments
from payments.store.confirmations import Confirmation
from payments.store.db import in_transaction

UPI = frozenset({"upi", "upi-address"})
UTR = re.compile(r"[0-9]{12}")
"""Of a UPI payment; its digits are the same at the payer's and at the payee's bank."""

CONFIRMABLE = frozenset({OrderStatus.PENDING, OrderStatus.PARTIALLY_PAID, OrderStatus.EXPIRED})


@dataclass(frozen=True, slots=True)
class Confirmed:
    """`held`: above the limit, and nothing is paid until another person agrees."""

    confirmation_id: str
    held: bool


def confirm(
    settings: Settings, who: Identity, order_id: str, amount: object, reason: str, evidence: str
) -> Confirmed:
    """Raises Forbidden, NotFound, InvalidInput, and Conflict where the evidence has been used."""
    demand(who, "order.confirm")
    if who.user is None:
        raise Forbidden("Only a person can confirm what a person has seen.")
    reason, evidence = words(reason, "reason", 3, 500), words(evidence, "evidence", 3, 100)
    confirmation_id = new_id("C")

    def change() -> Confirmed:
        order = _confirmable(order_id)
        if order.deposit and order.customer_id == who.user_id:
            raise Forbidden("Nobody confirms their own deposit.")
        money = price(amount, order.currency)
        last = payments.last_of(order.id)
        if last and last.provider in UPI and not UTR.fullmatch(evidence):
            raise InvalidInput("A UTR has 12 digits.", code="invalid_evidence", field="evidence")
        demand_unheard(evidence, money, order.id)
        limit = settings.confirm_limit.get(order.currency)
        # Counted over the order: a large amount in small parts is a large amount.
        before = sum(one.amount for one in confirmations.of_order(order.id) if one.alone)
        held = limit is not None and before + money.amount > limit
        confirmations.add(
            id=confirmation_id,
            order_id=order.id,
            status="held" if held else "applied",
            amount=money.amount,
            currency=order.currency,
            reason=reason,
            evidence=evidence,
            requested_by=who.actor,
        )
        if held:
            audit.record(who.actor, "confirmation.held", order.id, reason, amount=money.amount)
        else:
            _apply(order, money.amount, confirmation_id, who.actor, reason, evidence)
        return Confirmed(confirmation_id, held)

    return in_transaction(change)


def approve(who: Identity, confirmation_id: str) -> Confirmation:
    """A second person agrees. Nobody approves their own. Raises Forbidden, NotFound, Conflict."""
    demand(who, "order.approve")

    def change() -> Confirmation:
        held = confirmations.find(confirmation_id)
        if held is None:
            raise NotFound
        if held.requested_by == who.actor:
            raise Forbidden("Nobody approves their own confirmation.")
        if held.status != "held":
            raise Conflict("This confirmation is approved already.", code="already_approved")
        order = _confirmable(held.order_id)
        demand_unheard(held.evidence, Money(held.amount, held.currency), order.id)
        if not confirmations.approve(confirmation_id, who.actor):
            raise _ended(confirmation_id)
        _apply(order, held.amount, held.id, held.requested_by, held.reason, held.evidence)
        audit.record(
            who.actor, "confirmation.approved", order.id, held.reason, confirmation=held.id
        )
        return confirmations.find(confirmation_id) or held

    return in_transaction(change)


def decline(who: Identity, confirmation_id: str, reason: str) -> Confirmation:
    """It was not so: nothing is booked, and its evidence may be used again.

    Whoever has asked for it may take it back; anybody else needs the right to approve. Raises
    Forbidden, NotFound, InvalidInput, and Conflict where it is approved already.
    """

    def change() -> Confirmation:
        held = confirmations.find(confirmation_id)
        if held is None or held.requested_by != who.actor:
            demand(who, "order.approve")
        if held is None:
            raise NotFound
        said = words(reason, "reason", 3, 500)
        orders.lock(held.order_id)
        if not confirmations.remove_held(confirmation_id):
            raise _ended(confirmation_id)
        # All of it, since the request itself is gone.
        audit.record(
            *(who.actor, "confirmation.declined", held.order_id, said),
            confirmation=held.id,
            amount=held.amount,
            evidence=held.evidence,
            requested_by=held.requested_by,
            requested_for=held.reason,
        )
        return held

    return in_transaction(change)


def _ended(confirmation_id: str) -> Conflict | NotFound:
    """What the second of two people is told who decide at the same moment."""
    if confirmations.find(confirmation_id) is None:
        return NotFound()
    return Conflict("This confirmation is approved already.", code="already_approved")


def _confirmable(order_id: str) -> Order:
    order = orders.lock(order_id)
    if order is None:
        raise NotFound
    if order.status not in CONFIRMABLE:
        raise Conflict(
            f"This order is {order.status.value}; there is nothing to confirm.",
            code="order_not_payable",
        )
    return order


def _apply(
    order: Order, amount: int, confirmation_id: str, actor: str, reason: str, evidence: str
) -> None:
    """Through the inbox like every other movement of money, so that a rebuild finds it there."""
    notice = settlement.confirmed_by_hand(order, amount, confirmation_id)
    said = {
        "order_id": order.id,
        "amount": amount,
        "currency": order.currency,
        "by": actor,
        "reason": reason,
        "evidence": evidence,
    }
    raw = RawCallback(settlement.STAFF, "staff", json.dumps(said, ensure_ascii=False).encode())
    entry = inbox.append(notice, raw)
    if entry is None:
        raise Conflict("This confirmation is applied already.", code="already_approved")
    try:
        payment = settlement.settle(notice, actor)
    except Unapplicable as fault:
        raise Conflict("This order cannot be confirmed now.", code=fault.reason) from fault
    inbox.judge(entry, "applied", order_id=order.id, reference=payment.reference)
    audit.record(
        actor, "payment.confirmed", order.id, reason, amount=amount, reference=payment.reference
    )


def words(text: object, field: str, shortest: int, longest: int) -> str:
    """What staff have typed, in one line. Raises InvalidInput naming the field."""
    text = " ".join(text.split()) if isinstance(text, str) else ""
    if not shortest <= len(text) <= longest or not text.isprintable():
        raise InvalidInput(
            f"{field.capitalize()} takes {shortest} to {longest} characters.",
            code=f"invalid_{field}",
            field=field,
        )
    return text
