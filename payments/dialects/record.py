"""What a vocabulary is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from payments.domain.facts import Fact

Payload = dict[str, Any]

ALL_ORDERS = "orders"
"""The topic and the room of whoever may watch every order; its version is the outbox's id."""
OWN_WALLET = "wallet"
"""The topic by which everybody names their own."""


class Subject(Enum):
    """What the id in a subscribe event names."""

    TOPIC = "topic"
    """`order:<id>`, `orders` or `wallet`."""
    ORDER = "order"
    """The order's id."""
    PAYMENT = "payment"
    """An attempt's reference."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event that a fact becomes: `payload(fact, sent_at)` to `room(fact)`; None: to nobody.

    `critical`: the listener has to acknowledge it, and is sent it again until then.
    """

    event: str
    room: Callable[[Fact], str | None]
    payload: Callable[[Fact, str], Payload]
    critical: bool = False


def _no_answer(_named: str, _events: Payload) -> Payload:
    return {}


def _everywhere(_namespace: str, _snapshot: Payload) -> bool:
    return True


def _whole(fact: Fact) -> Sequence[Fact]:
    return (fact,)


def _as_named(named: str) -> str:
    return named


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vocabulary.

    `namespace` ends in `*` where every namespace that begins so speaks it. `room` is joined by the
    id a client names. `facts` holds, by the fact's event, what it becomes; `otherwise` the rest.
    """

    name: str
    subject: Subject = Subject.ORDER
    id_field: str = ""
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    room: Callable[[str], str] = _as_named
    namespace: str = "/"
    facts: Mapping[str, tuple[Told, ...]] = field(default_factory=dict)
    otherwise: tuple[Told, ...] = ()
    parts: Callable[[Fact], Sequence[Fact]] = _whole
    """A fact that is several in this vocabulary: of several attempts, one for each."""
    at_once: Callable[[Fact], tuple[Told, ...]] | None = None
    """What a newcomer is told of the present state, before any change."""
    answer: Callable[[str, Payload], Payload] = _no_answer
    """What the ack of a subscribe event carries beside `ok`, of the id named and its events."""
    admits: Callable[[str, Payload], bool] = _everywhere
    """Whether this namespace may watch the order of this snapshot."""
    seen: tuple[str, ...] = ()
    """Events by which a page says that it has shown a version."""
    own_room: Callable[[str], str] | None = None
    """The room that a signed-in person is put into at connect."""
    greeting: Callable[[str, str], tuple[str, Payload]] | None = None
    """What every socket is sent at connect, of its own id and the time."""
    replies: Mapping[str, Callable[[str], tuple[str, Payload]]] = field(default_factory=dict)
    """Events that are only answered, of the time."""

    def told(self, fact: Fact) -> tuple[Told, ...]:
        return self.facts.get(fact.event, self.otherwise)

    def spoken_in(self, namespace: str) -> bool:
        if self.namespace.endswith("*"):
            return namespace.startswith(self.namespace[:-1]) and namespace != self.namespace[:-1]
        return namespace == self.namespace
