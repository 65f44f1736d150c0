"""Publishes committed facts: at least once, oldest first, never inside anybody's request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event

from payments.domain.facts import Fact
from payments.domain.ports import Queue
from payments.services.webhooks import endpoints as webhooks
from payments.store import outbox
from payments.store.db import end_read, forget_listener, in_transaction, on_commit

BATCH = 200
SWEEP_SECONDS = 1.0


def relay_once(queue: Queue) -> int:
    """Publishes the oldest facts that wait, then marks them; how many.

    A crash between the two publishes them again: whoever reads drops what it has told.
    """
    facts = outbox.unpublished(BATCH)
    # The queue may be slow, and no transaction stays open meanwhile.
    end_read()
    if facts:
        queue.publish(facts)
        # The pages first: marking waits for the disk.
        time.sleep(0)
        in_transaction(lambda: _told(facts), repeatable=True)
    return len(facts)


def _told(facts: Sequence[Fact]) -> None:
    """Whom else to tell is written down with the mark: no crash comes between the two."""
    webhooks.expect(facts)
    outbox.mark_published(facts)


class Relay:
    """Wakes at every commit of this process. The sweep finds what a crash or a command left."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._wake = Event()
        self._stopping = False

    def start(self) -> None:
        on_commit(self._wake.set)

    def step(self) -> None:
        """Waits for a commit, or for the sweep, and publishes everything that waits."""
        self._wake.wait(SWEEP_SECONDS)
        # Cleared before the read: a commit that comes during it wakes the next step.
        self._wake.clear()
        while relay_once(self._queue) == BATCH and not self._stopping:
            pass

    def stop(self) -> None:
        self._stopping = True
        forget_listener(self._wake.set)
        self._wake.set()
