"""What has happened, told once per version of its topic.

The outbox holds these, the sockets tell them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Fact:
    """`event` in the past tense (see `states.FACTS`); `snapshot` is the topic's state at `version`.

    `about` carries what vocabularies need beside the snapshot: the attempt that moved, the owner,
    the salon. `outbox_id` orders all facts; it is 0 until the fact is stored.
    """

    topic: str
    version: int
    event: str
    snapshot: dict[str, Any]
    about: dict[str, Any]
    at: datetime
    outbox_id: int = 0


def order_topic(order_id: str) -> str:
    return f"order:{order_id}"


def wallet_topic(user_id: str) -> str:
    """What happens to one person's money and cards."""
    return f"wallet:{user_id}"


def person_of(topic: str) -> str | None:
    """Whose wallet this topic is; None where it is none."""
    kind, _, user_id = topic.partition(":")
    return user_id if kind == "wallet" else None


def live_topic(order_id: str) -> str:
    """What operators have told again of an order. It has versions of its own: nothing changed."""
    return f"live:{order_id}"


def told_again_in(topic: str) -> str | None:
    """The order's topic, where this is the one for telling it again; else None."""
    kind, _, order_id = topic.partition(":")
    return order_topic(order_id) if kind == "live" else None
