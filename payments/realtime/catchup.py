"""What a newcomer to a room is given: first whether it may stand there, then what it has missed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from payments.dialects import ALL_ORDERS, OWN_WALLET, Dialect, Subject
from payments.domain.facts import Fact, order_topic, person_of, wallet_topic
from payments.domain.snapshot import payment_view
from payments.services.access import Identity, may_see_all_orders, may_see_order
from payments.services.snapshots import attempt_shown, order_events
from payments.services.wallets import wallet_view
from payments.store import orders, payments
from payments.store.db import now

MAX_VERSION = 2**31 - 1
READS = 3
KINDS = frozenset({"order", ALL_ORDERS, OWN_WALLET})
"""What stands before the colon of a topic."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Refused(Exception):
    """`error` is told to the client: `bad_request`, `not_found` or `too_many`."""

    def __init__(self, error: str, named: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.named = named


@dataclass(frozen=True, slots=True)
class Wish:
    """What a subscribe event asks for."""

    named: str
    after: int | None


@dataclass(frozen=True, slots=True)
class Target:
    """`order_id` None: every order, or a person's wallet. `reference`: one attempt was named."""

    topic: str
    order_id: str | None
    reference: str | None = None


def read_wish(dialect: Dialect, args: tuple[Any, ...]) -> Wish:
    """The id comes as an object or as a bare string. Raises Refused."""
    asked = args[0] if args else None
    fields = asked if isinstance(asked, dict) else {dialect.id_field: asked}
    named, after = fields.get(dialect.id_field), fields.get("after")
    if dialect.subject is not Subject.TOPIC and type(named) is int:
        # A foreign frontend may hold its ids as numbers; here an id is a text.
        named = str(named)
    if not isinstance(named, str) or not 0 < len(named) <= 100:
        raise Refused("bad_request")
    if after is not None and not is_version(after):
        raise Refused("bad_request", named)
    return Wish(named, after)


def own_name(identity: Identity, dialect: Dialect, named: str) -> str:
    """A person's wallet has no id for them: it is theirs."""
    if dialect.subject is Subject.TOPIC and named == OWN_WALLET and identity.user is not None:
        return wallet_topic(identity.user.id)
    return named


def is_version(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_VERSION


def find_target(identity: Identity, dialect: Dialect, named: str) -> Target:
    """The one door to every room. Raises Refused alike for another's and for no such thing."""
    if dialect.subject is Subject.TOPIC:
        kind = named.partition(":")[0]
        if kind not in KINDS:
            raise Refused("bad_request", named)
        if named == ALL_ORDERS and may_see_all_orders(identity):
            return Target(ALL_ORDERS, None)
        if identity.user is not None and named == wallet_topic(identity.user.id):
            return Target(named, None)
    order_id = _order_id(dialect.subject, named)
    if order_id is None or not may_see_order(identity, order_id):
        raise Refused("not_found", named)
    reference = named if dialect.subject is Subject.PAYMENT else None
    return Target(order_topic(order_id), order_id, reference)


def _order_id(subject: Subject, named: str) -> str | None:
    if subject is Subject.TOPIC:
        kind, _, named = named.partition(":")
        if kind != "order":
            return None
    if not _ID.fullmatch(named):
        return None
    if subject is not Subject.PAYMENT:
        return named
    payment = payments.find(named)
    return payment.order_id if payment else None


def state_of(
    dialect: Dialect, target: Target, after: int | None, newest_id: int
) -> tuple[dict[str, Any], Fact | None] | None:
    """`{version, snapshot, events}` and, where the vocabulary tells it at once, the same as a fact.

    All orders have no snapshot: their page reads anew. None where the order is gone.
    """
    owner = person_of(target.topic)
    if owner is not None:
        return wallet_view.events(owner, after), None
    if target.order_id is None:
        return {"version": newest_id, "snapshot": None, "events": []}, None
    found: tuple[dict[str, Any], Fact | None] | None = None
    for _ in range(READS):
        events = order_events(target.order_id, after)
        if events is None:
            return None
        found = events, _present(target, events) if dialect.at_once is not None else None
        order = orders.find(target.order_id)
        # On PostgreSQL a change may have been committed between two of these reads.
        if order is None or order.version == events["version"]:
            break
    return found


def _present(target: Target, events: dict[str, Any]) -> Fact:
    """The state that a newcomer finds, in the form of a fact."""
    shown = events["snapshot"]
    attempt = _attempt(target.reference) if target.reference else attempt_shown(shown)
    return Fact(target.topic, events["version"], "present", shown, {"payment": attempt}, now())


def _attempt(reference: str) -> dict[str, Any] | None:
    found = payments.find(reference)
    return payment_view(found) if found else None
