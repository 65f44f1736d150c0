"""`v1`: our own pages. Topics, versions and snapshots."""

from __future__ import annotations

from payments.dialects.reading import about_order, order_id, order_version
from payments.dialects.record import ALL_ORDERS, OWN_WALLET, Dialect, Payload, Subject, Told
from payments.domain.facts import Fact, order_topic, person_of


def _update(topic: str, version: int, fact: Fact, sent_at: str) -> Payload:
    return {
        "topic": topic,
        "version": version,
        "event": fact.event,
        "snapshot": fact.snapshot,
        "sent_at": sent_at,
    }


def _topic(fact: Fact) -> str:
    """As its page named it: a person's wallet has no id for them."""
    return fact.topic if person_of(fact.topic) is None else OWN_WALLET


_AGAIN = Told(
    "update",
    room=lambda fact: order_topic(order_id(fact)),
    payload=lambda fact, sent_at: _update(
        order_topic(order_id(fact)), order_version(fact), fact, sent_at
    ),
)
"""A page that has shown this version drops it."""

V1 = Dialect(
    name="v1",
    subject=Subject.TOPIC,
    id_field="topic",
    subscribe=("watch",),
    unsubscribe=("unwatch",),
    room=lambda topic: topic,
    facts={
        "live.payment": (_AGAIN,),
        "live.order": (_AGAIN,),
        "live.test": (),
        "live.room": (),
    },
    otherwise=(
        Told(
            "update",
            room=lambda fact: fact.topic,
            payload=lambda fact, sent_at: _update(_topic(fact), fact.version, fact, sent_at),
        ),
        Told(
            "update",
            room=lambda fact: ALL_ORDERS if about_order(fact) else None,
            payload=lambda fact, sent_at: _update(ALL_ORDERS, fact.outbox_id, fact, sent_at),
        ),
    ),
    answer=lambda topic, events: {"topic": topic, **events},
    seen=("seen",),
)
