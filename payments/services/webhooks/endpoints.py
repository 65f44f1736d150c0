"""What shops and admins do with webhook endpoints, and which messages each endpoint is to get."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from payments.domain import addresses
from payments.domain.errors import Conflict, InvalidInput, NotFound
from payments.domain.facts import Fact
from payments.domain.snapshot import iso
from payments.domain.webhooks import (
    DISABLED_BY_STAFF,
    EVENTS,
    KEPT,
    ROTATION,
    sent_as,
)
from payments.providers import outgoing
from payments.providers.outgoing import NotSent, Resolve
from payments.services.access import Identity, demand
from payments.services.ids import new_id
from payments.settings import Settings
from payments.store import audit, outbox, webhook_deliveries, webhooks
from payments.store.db import end_read, in_transaction, now
from payments.store.webhook_deliveries import FAILED, Delivery
from payments.store.webhooks import Endpoint

RIGHT = "webhook.edit"
MOST_ENDPOINTS = 50
SECRET_BYTES = 32
RECOVERED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Changes:
    """None: stays as it is."""

    url: str | None = None
    events: Sequence[str] | None = None
    enabled: bool | None = None


def expect(facts: Sequence[Fact]) -> None:
    """Writes down who is to be told, in the transaction in which the facts are marked published.

    One question for all of them, on a table of a few rows; none where nobody could be told.
    """
    told = [fact for fact in facts if sent_as(fact) is not None]
    if told:
        webhook_deliveries.expect(told, webhooks.listening(), lambda: new_id("D"))


def create(
    settings: Settings,
    who: Identity,
    url: str,
    events: Sequence[str],
    *,
    resolve: Resolve = outgoing.resolve,
) -> Endpoint:
    """A new endpoint, with its secret. Raises InvalidInput, and Conflict where there are many."""
    demand(who, RIGHT)
    chosen = _known(events)
    _check(settings, url, resolve)
    endpoint_id = new_id("W")

    def change() -> Endpoint:
        if webhooks.count() >= MOST_ENDPOINTS:
            raise Conflict(f"There are {MOST_ENDPOINTS} endpoints.", code="too_many_endpoints")
        webhooks.add(
            endpoint_id,
            url=url,
            events=chosen,
            secret=_new_secret(),
            created_by=who.actor,
            created_at=now(),
        )
        audit.record(
            who.actor, "webhook.created", endpoint=endpoint_id, host=_host(url), events=chosen
        )
        return _there(webhooks.find(endpoint_id))

    return in_transaction(change)


def edit(
    settings: Settings,
    who: Identity,
    endpoint_id: str,
    changes: Changes,
    *,
    resolve: Resolve = outgoing.resolve,
) -> Endpoint:
    """What waits while it is disabled is sent when it is enabled again."""
    demand(who, RIGHT)
    _there(webhooks.find(endpoint_id))
    chosen = None if changes.events is None else _known(changes.events)
    if changes.url is not None:
        _check(settings, changes.url, resolve)

    def change() -> Endpoint:
        before = _there(webhooks.lock(endpoint_id))
        if changes.url is not None:
            webhooks.change(endpoint_id, url=changes.url)
        if chosen is not None:
            webhooks.change(endpoint_id, events=chosen)
        if changes.enabled is False and before.enabled:
            disable(endpoint_id, DISABLED_BY_STAFF)
        if changes.enabled and not before.enabled:
            _enable(endpoint_id)
        after = _there(webhooks.find(endpoint_id))
        audit.record(
            *(who.actor, "webhook.changed"),
            endpoint=endpoint_id,
            host=_host(after.url),
            events=list(after.events),
            enabled=after.enabled,
        )
        return after

    return in_transaction(change)


def disable(endpoint_id: str, why: str) -> None:
    """In the caller's transaction."""
    webhooks.change(endpoint_id, disabled_at=now(), disabled_why=why)
    webhook_deliveries.hold(endpoint_id)


def _enable(endpoint_id: str) -> None:
    fresh = dict.fromkeys(("disabled_at", "disabled_why", "failing_since", "failed_at"))
    webhooks.change(endpoint_id, **fresh)
    webhook_deliveries.release(endpoint_id)


def remove(who: Identity, endpoint_id: str) -> Endpoint:
    """With all that was sent to it. Raises NotFound."""
    demand(who, RIGHT)

    def change() -> Endpoint:
        endpoint = _there(webhooks.lock(endpoint_id))
        webhooks.remove(endpoint_id)
        audit.record(who.actor, "webhook.removed", endpoint=endpoint_id, host=_host(endpoint.url))
        return endpoint

    return in_transaction(change)


