"""What a person is told about their own money and cards, whatever order it came by."""

from __future__ import annotations

from typing import Any

from payments.domain.facts import Fact, wallet_topic
from payments.store import outbox, topics
from payments.store.db import now


def tell_person(user_id: str, event: str, snapshot: dict[str, Any], about: dict[str, Any]) -> int:
    """Writes the fact in the transaction that makes it true; its version in the person's topic.

    `about` is what the vocabularies read: `card.saved` has `user_id token_id masked_number scheme
    expiry`.
    """
    topic = wallet_topic(user_id)
    version = topics.next_version(topic)
    outbox.add(Fact(topic, version, event, snapshot, about, now()))
    return version
