"""Takes a provider's callback: believe it, read it, apply it, answer."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from payments.domain.errors import BadCallback, Conflict, InvalidInput, NotFound
from payments.domain.notice import RawCallback
from payments.domain.ports import Answer
from payments.providers.registry import Rails
from payments.services.access import Identity, demand
from payments.services.apply import apply
from payments.services.figures import CALLBACKS
from payments.store import audit, inbox
from payments.store.db import in_transaction

log = structlog.get_logger()

KEPT_HEADERS = frozenset(
    {"content-type", "user-agent", "webhook-id", "webhook-timestamp", "x-request-id"}
)
"""Only these are stored with a callback: everything else could be a secret."""


def receive(rails: Rails, provider: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """What the provider is to be answered. Raises BadCallback (with its status), NotFound, Busy."""
    rail = rails.receiver(provider)
    try:
        rail.verify(headers, body)
        notices = rail.read(headers, body)
    except BadCallback as refusal:
        CALLBACKS.labels(provider, "refused").inc()
        log.warning("callback refused", provider=provider, why=type(refusal).__name__)
        raise
    kept = {name: value for name, value in headers.items() if name.lower() in KEPT_HEADERS}
    for verdict in apply(notices, RawCallback(provider, "callback", body, kept)):
        CALLBACKS.labels(provider, verdict.word).inc()
        log.info("callback", provider=provider, verdict=verdict.word, reason=verdict.reason)
    return rail.answer


def resolve(who: Identity, callback_id: int, reason: str) -> None:
    """Staff have dealt with a kept callback; it stays where it is, and waits no more.

    Raises NotFound, InvalidInput, and Conflict where another got there first.
    """
    demand(who, "order.confirm")
    reason = reason.strip()
    if not 3 <= len(reason) <= 500:
        raise InvalidInput(
            "Say why, in 3 to 500 characters.", code="invalid_reason", field="reason"
        )

    def change() -> None:
        entry = inbox.find(callback_id)
        if entry is None:
            raise NotFound
        if not inbox.resolve(callback_id):
            raise Conflict("This callback waits no more.", code="already_resolved")
        audit.record(who.actor, "callback.resolved", entry.order_id, reason, entry=callback_id)

    in_transaction(change)
