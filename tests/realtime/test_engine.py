"""The engine by itself: every fact once and in order, whatever the queue brings."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from payments.dialects import V1, Dialect, Subject, Told
from payments.domain.facts import Fact
from payments.realtime import engine as engines
from payments.realtime.engine import Engine
from payments.realtime.rooms import Rooms

AT = datetime(2026, 1, 1, tzinfo=UTC)
TOPIC = "order:1"


def fact(version: int, topic: str = TOPIC) -> Fact:
    return Fact(topic, version, "order.paid", {"v": version}, {}, AT, outbox_id=100 + version)


class Audience:
    """Somebody stands in every room, and hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def speaking(self, _dialect: Dialect, _room: str) -> list[str]:
        return ["/"]

    def tell(
        self, told: Told, payload: dict[str, Any], _fact: Fact, room: str, namespace: str
    ) -> None:
        assert namespace == "/"
        self.heard.append((room, {"event": told.event, **payload}))

    def versions(self, room: str = TOPIC) -> list[int]:
        return [payload["version"] for to, payload in self.heard if to == room]


class Outbox:
    """What the database would answer."""

    def __init__(self, *facts: Fact) -> None:
        self.facts = facts
        self.asked = 0

    def __call__(self, topic: str, after: int) -> list[Fact]:
        self.asked += 1
        return [one for one in self.facts if one.topic == topic and one.version > after]


def engine_for(
    audience: Audience, stored: Outbox | None = None, dialects: tuple[Dialect, ...] = (V1,)
) -> Engine:
    return Engine(cast(Rooms, audience), dialects, stored or Outbox())


def test_the_snapshot_is_told_as_it_is() -> None:
    audience = Audience()
    engine_for(audience).tell(fact(3))
    [(room, told), (everybody, summary)] = audience.heard
    assert room == TOPIC
    assert told.pop("sent_at")
    assert told == {"topic": TOPIC, "version": 3, "event": "order.paid", "snapshot": {"v": 3}}
    assert everybody == "orders"
    assert (summary["topic"], summary["version"], summary["snapshot"]) == ("orders", 103, {"v": 3})


def test_a_fact_that_is_not_about_an_order_is_not_told_to_staff() -> None:
    audience = Audience()
    engine_for(audience).tell(fact(1, "wallet:5"))
    assert [room for room, _told in audience.heard] == ["wallet:5"]


def test_repeats_and_older_versions_are_dropped() -> None:
    audience = Audience()
    engine = engine_for(audience)
    for version in (1, 2, 2, 1, 3, 3):
        engine.tell(fact(version))
    assert audience.versions() == [1, 2, 3]


def test_a_gap_is_filled_before_the_fact_that_shows_it() -> None:
    audience, stored = Audience(), Outbox(*map(fact, range(1, 8)))
    engine = engine_for(audience, stored)
    engine.tell(fact(2))
    engine.tell(fact(6))
    engine.tell(fact(7))
    assert audience.versions() == [2, 3, 4, 5, 6, 7]
    assert stored.asked == 1


def test_the_first_fact_of_a_topic_asks_nothing() -> None:
    audience, stored = Audience(), Outbox(*map(fact, range(1, 8)))
    engine_for(audience, stored).tell(fact(5))
    assert audience.versions() == [5]
    assert stored.asked == 0


def test_what_a_newcomer_was_given_shows_a_gap_too() -> None:
    audience = Audience()
    engine = engine_for(audience, Outbox(*map(fact, range(1, 6))))
    engine.shown(TOPIC, 2)
    engine.tell(fact(2))
    engine.tell(fact(4))
    assert audience.versions() == [3, 4]


def test_a_second_newcomer_does_not_hide_a_fact_from_the_first() -> None:
    audience = Audience()
    engine = engine_for(audience, Outbox(*map(fact, range(1, 6))))
    engine.shown(TOPIC, 3)
    engine.shown(TOPIC, 2)  # read before, told later
    engine.tell(fact(3))
    assert audience.versions() == [3]


