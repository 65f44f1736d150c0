"""Which periodic work this process does, where several processes share one database."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from payments.store import leases
from payments.store.db import in_transaction, now

LIFE = timedelta(seconds=10)
"""After so long the others take over the work of a process that died."""


class Alone:
    """The only process there is does everything."""

    def leads(self, _work: str) -> bool:
        return True

    def resign(self) -> None:
        """Nobody waits for its work."""


class Leader:
    """Leads each work whose lease it got first; renews a lease when half of it is over."""

    def __init__(self) -> None:
        self.name = secrets.token_hex(8)
        self._until: dict[str, datetime] = {}

    def leads(self, work: str) -> bool:
        at = now()
        until = self._until.get(work)
        if until is not None and at + LIFE / 2 < until:
            return True
        if in_transaction(lambda: leases.take(work, self.name, at, LIFE)):
            self._until[work] = at + LIFE
            return True
        self._until.pop(work, None)
        return False

    def resign(self) -> None:
        """Leaves everything to the others, at once."""
        self._until.clear()
        in_transaction(lambda: leases.give_back(self.name))
