"""`DEEDS`: how each deed of the audit is done again, by the code that did it.

Kept callbacks go through `apply`, money that found a home through `unmatched`, refunds through
`refunds`. Each is in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.exc import IntegrityError

from payments.domain.errors import PaychimeError, Unapplicable
from payments.services.books import money_deeds, order_deeds, withdrawal_deeds
from payments.store.db import LostRace
from payments.store.records import Line, Records
from payments.store.then import doing_again


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


DEEDS: dict[str, Callable[[Records, Line], None]] = {
    "order.created": order_deeds.order_created,
    "order.cancelled": order_deeds.order_cancelled,
    "order.expired": order_deeds.order_expired,
    "payment.created": order_deeds.payment_created,
    "payment.accepted": order_deeds.payment_accepted,
    "payment.refused": order_deeds.payment_refused,
    "payment.confirmed": money_deeds.confirmed,
    "payment.from_wallet": order_deeds.paid_from_wallet,
    "callback.applied": money_deeds.callback,
    "callback.parked": money_deeds.callback,
    "callback.conflict": money_deeds.conflict,
    "callback.resolved": money_deeds.resolved,
    "money.assigned": money_deeds.assigned,
    "money.returned": money_deeds.returned,
    "refund.requested": money_deeds.refund_requested,
    "refund.taken": money_deeds.refund_taken,
    "refund.paid": money_deeds.refund_paid,
    "refund.failed": money_deeds.refund_failed,
    "withdrawal.requested": withdrawal_deeds.withdrawal_requested,
    "withdrawal.sent": withdrawal_deeds.withdrawal_sent,
    "withdrawal.settled": withdrawal_deeds.withdrawal_settled,
    "withdrawal.returned": withdrawal_deeds.withdrawal_returned,
}

NO_DEEDS = frozenset(
    {
        *("user.created", "key.created", "card.removed", "card.renamed", "customer.claimed_paid"),
        # What they ask for or allow is done where it is done: `payment.confirmed`.
        *("confirmation.held", "confirmation.approved", "confirmation.declined"),
        *("webhook.created", "webhook.changed", "webhook.removed", "webhook.rotated"),
        *("webhook.redelivered", "webhook.recovered", "webhook.disabled"),
    }
)
"""Actions that change nothing which is derived."""
