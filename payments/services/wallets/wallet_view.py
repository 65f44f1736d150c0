"""What a person may read of their own wallet: now, and since a version."""

from __future__ import annotations

from typing import Any

from payments.domain.facts import wallet_topic
from payments.domain.snapshot import iso
from payments.services.wallets.personal_facts import balances
from payments.store import outbox, topics

READS = 3


def wallet(user_id: str) -> dict[str, Any]:
    """`{balances, version}`, both of one moment."""
    topic = wallet_topic(user_id)
    for _ in range(READS):
        version = topics.version(topic)
        found = {"balances": balances(user_id), "version": version}
        # On PostgreSQL a change may have been committed between the two reads.
        if topics.version(topic) == version:
            break
    return found


def events(user_id: str, after: int | None) -> dict[str, Any]:
    """`{version, snapshot, events}`: the wallet now, and what happened after version `after`."""
    now = wallet(user_id)
    missed = [] if after is None else outbox.of_topic(wallet_topic(user_id), after)
    return {
        "version": now["version"],
        "snapshot": now,
        "events": [
            {"version": fact.version, "event": fact.event, "at": iso(fact.at), **_told(fact.about)}
            for fact in missed
        ],
    }


_TOLD = ("transaction_id", "transaction_type", "status", "amount", "currency", "message")


def _told(about: dict[str, Any]) -> dict[str, Any]:
    return {name: about[name] for name in _TOLD if name in about}
