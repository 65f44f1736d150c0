"""Takes a provider's callback: believe it, read it, apply it, answer."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from payments.domain import memo
from payments.domain.errors import BadCallback, Conflict, InvalidInput, NotFound
from payments.domain.notice import RawCallback
from payments.domain.ports import Answer
from payments.providers.registry import Rails
from payments.services.access import Identity, demand
from payments.services.apply import DOUBT_PAUSE, apply
from payments.services.figures import CALLBACKS
from payments.store import audit, bank_lines, inbox, payments
from payments.store.db import end_read, in_transaction, now

log = structlog.get_logger()

DOUBTED_BYTES = 4096
"""So much of a callback that is refused is looked through for a reference of ours."""

KEPT_HEADERS = frozenset(
    {
        *("content-type", "user-agent", "webhook-id", "webhook-timestamp", "x-request-id"),
        *("x-razorpay-event-id", "x-sepay-timestamp"),
    }
)
"""Only these are stored with a callback: everything else could be a secret."""


def receive(rails: Rails, provider: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """What the provider is to be answered. Raises BadCallback (with its status), NotFound, Busy."""
    rail = rails.receiver(provider)
    try:
        rail.verify(headers, body)
        notices = rail.read(headers, body)
    except BadCallback as refusal:
        _doubt(body)
        CALLBACKS.labels(provider, "refused").inc()
        log.warning("callback refused", provider=provider, why=type(refusal).__name__)
        raise
    if not notices:
        # Believed, and it says nothing of money.
        CALLBACKS.labels(provider, "ignored").inc()
    kept = {name: value for name, value in headers.items() if name.lower() in KEPT_HEADERS}
    for verdict in apply(notices, RawCallback(provider, "callback", body, kept)):
        CALLBACKS.labels(provider, verdict.word).inc()
        log.info("callback", provider=provider, verdict=verdict.word, reason=verdict.reason)
    return rail.answer


def _doubt(body: bytes) -> None:
    """A callback that proves nothing may still be about something: its attempt is asked about.

    One question in `DOUBT_PAUSE` for an attempt, however many callbacks name it.
    """
    for named in memo.references_in(body[:DOUBTED_BYTES].decode("ascii", "replace")):
        if payments.find(named) is not None:
            end_read()
            in_transaction(lambda one=named: payments.ask_about(one, now(), DOUBT_PAUSE))  # type: ignore[misc]
            return


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
        line = bank_lines.find(callback_id)
        if line is not None and line.waits:
            raise Conflict(
                "Its money waits under Unmatched money: say there whose it is.", code="money_waits"
            )
        if not inbox.resolve(callback_id):
            raise Conflict("This callback waits no more.", code="already_resolved")
        audit.record(who.actor, "callback.resolved", entry.order_id, reason, entry=callback_id)

    in_transaction(change)
