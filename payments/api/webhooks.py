"""Who of the shop's own systems is told what, and what was sent to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import request

from payments.api import schemas_webhooks as schemas
from payments.api.blueprint import api
from payments.api.body import idempotent, limit_asked, read
from payments.domain.errors import InvalidInput
from payments.domain.snapshot import iso
from payments.domain.webhooks import message
from payments.front.cursors import from_cursor, to_cursor
from payments.front.request import house, identity
from payments.services.access import demand
from payments.services.webhooks import endpoints as use
from payments.store import webhook_deliveries, webhooks
from payments.store.webhook_deliveries import STATUSES, Delivery
from payments.store.webhooks import Endpoint


def _endpoint(one: Endpoint) -> dict[str, Any]:
    """Without its secret, which is shown where it is made and nowhere else."""
    return {
        "id": one.id,
        "url": one.url,
        "events": list(one.events),
        "enabled": one.enabled,
        "disabled_why": one.disabled_why,
        "failing_since": iso(one.failing_since),
        "created_at": iso(one.created_at),
    }


def _delivery(one: Delivery) -> dict[str, Any]:
    return {
        "id": one.id,
        "endpoint_id": one.endpoint_id,
        "webhook_id": one.webhook_id,
        "event": one.event,
        "status": one.status,
        "tries": one.tries,
        "created_at": iso(one.created_at),
        "tried_at": iso(one.tried_at),
        "next_try_at": iso(one.next_at),
        "ended_at": iso(one.ended_at),
        "answer_status": one.answer_status,
        "answer_body": one.answer_body,
        "fault": one.fault,
        "payload": message(one.fact) if one.fact else None,
    }


@api.post("/webhook-endpoints")
@idempotent
def create_endpoint() -> tuple[dict[str, Any], int]:
    demand(identity(), use.RIGHT)
    asked = read(schemas.EndpointIn)
    made = use.create(house().settings, identity(), asked.url, asked.events or [])
    return {**_endpoint(made), "secret": made.secret}, 201


@api.get("/webhook-endpoints")
def list_endpoints() -> dict[str, Any]:
    demand(identity(), use.RIGHT)
    limit = limit_asked()
    found = webhooks.page(from_cursor(request.args.get("cursor")), limit + 1)
    more = found[limit - 1] if len(found) > limit else None
    return {
        "data": [_endpoint(one) for one in found[:limit]],
        "next_cursor": to_cursor(more) if more else None,
    }


@api.patch("/webhook-endpoints/<endpoint_id>")
@idempotent
def edit_endpoint(endpoint_id: str) -> dict[str, Any]:
    demand(identity(), use.RIGHT)
    asked = read(schemas.EndpointChanges)
    changes = use.Changes(asked.url, asked.events, asked.enabled)
    return _endpoint(use.edit(house().settings, identity(), endpoint_id, changes))


@api.delete("/webhook-endpoints/<endpoint_id>")
@idempotent
def remove_endpoint(endpoint_id: str) -> dict[str, Any]:
    return _endpoint(use.remove(identity(), endpoint_id))


@api.post("/webhook-endpoints/<endpoint_id>/rotate")
@idempotent
def rotate_secret(endpoint_id: str) -> dict[str, Any]:
    made = use.rotate(identity(), endpoint_id)
    until = iso(made.previous_until)
    return {**_endpoint(made), "secret": made.secret, "previous_until": until}


@api.post("/webhook-endpoints/<endpoint_id>/recover")
@idempotent
def recover_messages(endpoint_id: str) -> dict[str, Any]:
    demand(identity(), use.RIGHT)
    since = _moment(read(schemas.RecoverIn).since)
    return {"messages": use.recover(identity(), endpoint_id, since)}


@api.get("/webhook-deliveries")
def list_deliveries() -> dict[str, Any]:
    demand(identity(), use.RIGHT)
    status = request.args.get("status")
    if status and status not in STATUSES:
        raise InvalidInput("There is no such status.", code="invalid_status", field="status")
    limit = limit_asked()
    found = webhook_deliveries.page(
        endpoint_id=request.args.get("endpoint_id"),
        status=status,
        before=from_cursor(request.args.get("cursor")),
        limit=limit + 1,
    )
    more = found[limit - 1] if len(found) > limit else None
    return {
        "data": [_delivery(one) for one in found[:limit]],
        "next_cursor": to_cursor(more) if more else None,
    }


@api.post("/webhook-deliveries/<delivery_id>/redeliver")
@idempotent
def redeliver(delivery_id: str) -> tuple[dict[str, Any], int]:
    return _delivery(use.redeliver(identity(), delivery_id)), 201


def _moment(text: str) -> datetime:
    """A time of ISO 8601, in UTC where it names no zone."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            "since is a time of ISO 8601.", code="invalid_since", field="since"
        ) from None
