"""The chain of the ledger: each posting's hash rests on that of the one sealed before it.

Who changes an old posting has to make every later link anew; who wrote down a later link sees it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

GENESIS = hashlib.sha256(b"Paychime ledger, chain 1").hexdigest()
"""What the first link rests on: SHA-256 of this text, so that an empty chain has a head too."""


@dataclass(frozen=True, slots=True)
class SealedLeg:
    """One entry as it is stored; `balance_after` is None but in a customer's wallet."""

    account: str
    currency: str
    amount: int
    balance_after: int | None


@dataclass(frozen=True, slots=True)
class SealedPosting:
    """A posting with all its entries, in the order of their ids: what a seal stands for."""

    id: int
    cause: str
    order_id: str | None
    created_at: datetime
    legs: Sequence[SealedLeg]


def canonical(posting: SealedPosting) -> bytes:
    """The same bytes for the same posting on every machine: docs/ledger.md has them letter by
    letter."""
    return json.dumps(
        {
            "cause": posting.cause,
            "created_at": posting.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "entries": [
                [leg.account, leg.currency, leg.amount, leg.balance_after] for leg in posting.legs
            ],
            "order": posting.order_id,
            "posting": posting.id,
        },
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=True,
    ).encode()


def link(before: str, posting: SealedPosting) -> str:
    """The hash of this link, 64 hexadecimal digits; `before` is the last one's, or GENESIS."""
    return hashlib.sha256(before.encode("ascii") + canonical(posting)).hexdigest()