def test_a_newcomer_changes_nothing_about_what_was_told() -> None:
    audience = Audience()
    engine = engine_for(audience)
    engine.tell(fact(2))
    engine.shown(TOPIC, 1)
    engine.shown(TOPIC, 3)
    engine.tell(fact(2))
    engine.tell(fact(3))
    assert audience.versions() == [2, 3]


def test_a_gap_that_cannot_be_filled_is_told_over_where_that_is_asked_for() -> None:
    def away(_topic: str, _after: int) -> list[Fact]:
        raise ConnectionError

    audience = Audience()
    engine = Engine(cast(Rooms, audience), (V1,), away)
    engine.tell(fact(1))
    with pytest.raises(ConnectionError):
        engine.tell(fact(4))
    assert audience.versions() == [1]
    engine.tell(fact(4), fill=False)
    assert audience.versions() == [1, 4]


def test_topics_do_not_disturb_each_other() -> None:
    audience = Audience()
    engine = engine_for(audience)
    for version in (1, 2):
        for topic in ("order:a", "order:b"):
            engine.tell(fact(version, topic))
    assert audience.versions("order:a") == audience.versions("order:b") == [1, 2]


def test_only_so_many_topics_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "TOPICS_REMEMBERED", 2)
    audience = Audience()
    engine = engine_for(audience)
    for topic in ("order:a", "order:b", "order:c"):
        engine.tell(fact(1, topic))
    for topic in ("order:a", "order:c"):
        engine.tell(fact(1, topic))
    assert audience.versions("order:a") == [1, 1]
    assert audience.versions("order:c") == [1]


def test_one_vocabulary_that_fails_does_not_silence_the_others() -> None:
    def fail(_fact: Fact, _sent_at: str) -> dict[str, Any]:
        raise KeyError

    broken = Dialect(
        name="broken",
        subject=Subject.ORDER,
        id_field="id",
        subscribe=(),
        unsubscribe=(),
        room=str,
        otherwise=(Told("never", lambda _fact: "room", fail),),
    )
    audience = Audience()
    engine_for(audience, dialects=(broken, V1)).tell(fact(1))
    assert audience.versions() == [1]


@pytest.mark.parametrize("seed", range(30))
def test_any_loss_and_any_repeat_ends_in_every_fact_once_and_in_order(seed: int) -> None:
    """The last version arrives; whatever else is lost, doubled or late, each is told once."""
    chance = random.Random(seed)
    facts = [fact(version) for version in range(1, 40)]
    brought = [one for one in facts[1:-1] for _ in range(chance.choice((0, 0, 1, 1, 2)))]
    for _ in range(10):
        place = chance.randrange(len(brought))
        brought.append(brought[place])
    audience = Audience()
    engine = engine_for(audience, Outbox(*facts))
    for one in (facts[0], *brought, facts[-1]):
        engine.tell(one)
    assert audience.versions() == list(range(1, 40))


def test_the_newest_outbox_id_is_the_version_of_all_orders() -> None:
    engine = engine_for(Audience())
    engine.tell(fact(5))
    engine.tell(fact(1, "order:late"))
    assert engine.newest_id == 105


def test_it_knows_when_the_last_version_was_made() -> None:
    engine = engine_for(Audience())
    engine.shown(TOPIC, 1)
    assert engine.told_at(TOPIC, 1) is None
    engine.tell(fact(2))
    assert engine.told_at(TOPIC, 2) == AT
    assert engine.told_at(TOPIC, 1) is None


def again(version: int, of_version: int) -> Fact:
    return Fact("live:1", version, "live.order", {"id": "1", "version": of_version}, {}, AT)


def test_what_is_told_again_does_not_bring_an_older_state_back() -> None:
    audience = Audience()
    engine = engine_for(audience, Outbox(again(1, 2), again(2, 2)))
    engine.tell(fact(2))
    engine.tell(again(1, 2))
    engine.tell(fact(3))
    engine.tell(again(2, 2))
    engine.tell(again(3, 3))
    assert audience.versions() == [2, 2, 3, 3]
