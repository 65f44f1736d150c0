"""In the sandbox: says of a payment what its provider would say. Never reachable elsewhere."""

from __future__ import annotations

import json

from payments.domain.errors import Conflict, NotFound
from payments.domain.notice import Notice, RawCallback
from payments.domain.order import Payment
from payments.domain.states import Kind
from payments.services.access import Identity
from payments.services.apply import apply
from payments.services.ids import new_id
from payments.store import orders, payments
from payments.store.db import end_read

KINDS = {
    "success": Kind.SUCCEEDED,
    "successful": Kind.SUCCEEDED,
    "failed": Kind.FAILED,
    "pending": Kind.PROCESSING,
}
PROVIDER = "generic"
"""Whose attempt is made where nobody had begun to pay."""


def say(who: Identity, order_id: str, reference: str | None, status: str) -> Payment:
    """Through the inbox like a callback. Raises NotFound, and Conflict where it cannot be."""
    last = payments.find(reference) if reference else payments.last_of(order_id)
    order = orders.find(order_id)
    end_read()
    if order is None or (reference and last is None):
        raise NotFound
    said = new_id("SIM")
    notice = Notice(
        provider=last.provider if last else PROVIDER,
        event_id=said,
        kind=KINDS[status],
        reference=last.reference if last else None,
        order_id=order_id,
        transaction_id=(last.transaction_id if last else None) or said,
        amount=last.amount if last else order.amount_due or order.amount,
        currency=order.currency,
        any_amount=last is None,
        reason_code="declined_by_payer" if status == "failed" else None,
    )
    body = json.dumps({"simulated": status, "by": who.actor}).encode()
    (verdict,) = apply([notice], RawCallback(notice.provider, "callback", body))
    if verdict.word != "applied":
        raise Conflict("This cannot happen to the order now.", code=verdict.reason or "conflict")
    now_last = payments.find(notice.reference) if notice.reference else payments.last_of(order_id)
    if now_last is None:
        raise NotFound
    return now_last
