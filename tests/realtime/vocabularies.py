"""A seventh vocabulary, which only the tests speak: what a record can carry without a branch."""

from __future__ import annotations

from typing import Any

from payments.dialects import DIALECTS, Dialect, Subject, Told
from payments.domain.facts import Fact

NAMESPACE = "/lamps/*"


def _room(fact: Fact) -> str:
    return f"lamp {fact.snapshot['id']}"


def _colour(fact: Fact, _sent_at: str) -> dict[str, Any]:
    return {
        "lamp": fact.snapshot["id"],
        "colour": "green" if fact.snapshot["status"] == "paid" else "red",
        "version": fact.version,
    }


LIT = Told("lit", _room, _colour)
RUNG = Told("rung", _room, _colour)

LAMPS = Dialect(
    name="lamps",
    namespace=NAMESPACE,
    subject=Subject.ORDER,
    id_field="lamp",
    subscribe=("light",),
    unsubscribe=("put out",),
    room=lambda lamp: f"lamp {lamp}",
    facts={"order.paid": (LIT, RUNG)},
    otherwise=(LIT,),
    at_once=lambda _fact: (LIT,),
    answer=lambda lamp, events: {"lamp": lamp, "at": events["version"]},
    own_room=lambda user_id: f"keeper {user_id}",
    greeting=lambda sid, at: ("hello", {"sid": sid, "at": at}),
    replies={"knock": lambda at: ("come in", {"at": at})},
)

ALL = (*DIALECTS, LAMPS)