def rotate(who: Identity, endpoint_id: str) -> Endpoint:
    """A new secret; the one before signs beside it for ROTATION. Raises NotFound."""
    demand(who, RIGHT)

    def change() -> Endpoint:
        before = _there(webhooks.lock(endpoint_id))
        webhooks.change(
            endpoint_id,
            secret=_new_secret(),
            previous_secret=before.secret,
            previous_until=now() + ROTATION,
        )
        audit.record(who.actor, "webhook.rotated", endpoint=endpoint_id)
        return _there(webhooks.find(endpoint_id))

    return in_transaction(change)


def redeliver(who: Identity, delivery_id: str) -> Delivery:
    """The same message under the same webhook-id, as a delivery of its own.

    Raises NotFound, and Conflict where the endpoint is disabled or the fact is forgotten.
    """
    demand(who, RIGHT)

    def change() -> Delivery:
        before = webhook_deliveries.find(delivery_id)
        if before is None:
            raise NotFound
        endpoint = _there(webhooks.lock(before.endpoint_id))
        if not endpoint.enabled:
            raise Conflict("The endpoint is disabled: enable it first.", code="endpoint_disabled")
        if before.fact is None:
            raise Conflict("What happened then is not kept any more.", code="message_gone")
        made = webhook_deliveries.send_again(before, before.fact, new_id("D"))
        audit.record(who.actor, "webhook.redelivered", endpoint=endpoint.id, delivery=before.id)
        return made

    return in_transaction(change)


def recover(who: Identity, endpoint_id: str, since: datetime) -> int:
    """Sends now what the endpoint has not taken since then; how many messages.

    What was given up, what waits for its next try, and what was never written down for it: it was
    disabled, or did not exist. Raises NotFound, InvalidInput, and Conflict where it is disabled.
    """
    demand(who, RIGHT)
    if not now() - KEPT <= since <= now():
        raise InvalidInput(
            f"since is a time in the last {KEPT.days} days.", code="invalid_since", field="since"
        )
    if not _there(webhooks.find(endpoint_id)).enabled:
        raise Conflict("The endpoint is disabled: enable it first.", code="endpoint_disabled")
    sent = in_transaction(lambda: webhook_deliveries.hurry(endpoint_id, since))
    after, newest = webhook_deliveries.fact_before(since), outbox.newest_id()
    while after < newest and (facts := outbox.after_id(after, RECOVERED_AT_ONCE)):
        end_read()
        told = [fact for fact in facts if sent_as(fact) is not None and fact.at >= since]
        sent += in_transaction(lambda part=told: _recover(endpoint_id, part))  # type: ignore[misc]
        after = facts[-1].outbox_id
    in_transaction(
        lambda: audit.record(
            who.actor, "webhook.recovered", endpoint=endpoint_id, since=iso(since), messages=sent
        )
    )
    return sent


def _recover(endpoint_id: str, facts: Sequence[Fact]) -> int:
    endpoint = _there(webhooks.lock(endpoint_id))
    heard = [fact for fact in facts if endpoint.hears(sent_as(fact) or "")]
    last = webhook_deliveries.last_of_each(endpoint_id, heard)
    new = [fact for fact in heard if (fact.topic, fact.version) not in last]
    webhook_deliveries.expect(new, [endpoint], lambda: new_id("D"))
    failed = [
        (last[fact.topic, fact.version], fact)
        for fact in heard
        if fact not in new and last[fact.topic, fact.version].status == FAILED
    ]
    for before, fact in failed:
        webhook_deliveries.send_again(before, fact, new_id("D"))
    return len(new) + len(failed)


def _check(settings: Settings, url: str, resolve: Resolve) -> None:
    """A name that nobody knows yet is taken: it is checked again at each try."""
    target = addresses.target_of(url, production=settings.production)
    # Nothing stays idle in a transaction while the name is looked up.
    end_read()
    try:
        outgoing.checked(target, production=settings.production, resolve=resolve)
    except NotSent as refusal:
        if refusal.fault == "inside_address":
            raise addresses.inside() from None


def _known(events: Sequence[str]) -> list[str]:
    for event in events:
        if event not in EVENTS:
            raise InvalidInput(
                f"There is no event {event[:40]!r}.", code="invalid_events", field="events"
            )
    return list(dict.fromkeys(events))


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def _there(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise NotFound
    return endpoint


def _host(url: str) -> str | None:
    """What the audit keeps of an address: a token may stand in the rest."""
    return urlsplit(url).hostname
