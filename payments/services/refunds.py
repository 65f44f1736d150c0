"""Gives money back: promised in one transaction, asked of the provider, ended in another."""

from __future__ import annotations

from payments.domain import ledger as bookkeeping
from payments.domain.errors import (
    Conflict,
    InvalidAmount,
    InvalidInput,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
    Unapplicable,
)
from payments.domain.money import Money
from payments.domain.notice import Notice
from payments.domain.order import WALLET, Order, Payment
from payments.domain.questions import FIRST_QUESTION, IN_FLIGHT
from payments.domain.states import Kind, PaymentStatus
from payments.providers.registry import Rails
from payments.services import refund_moves
from payments.services.access import Identity, demand
from payments.services.ids import new_id
from payments.services.wallets.wallet_payments import payer_of
from payments.store import orders, payments, people, refunds
from payments.store.db import end_read, in_transaction, now
from payments.store.refunds import Refund


def refund(
    rails: Rails,
    who: Identity,
    order_id: str,
    amount: int | None,
    reason: str,
    *,
    to_wallet: bool = False,
) -> list[Refund]:
    """Refunds `amount` minor units, or all that is left, from the newest payments back.

    What a wallet paid goes back there at once, and with `to_wallet` everything goes to the
    customer's. Where the rail cannot refund, the refund stays `requested` until staff have paid it
    by hand. Raises Forbidden, NotFound, InvalidInput, Conflict, ProviderRefused.
    """
    demand(who, "order.refund")
    reason = reason.strip()
    if not 3 <= len(reason) <= 500:
        raise InvalidInput(
            "Say why, in 3 to 500 characters.", code="invalid_reason", field="reason"
        )
    promised = in_transaction(lambda: _promise(rails, who, order_id, amount, reason, to_wallet))
    end_read()
    for one in promised:
        try:
            if one.wallet_of is None:
                send(rails, one)
        except ProviderUnavailable:
            # It may have been taken: the promise stands, and is asked for again under the same id.
            soon = now() + FIRST_QUESTION
            in_transaction(lambda kept=one, to=soon: refunds.ask_again(kept.id, to))  # type: ignore[misc]
    return [refunds.find(one.id) or one for one in promised]


def send(rails: Rails, promised: Refund) -> None:
    """Asks the provider. The same refund asked for twice is one: its id goes along.

    Raises ProviderUnavailable, and ProviderRefused once the promise is taken back.
    """
    payment = payments.find(promised.reference)
    end_read()
    if payment is None or not _refundable(rails, payment):
        return
    money = Money(promised.amount, promised.currency)
    try:
        done = rails.rail(payment.provider).refund(payment, promised.id, money, promised.reason)
    except ProviderRefused:
        in_transaction(lambda: refund_moves.take_back(promised))
        raise
    if done.final:
        evidence = done.refund_id or promised.id
        in_transaction(lambda: refund_moves.pay_out(promised, payment.provider, evidence, "system"))
    elif done.refund_id is not None:
        # Taken, not paid: from now on its end is asked for, not the refund.
        next_at = now() + FIRST_QUESTION
        taken = (promised, payment.provider, done.refund_id, next_at)
        in_transaction(lambda: refund_moves.taken(*taken))


def _refundable(rails: Rails, payment: Payment) -> bool:
    """By the rail itself: what only staff have seen, the provider does not know."""
    return rails.able(payment.provider, "refund") and payment.transaction_id is not None


def ring(notice: Notice) -> Refund | None:
    """A doorbell about a refund: the question is due now. None where it is about none of ours."""
    name = notice.refund or notice.transaction_id
    promised = refunds.find_said(name) if name else None
    # One that the provider has not answered yet may be on its way: it is not sent beside itself.
    if promised is not None and promised.provider_refund_id is not None:
        refunds.ask_again(promised.id, now())
    return promised


def told(notice: Notice) -> Payment:
    """The provider's word about a refund, in the caller's transaction; the payment it gives back.

    Raises Unapplicable: `unknown_refund`, `another_amount`, or `impossible_move` where it ended
    otherwise.
    """
    promised = refunds.find_said(notice.refund or "")
    payment = payments.find(promised.reference) if promised else None
    if promised is None or payment is None:
        raise Unapplicable("unknown_refund")
    if notice.currency not in {None, promised.currency}:
        raise Unapplicable("another_currency", promised.order_id)
    if notice.amount is not None and notice.amount != promised.amount:
        raise Unapplicable("another_amount", promised.order_id)
    ended = {Kind.SUCCEEDED: "succeeded", Kind.FAILED: "failed"}.get(notice.kind)
    if ended is None or promised.status == ended:
        return payment
    if promised.status != "requested":
        raise Unapplicable("impossible_move", promised.order_id)
    if notice.kind is Kind.SUCCEEDED:
        name = notice.transaction_id or promised.provider_refund_id or promised.id
        refund_moves.pay_out(promised, payment.provider, name, notice.provider)
    else:
        refund_moves.take_back(promised)
    return payment


def settle_by_hand(who: Identity, refund_id: str, evidence: str) -> str:
    """Staff have given the money back themselves; the order's id. Raises NotFound, Conflict."""
    demand(who, "order.refund")
    if not 3 <= len(evidence.strip()) <= 100:
        raise InvalidInput("Evidence takes 3 to 100 characters.", code="invalid_evidence")

    def change() -> str:
        promised = refunds.find(refund_id)
        if promised is None:
            raise NotFound
        if promised.status != "requested":
            raise Conflict("This refund has ended.", code="refund_ended")
        refund_moves.pay_out(promised, bookkeeping.BY_HAND, evidence.strip(), who.actor)
        return promised.order_id

    return in_transaction(change)


def _promise(
    rails: Rails, who: Identity, order_id: str, amount: int | None, reason: str, to_wallet: bool
) -> list[Refund]:
    order = orders.lock(order_id)
    if order is None:
        raise NotFound
    left = [
        (payment, payment.amount_received - refunds.claimed(payment.reference))
        for payment in reversed(payments.of_order(order_id))
        if payment.status is PaymentStatus.SUCCEEDED
    ]
    # What went to the customer's wallet is theirs already.
    available = sum(rest for _, rest in left) - order.amount_credited
    wanted = available if amount is None else amount
    if available <= 0:
        raise Conflict("There is nothing to refund.", code="nothing_to_refund")
    if not 0 < wanted <= available:
        raise InvalidAmount(
            f"From 1 to {available} can be refunded.",
            field="amount",
            most=available,
            currency=order.currency,
        )
    owner = _wallet_of_customer(order) if to_wallet else None
    promised = []
    for payment, rest in left:
        if wanted and rest:
            into = owner or (payer_of(payment) if payment.provider == WALLET else None)
            # Where nobody can be asked, the refund waits for staff.
            askable = into is None and _refundable(rails, payment)
            part = min(wanted, rest)
            made = refund_moves.promise(
                *(new_id("R"), order, payment, part, reason, who.actor),
                ask_at=now() + IN_FLIGHT if askable else None,
                wallet_of=into,
            )
            promised.append(made)
            if into is not None:
                order = refund_moves.pay_out(made, WALLET, made.id, who.actor) or order
            wanted -= part
    return promised


def _wallet_of_customer(order: Order) -> str:
    """Raises InvalidInput where the customer is nobody with an account here."""
    owner = people.known_by(order.customer_id, now())
    if owner is None:
        raise InvalidInput("This customer has no wallet.", code="no_wallet", field="to")
    return owner
