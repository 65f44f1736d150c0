"""The message queue: a Redis Stream where there is Redis, a list in memory where there is none."""

from __future__ import annotations

from payments.domain.ports import Queue
from payments.queue.memory import MemoryQueue, QueueFull
from payments.queue.stream import Outbox, StreamQueue
from payments.settings import Settings

__all__ = ["MemoryQueue", "QueueFull", "StreamQueue", "open_queue"]


def open_queue(settings: Settings, outbox: Outbox) -> Queue:
    """The queue that the settings name. The outbox is read for what a stream has lost."""
    if settings.redis_url is None:
        return MemoryQueue()
    return StreamQueue(settings.redis_url, outbox)
