"""The calls that existing frontends make, in their own words (docs/frontends.md).

The same use cases as `/api/v1`; only names and status words are theirs. A refusal is a problem like
all others, with `success: false` beside it.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, json

from payments.api import schemas
from payments.api.body import idempotent, read
from payments.api.orders import links
from payments.domain.errors import Forbidden, InvalidAmount, InvalidInput, NotFound, UnknownCurrency
from payments.domain.order import Order
from payments.domain.ports import Payer
from payments.domain.snapshot import iso
from payments.domain.states import OrderStatus
from payments.front.request import house, identity, locale, return_url, somebody
from payments.services import checkout, simulate
from payments.services.access import order_for, order_seen_by
from payments.services.snapshots import order_snapshot
from payments.store import payments
from payments.store.db import now

frontends = Blueprint("frontends", __name__, url_prefix="/api/payment")

_ENDED = {OrderStatus.EXPIRED.value, OrderStatus.CANCELLED.value, "failed"}
_WAITING = {OrderStatus.PENDING.value, OrderStatus.PARTIALLY_PAID.value}


def status_word(display: str) -> str:
    """`PENDING`, `SUCCESSFUL` or `FAILED`."""
    if display in _WAITING:
        return "PENDING"
    return "FAILED" if display in _ENDED else "SUCCESSFUL"


@frontends.after_request
def say_no_in_their_words(response: Response) -> Response:
    if response.mimetype == "application/problem+json":
        response.set_data(json.dumps({**json.loads(response.get_data()), "success": False}))
    return response


@frontends.post("/initiate")
@idempotent
def initiate() -> dict[str, Any]:
    """By CamPay, unless another way is named. `amount` and `currency`, where said, must agree."""
    somebody()
    asked = read(schemas.InitiateIn)
    order = order_for(identity(), asked.orderId)
    _agree(order, asked.amount, asked.currency)
    payment = checkout.start_payment(
        house().rails,
        identity(),
        order.id,
        asked.provider or "campay",
        Payer(phone=asked.phone or asked.phoneNumber),
        return_url(order.id),
        locale(),
    )
    action = payment.action or {}
    answer = {
        "success": True,
        "reference": payment.reference,
        "orderId": order.id,
        "status": "PENDING" if payment.unsettled else status_word(payment.status.value),
        "watchToken": house().tokens.watch(order.id),
    }
    if action.get("ussd_code"):
        answer["ussdCode"] = action["ussd_code"]
    if action.get("fields"):
        # No link leads to the provider's page: ours has the form that does.
        answer["paymentUrl"] = links(order.id)["checkout_url"]
    elif action.get("url") or action.get("deeplink"):
        answer["paymentUrl"] = action.get("url") or action["deeplink"]
    return answer


def _agree(order: Order, amount: int | None, currency: str | None) -> None:
    if currency is not None and currency != order.currency:
        raise UnknownCurrency(
            f"This order is in {order.currency}.", code="currency_differs", field="currency"
        )
    if amount is not None and amount != order.amount_due:
        raise InvalidAmount(
            f"{order.amount_due} {order.currency} are due.", code="amount_differs", field="amount"
        )


@frontends.get("/status/<order_id>")
def status(order_id: str) -> dict[str, Any]:
    order = order_seen_by(somebody(), order_id)
    seen = order_snapshot(order)
    return {
        "success": True,
        "orderId": order.id,
        "status": status_word(seen["display"]),
        "amount": order.amount,
        "currency": order.currency,
        "reference": (seen["payment"] or {}).get("reference"),
        "version": order.version,
    }


@frontends.get("/tracking/<reference>")
def tracking(reference: str) -> dict[str, Any]:
    """The live record of who tracks an attempt; gone an hour after its last change."""
    somebody()
    payment = payments.find(reference)
    if payment is None:
        raise NotFound
    order_seen_by(identity(), payment.order_id)
    record = house().presence.record(reference)
    if record is None:
        raise NotFound
    return {"success": True, "payment": record}


@frontends.get("/debug/connections")
def connections() -> dict[str, Any]:
    """For staff: who is connected, to which rooms, and where the record of it is kept."""
    if not somebody().staff:
        raise Forbidden("You do not have the right to do this.")
    presence = house().presence
    return {
        "success": True,
        **presence.connections(),
        "gateway": presence.figures(),
        "storage": {"status": "healthy", "storage": presence.storage(), "timestamp": iso(now())},
    }


@frontends.post("/test/simulate")
def simulate_payment() -> dict[str, Any]:
    """In the sandbox alone: as if the provider had said so."""
    if not house().settings.sandbox:
        raise NotFound
    somebody()
    asked = read(schemas.SimulateIn)
    order_id = asked.orderId
    if asked.reference:
        payment = payments.find(asked.reference)
        order_id = payment.order_id if payment else None
    if order_id is None:
        if asked.reference:
            raise NotFound
        raise InvalidInput("Name an orderId or a reference.", code="invalid_orderId")
    order = order_for(identity(), order_id)
    paid = simulate.say(identity(), order.id, asked.reference, asked.status.lower())
    order = order_for(identity(), order_id)
    return {
        "success": True,
        "orderId": order.id,
        "reference": paid.reference,
        "status": status_word(order_snapshot(order)["display"]),
        "version": order.version,
    }
