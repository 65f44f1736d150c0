"""Facts are kept as long as a page may ask for them; the newest of each topic for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from payments.services import clean, live
from payments.services.clean import Cleaner
from payments.store import outbox, tables
from payments.store.db import db, in_transaction, now
from tests.outside import Caller, done, seen
from tests.people import People

LONG_AGO = outbox.KEPT + timedelta(days=1)


def told(people: People, ago: timedelta = timedelta(0)) -> None:
    """All facts there are were told then."""

    def change() -> None:
        at = now() - ago
        db.session.execute(update(tables.outbox).values(at=at, published_at=at))

    people.in_app(in_transaction, change)


def left(people: People) -> list[tuple[str, int]]:
    return [(fact.topic, fact.version) for fact in people.in_app(outbox.after_id, 0, 1_000)]


@pytest.fixture
def old(people: People) -> str:
    """An order of last year, with three facts."""
    order = people.order()
    seen(people, order.id, 20_000, "slip a")
    seen(people, order.id, 30_000, "slip b")
    told(people, LONG_AGO)
    return order.id


def test_old_facts_are_forgotten_but_for_the_newest_of_each_topic(people: People, old: str) -> None:
    fresh = people.order().id
    seen(people, fresh, 20_000, "slip c")
    people.in_app(Cleaner().once)
    assert left(people) == [(f"order:{old}", 3), (f"order:{fresh}", 1), (f"order:{fresh}", 2)]


def test_young_facts_stay(people: People, old: str) -> None:
    told(people, outbox.KEPT - timedelta(hours=1))
    people.in_app(Cleaner().once)
    assert len(left(people)) == 3


def test_what_nobody_was_told_of_stays_and_is_not_what_keeps_the_others(
    people: People, old: str
) -> None:
    def untold() -> None:
        newest = tables.outbox.c.version == 3
        db.session.execute(update(tables.outbox).where(newest).values(published_at=None))

    people.in_app(in_transaction, untold)
    people.in_app(Cleaner().once)
    assert left(people) == [(f"order:{old}", 2), (f"order:{old}", 3)]


def test_it_goes_in_small_steps_and_does_not_begin_again_each_time(
    people: People, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [people.order().id for _ in range(5)]
    for other in others:
        seen(people, other, 50_000, other)
    told(people, LONG_AGO)
    monkeypatch.setattr(clean, "BATCH", 2)
    monkeypatch.setattr(clean, "BATCHES", 3)
    cleaner = Cleaner()
    people.in_app(cleaner.once)
    assert len(left(people)) > 6, "one round does so much and no more"
    for _ in range(5):
        people.in_app(cleaner.once)
    assert len(left(people)) == 6
    assert {version for _, version in left(people)} == {2, 3}


def test_a_page_that_asks_from_before_gets_the_state(app: Flask, people: People, old: str) -> None:
    people.in_app(Cleaner().once)
    shop = Caller(app, people.key())
    events = done(shop.get(f"/orders/{old}/events?after=1"))
    assert (events["version"], events["snapshot"]["status"]) == (3, "paid")
    assert [one["version"] for one in events["events"]] == [3]
    assert done(shop.get(f"/orders/{old}/events?after=3"))["events"] == []


def test_what_counts_on_from_its_last_fact_counts_on(people: People, old: str) -> None:
    for _ in range(3):
        people.in_app(live.tell_again, old, "order")
    told(people, LONG_AGO)
    people.in_app(Cleaner().once)
    assert people.in_app(live.tell_again, old, "order") == 4
