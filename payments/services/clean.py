"""Forgets what nobody asks for any more, in small steps that hold nobody up."""

from __future__ import annotations

import time

from payments.store import counts, outbox, people, webhook_deliveries
from payments.store.db import in_transaction
from payments.store.idempotency import forget_old

BATCH = 1_000
BATCHES = 500
"""Of one round: what is left over is done in the next."""
PAUSE_SECONDS = 0.01


class Cleaner:
    """Remembers how far it has looked through the facts: the newest of each topic stay for ever."""

    def __init__(self) -> None:
        self._looked_at = 0

    def once(self) -> None:
        for forget in (forget_old, counts.forget_old, people.forget_old_logins):
            in_transaction(forget)
        in_transaction(webhook_deliveries.forget_old)
        self._forget_facts()

    def _forget_facts(self) -> None:
        for _ in range(BATCHES):
            looked_at = in_transaction(lambda: outbox.forget_old(self._looked_at, BATCH))
            if looked_at is None:
                return
            self._looked_at = looked_at
            time.sleep(PAUSE_SECONDS)
