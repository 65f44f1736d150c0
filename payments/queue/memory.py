"""The message queue: carries committed facts to the sockets of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Condition

from payments.domain.facts import Fact
from payments.domain.ports import Queue
from payments.settings import Settings

CAPACITY = 10_000
"""Facts that may wait for the reader. It empties in milliseconds; only a stuck one lets it fill."""


class QueueFull(Exception):
    """The reader does not keep up. Nothing was taken: the outbox holds these facts, unmarked."""


class MemoryQueue:
    """For one server process. A second one would not hear what the first publishes."""

    def __init__(self, capacity: int = CAPACITY, *, stands_in: bool = False) -> None:
        self._facts: deque[Fact] = deque()
        self._ready = Condition()
        self._capacity = capacity
        self._stands_in = stands_in

    def publish(self, facts: Sequence[Fact]) -> None:
        """All of them or none. Raises QueueFull."""
        with self._ready:
            if len(self._facts) + len(facts) > self._capacity:
                raise QueueFull(f"{len(self._facts)} facts wait to be read")
            self._facts.extend(facts)
            self._ready.notify_all()

    def read(self, timeout_seconds: float) -> Sequence[Fact]:
        with self._ready:
            if not self._facts:
                self._ready.wait(timeout_seconds)
            facts = list(self._facts)
            self._facts.clear()
        return facts

    def healthy(self) -> bool:
        """False where it stands in for another queue: then other processes hear nothing from it."""
        return not self._stands_in

    def __len__(self) -> int:
        return len(self._facts)


def open_queue(settings: Settings) -> Queue:
    """The queue that the settings name; `MemoryQueue` is the only kind there is."""
    return MemoryQueue(stands_in=settings.redis_url is not None)
