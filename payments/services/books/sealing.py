"""Chains what is posted, behind the commit of the money: nobody who pays waits for it."""

from __future__ import annotations

import time
from functools import partial

from payments.store import seals
from payments.store.db import end_read, in_transaction, unhurried

BATCH = 500
"""Postings of one transaction."""
WHOLE_LOOK_SECONDS = 3600.0
"""How often every posting is looked at, and not only the newest."""


class Sealer:
    """Seals the newest postings each time, and now and then whatever was left behind."""

    def __init__(self) -> None:
        self._whole_look_at = 0.0

    def once(self) -> int:
        """How many postings were sealed."""
        if time.monotonic() < self._whole_look_at:
            return seal(seals.recent())
        done = seal()
        self._whole_look_at = time.monotonic() + WHOLE_LOOK_SECONDS
        return done


def seal(after: int = 0) -> int:
    """Seals all committed postings with an id above `after`, in batches; how many."""
    # Read first: whoever pays meanwhile must not wait for a sealer with nothing to do.
    end_read()
    unhurried()
    waiting = seals.tail(after).count
    end_read()
    done = 0
    while done < waiting:
        sealed = in_transaction(partial(_batch, after))
        if not sealed:
            break
        done, after = done + len(sealed), sealed[-1]
    return done


def _batch(after: int) -> list[int]:
    unhurried()
    return seals.add(after, BATCH)
