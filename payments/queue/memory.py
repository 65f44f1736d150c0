"""The queue in memory: carries committed facts to the sockets of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from threading import Condition

from payments.domain.facts import Fact

CAPACITY = 10_000
"""Facts that may wait for the reader. It empties in milliseconds; only a stuck one lets it fill."""


class QueueFull(Exception):
    """The reader does not keep up. Nothing was taken: the outbox holds these facts, unmarked."""


class MemoryQueue:
    """For one server process. A second one would not hear what the first publishes."""

    shared = False

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._facts: deque[Fact] = deque()
        self._ready = Condition()
        self._capacity = capacity

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

    def carry(self) -> None:
        """Nothing comes from anybody else."""

    def healthy(self) -> bool:
        return True

    def __len__(self) -> int:
        return len(self._facts)
