"""What the vocabularies read out of a fact; each then says it in its own words."""

from __future__ import annotations

from typing import Any

from payments.domain.facts import Fact, person_of
from payments.domain.snapshot import iso

WAITING = frozenset({"pending", "partially_paid"})
"""The outcomes of an order that still asks for money. All others are settled."""


def order_id(fact: Fact) -> str:
    return str(fact.snapshot["id"])


def about_order(fact: Fact) -> bool:
    return fact.topic.startswith("order:")


def attempt(fact: Fact) -> dict[str, Any]:
    """The attempt that moved, else the order's last; empty where there is none."""
    return fact.about.get("payment") or fact.snapshot.get("payment") or {}


def moved_attempt(fact: Fact) -> dict[str, Any]:
    """The attempt that this fact is about; empty where it is about the order alone."""
    return fact.about.get("payment") or {}


def amount(fact: Fact) -> int:
    """What the attempt brought, else what it asks for; the order's where there is none."""
    found = attempt(fact)
    return int(found.get("amount_received") or found.get("amount") or fact.snapshot["amount"])


def transaction_id(fact: Fact) -> str | None:
    """The provider's id. Money that has none (confirmed by hand) has our reference."""
    found = attempt(fact)
    given = found.get("provider_transaction_id")
    return given or (found.get("reference") if found.get("status") == "succeeded" else None)


def outcome(fact: Fact) -> str:
    """The word of `data-status`, and `failed` too where the last attempt at the rest has failed."""
    if fact.event == "payment.failed":
        last = fact.snapshot.get("payment") or {}
        if moved_attempt(fact).get("reference") == last.get("reference"):
            return "failed"
    return str(fact.snapshot["display"])


def order_version(fact: Fact) -> int:
    """The version of the order that the fact shows; its own, but for one told again."""
    return int(fact.snapshot.get("version", fact.version))


def said_at(fact: Fact) -> str:
    return iso(fact.at) or ""


def ms(fact: Fact) -> int:
    """Milliseconds since 1970."""
    return round(fact.at.timestamp() * 1000)


def room_of_person(user_id: str) -> str:
    return f"user:{user_id}"


def persons_room(fact: Fact) -> str | None:
    """The room of the person whose wallet or card this is."""
    person = person_of(fact.topic)
    return room_of_person(person) if person is not None else None
