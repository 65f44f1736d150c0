"""Orders: open, list, read, catch up, confirm, cancel, refund."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from flask import request

from payments.api import schemas
from payments.api.blueprint import api
from payments.api.body import idempotent, limit_asked, read, version_asked
from payments.domain.errors import InvalidInput, NotFound
from payments.domain.money import price
from payments.domain.order import Order
from payments.domain.states import OrderStatus
from payments.front.cursors import from_cursor, to_cursor
from payments.front.request import base_url, house, identity, somebody
from payments.services import checkout, confirm, refunds
from payments.services.access import demand, order_for, order_seen_by
from payments.services.snapshots import order_events, order_snapshot
from payments.store import orders
from payments.store.refunds import Refund

MAX_METADATA_BYTES = 8_000


def body_of(order: Order) -> dict[str, Any]:
    """The answer of every call about one order."""
    return {**order_snapshot(order), **links(order.id)}


def links(order_id: str) -> dict[str, str]:
    tokens, page = house().tokens, f"{base_url()}/checkout/{order_id}"
    # The access link makes an owner: whoever may only watch gets the address without it.
    watching = identity().kind == "watch"
    return {
        "checkout_url": page if watching else f"{page}?access={tokens.link(order_id)}",
        "watch_token": tokens.watch(order_id),
    }


@api.post("/orders")
@idempotent
def open_order() -> tuple[dict[str, Any], int]:
    demand(identity(), "order.create")
    asked = read(schemas.OrderIn)
    customer = asked.customer or schemas.Customer()
    metadata = asked.metadata or {}
    if len(json.dumps(metadata).encode()) > MAX_METADATA_BYTES:
        raise InvalidInput("metadata takes 8 kB.", code="invalid_metadata", field="metadata")
    order = checkout.open_order(
        house().settings,
        identity(),
        checkout.NewOrder(
            money=price(asked.amount, asked.currency),
            description=asked.description,
            id=asked.id,
            customer_id=customer.id,
            customer_email=customer.email,
            customer_name=customer.name,
            salon_id=asked.salon_id,
            return_url=asked.return_url,
            metadata=metadata,
            expires_in=timedelta(seconds=asked.expires_in) if asked.expires_in else None,
        ),
    )
    return body_of(order), 201


@api.get("/orders")
def list_orders() -> dict[str, Any]:
    demand(identity(), "order.see")
    status = request.args.get("status")
    if status and status not in {one.value for one in OrderStatus}:
        raise InvalidInput("There is no such status.", code="invalid_status", field="status")
    limit = limit_asked()
    found = orders.page(
        status=status,
        customer_id=request.args.get("customer_id"),
        search=request.args.get("search"),
        before=from_cursor(request.args.get("cursor")),
        limit=limit + 1,
    )
    more = found[limit - 1] if len(found) > limit else None
    return {
        "data": [body_of(order) for order in found[:limit]],
        "next_cursor": to_cursor(more) if more else None,
    }


@api.get("/orders/<order_id>")
def get_order(order_id: str) -> dict[str, Any]:
    return body_of(order_seen_by(somebody(), order_id))


@api.get("/orders/<order_id>/events")
def get_events(order_id: str) -> dict[str, Any]:
    after = version_asked()
    order = order_seen_by(somebody(), order_id)
    missed = order_events(order.id, after)
    if missed is None:
        raise NotFound
    return {**missed, "snapshot": {**missed["snapshot"], **links(order.id)}}


@api.post("/orders/<order_id>/confirm")
@idempotent
def confirm_order(order_id: str) -> tuple[dict[str, Any], int]:
    demand(identity(), "order.confirm")
    asked = read(schemas.ConfirmIn)
    done = confirm.confirm(
        house().settings, identity(), order_id, asked.amount, asked.reason, asked.evidence
    )
    if done.held:
        return {"confirmation_id": done.confirmation_id, "status": "held"}, 202
    order = order_for(identity(), order_id)
    return {**body_of(order), "confirmation_id": done.confirmation_id}, 200


@api.post("/confirmations/<confirmation_id>/approve")
@idempotent
def approve_confirmation(confirmation_id: str) -> dict[str, Any]:
    approved = confirm.approve(identity(), confirmation_id)
    order = order_for(identity(), approved.order_id)
    return {**body_of(order), "confirmation_id": approved.id}


@api.post("/confirmations/<confirmation_id>/decline")
@idempotent
def decline_confirmation(confirmation_id: str) -> dict[str, Any]:
    reason = read(schemas.DeclineIn).reason
    declined = confirm.decline(identity(), confirmation_id, reason)
    return {
        "confirmation_id": declined.id,
        "order_id": declined.order_id,
        "status": "declined",
    }


@api.post("/orders/<order_id>/cancel")
@idempotent
def cancel_order(order_id: str) -> dict[str, Any]:
    demand(identity(), "order.cancel")
    return body_of(checkout.cancel(identity(), order_id, read(schemas.CancelIn).reason))


@api.post("/orders/<order_id>/refunds")
@idempotent
def refund_order(order_id: str) -> tuple[dict[str, Any], int]:
    demand(identity(), "order.refund")
    asked = read(schemas.RefundIn)
    made = refunds.refund(
        *(house().rails, identity(), order_id, asked.amount, asked.reason),
        to_wallet=asked.to == "wallet",
    )
    return {"data": [_refund_body(one) for one in made]}, 201


def _refund_body(one: Refund) -> dict[str, Any]:
    return {
        "id": one.id,
        "reference": one.reference,
        "status": one.status,
        "amount": one.amount,
        "currency": one.currency,
        "reason": one.reason,
    }
