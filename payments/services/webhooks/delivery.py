"""Sends what endpoints are to be told: at least once, with no transaction open meanwhile."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from threading import Event, Thread

import structlog
from standardwebhooks import Webhook

from payments import __version__
from payments.domain.addresses import target_of
from payments.domain.errors import InvalidInput
from payments.domain.webhooks import (
    AGAIN_AFTER_CRASH,
    DISABLED_FAILING,
    DISABLED_GONE,
    FORGIVEN_AFTER,
    PATIENCE,
    Answer,
    message_bytes,
    next_try,
)
from payments.providers import outgoing
from payments.providers.outgoing import NotSent, Reply
from payments.services.figures import WEBHOOKS
from payments.services.webhooks.endpoints import disable
from payments.store import audit, webhook_deliveries, webhooks
from payments.store.db import end_read, in_transaction, now
from payments.store.webhook_deliveries import Delivery
from payments.store.webhooks import Endpoint

log = structlog.get_logger()

LOOK_SECONDS = 0.5
AT_ONCE = 4
"""To one endpoint; to one that fails only one, so that few wait for it in vain."""

Post = Callable[..., Reply]


class Courier:
    """Begins what is due and writes down how it ended, in the loop that steps it.

    Each try is a thread of its own which touches no database: a receiver that hangs holds up
    nobody else, and no connection.
    """

    def __init__(self, *, production: bool, post: Post = outgoing.post) -> None:
        self._production = production
        self._post = post
        self._under_way: Counter[str] = Counter()
        self._answers: deque[tuple[Delivery, Answer]] = deque()
        self._wake = Event()

    def step(self, leads: Callable[[], bool]) -> None:
        """Waits a little or for an answer. Only whoever leads begins; all write down."""
        self._wake.wait(LOOK_SECONDS)
        # Cleared before it looks: an answer that comes meanwhile wakes the next step.
        self._wake.clear()
        self._write_down()
        if leads():
            self.set_out(now())

    def set_out(self, at: datetime) -> int:
        """Begins what is due by `at`, as much as each endpoint has room for; how many."""
        begun = 0
        for endpoint in webhooks.with_something_due(at):
            room = (1 if endpoint.failing_since else AT_ONCE) - self._under_way[endpoint.id]
            if room <= 0:
                continue
            again_at = at + AGAIN_AFTER_CRASH
            due = in_transaction(
                lambda one=endpoint, most=room, then=again_at: webhook_deliveries.begin(  # type: ignore[misc]
                    one.id, at, then, most
                )
            )
            for delivery in due:
                self._under_way[endpoint.id] += 1
                # Daemons: the end of the process waits for no receiver.
                Thread(target=self._send, args=(endpoint, delivery), daemon=True).start()
            begun += len(due)
        end_read()
        return begun

    def _send(self, endpoint: Endpoint, delivery: Delivery) -> None:
        try:
            answer = self._try(endpoint, delivery)
        except Exception as fault:
            # Without what it says: secrets and addresses could be in it.
            log.error("webhook.not_sent", delivery=delivery.id, why=type(fault).__name__)
            answer = Answer(now(), fault="broken_answer")
        self._answers.append((delivery, answer))
        self._wake.set()

    def _try(self, endpoint: Endpoint, delivery: Delivery) -> Answer:
        if delivery.fact is None:
            return Answer(now(), fault="forgotten")
        body, at = message_bytes(delivery.fact), now()
        try:
            target = target_of(endpoint.url, production=self._production)
            headers = signed(endpoint, delivery.webhook_id, at, body)
            reply = self._post(target, body, headers, production=self._production)
        except InvalidInput:
            return Answer(now(), fault="inside_address")
        except NotSent as refusal:
            return Answer(now(), fault=refusal.fault)
        return Answer(now(), reply.status, reply.body, retry_after=reply.retry_after)

    def _write_down(self) -> None:
        while self._answers:
            delivery, answer = self._answers[0]
            outcome = in_transaction(lambda: _ended(delivery, answer))  # noqa: B023 (run at once)
            self._answers.popleft()
            self._under_way[delivery.endpoint_id] -= 1
            WEBHOOKS.labels(outcome).inc()
            log.info(
                "webhook.tried",
                delivery=delivery.id,
                endpoint=delivery.endpoint_id,
                outcome=outcome,
                status=answer.status,
                fault=answer.fault,
            )


def signed(endpoint: Endpoint, webhook_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of one try. After a rotation the signatures of both secrets, for a while."""
    signatures = [Webhook(s).sign(webhook_id, at, body.decode()) for s in endpoint.signing(at)]
    return {
        "Content-Type": "application/json",
        "User-Agent": f"Paychime/{__version__}",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _ended(delivery: Delivery, answer: Answer) -> str:
    """In the caller's transaction; what became of the try, in one word."""
    endpoint = webhooks.lock(delivery.endpoint_id)
    if endpoint is None:
        return "removed"
    if answer.taken:
        webhook_deliveries.delivered(delivery, answer)
        if endpoint.failing_since is not None:
            webhooks.change(endpoint.id, failing_since=None, failed_at=None)
        return "delivered"
    spread = random.uniform(0.8, 1.2)  # noqa: S311 (keeps receivers from being called all at once)
    again_at = next_try(delivery.tries, answer, spread) if delivery.fact else None
    if not webhook_deliveries.not_taken(delivery, answer, again_at):
        return "overtaken"
    if delivery.fact is not None:
        _failed(endpoint, answer)
    return "failed" if again_at is None else "retried"


def _failed(endpoint: Endpoint, answer: Answer) -> None:
    forgiven = endpoint.failed_at is None or answer.at - endpoint.failed_at > FORGIVEN_AFTER
    since = answer.at if forgiven or endpoint.failing_since is None else endpoint.failing_since
    webhooks.change(endpoint.id, failing_since=since, failed_at=answer.at)
    why = None
    if answer.gone:
        why = DISABLED_GONE
    elif answer.at - since > PATIENCE:
        why = DISABLED_FAILING
    if why is not None and endpoint.enabled:
        disable(endpoint.id, why)
        audit.record("system", "webhook.disabled", endpoint=endpoint.id, why=why)
    elif not endpoint.enabled:
        webhook_deliveries.hold(endpoint.id)
