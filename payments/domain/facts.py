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
