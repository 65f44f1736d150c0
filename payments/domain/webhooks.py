"""What the shop's own systems are told, in which words, and when it is tried again.

The messages are those of the Standard Webhooks specification 1.0.0.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from payments.domain.facts import Fact, told_again_in
from payments.domain.snapshot import iso

SENT_AS = {
    "order.paid": "order.paid",
    "order.partially_paid": "order.partially_paid",
    "order.expired": "order.expired",
    "order.cancelled": "order.cancelled",
    "order.refunded": "order.refunded",
    # Money went back: how much of it, the snapshot says.
    "order.partially_refunded": "order.refunded",
    "payment.failed": "payment.failed",
    "wallet.deposited": "wallet.deposited",
    "wallet.withdrawn": "wallet.withdrawn",
    "card.saved": "card.saved",
}
"""By the fact of the outbox. What is not here, nobody outside is told."""

EVENTS = tuple(dict.fromkeys(SENT_AS.values()))

_OF_MONEY = (
    *("user_id", "transaction_id", "transaction_type", "status", "amount", "currency"),
    *("fee", "new_balance", "order_id", "provider", "provider_transaction_id"),
)
ALSO_TOLD: dict[str, tuple[str, ...]] = {
    "wallet.deposited": _OF_MONEY,
    "wallet.withdrawn": _OF_MONEY,
    "card.saved": ("user_id", "token_id", "masked_number", "scheme", "expiry"),
}
"""Of what a fact tells beside its snapshot: a wallet's alone does not say what has moved."""

SCHEDULE = (
    timedelta(seconds=5),
    timedelta(minutes=2),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=7),
    timedelta(hours=12),
)
"""The pause after each failed try but the last: 8 tries in about a day."""
TRIES = len(SCHEDULE) + 1
LONGEST_WISH = timedelta(hours=1)
"""A receiver may ask for a longer pause by Retry-After, but not for ever."""
ROTATION = timedelta(hours=24)
"""So long both secrets sign."""
PATIENCE = timedelta(days=3)
"""An endpoint that has failed for so long is disabled."""
FORGIVEN_AFTER = timedelta(days=1)
"""Where nothing has failed for so long, nothing was tried: the next failure is the first."""
KEPT = timedelta(days=30)
AGAIN_AFTER_CRASH = timedelta(seconds=40)
"""Longer than any try takes: name, connection and answer."""

DISABLED_BY_STAFF, DISABLED_GONE, DISABLED_FAILING = "by_staff", "gone", "failing"


@dataclass(frozen=True, slots=True)
class Answer:
    """How one try ended. `status` None: nothing came back, and `fault` says why.

    `retry_after` is the header as it came; `body` the beginning of what was answered.
    """

    at: datetime
    status: int | None = None
    body: str = ""
    fault: str | None = None
    retry_after: str | None = None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        return self.status == 410


def sent_as(fact: Fact) -> str | None:
    """The event by which receivers know it; None where they are not told."""
    return None if told_again_in(fact.topic) is not None else SENT_AS.get(fact.event)


def message_id(fact: Fact) -> str:
    """The same however often it is sent, and whichever process sends it."""
    named = f"{fact.topic}\n{fact.version}\n{iso(fact.at)}"
    return "msg_" + hashlib.sha256(named.encode()).hexdigest()[:32]


def message(fact: Fact) -> dict[str, Any]:
    about = {name: fact.about[name] for name in ALSO_TOLD.get(fact.event, ()) if name in fact.about}
    data = {**fact.snapshot, **about}
    return {
        "type": SENT_AS[fact.event],
        "timestamp": iso(fact.at),
        "data": {**data, "version": fact.version},
    }


def message_bytes(fact: Fact) -> bytes:
    """The same bytes at each try: the signature is over them."""
    return json.dumps(message(fact), ensure_ascii=False, separators=(",", ":")).encode()


def next_try(tries: int, answer: Answer, jitter: float) -> datetime | None:
    """When to try again after so many tries; None: no more. `jitter` is about 1."""
    if answer.gone or tries >= TRIES:
        return None
    pause = SCHEDULE[tries - 1] * jitter
    if answer.status in {429, 503}:
        pause = max(pause, min(_wish(answer), LONGEST_WISH))
    return answer.at + pause


def _wish(answer: Answer) -> timedelta:
    """Retry-After: seconds, or a date of HTTP. What makes no sense is no wish."""
    text = (answer.retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return timedelta()
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(timedelta(), until - answer.at)
