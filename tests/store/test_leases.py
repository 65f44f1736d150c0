"""Periodic work has one leader; another takes over when it dies or leaves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from payments.realtime import leading
from payments.realtime.leading import LIFE, Alone, Leader
from payments.store import leases
from payments.store.db import in_transaction, now
from tests.people import People


def leads(people: People, who: Leader | Alone, work: str = "expiry") -> bool:
    return people.in_app(who.leads, work)


def test_the_first_leads_and_the_second_waits(people: People) -> None:
    first, second = Leader(), Leader()
    assert leads(people, first)
    assert not leads(people, second)
    assert leads(people, first), "and goes on leading"
    assert leads(people, second, "refunds"), "each work by itself"


def test_whoever_leaves_hands_over_at_once(people: People) -> None:
    first, second = Leader(), Leader()
    assert leads(people, first)
    people.in_app(first.resign)
    assert leads(people, second)
    assert not leads(people, first)


def test_the_work_of_one_that_died_is_taken_over_in_seconds(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Leader(), Leader()
    assert leads(people, first)
    later = now() + LIFE + timedelta(seconds=1)
    monkeypatch.setattr(leading, "now", lambda: later)
    assert leads(people, second)
    assert not leads(people, first), "it was away for so long that another leads now"


def test_a_lease_is_renewed_before_it_ends(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Leader(), Leader()
    at = now()
    for seconds in range(0, 60, 2):
        monkeypatch.setattr(leading, "now", lambda s=seconds: at + timedelta(seconds=s))
        assert leads(people, first)
        assert not leads(people, second)


def test_many_that_begin_at_once_have_one_leader(people: People) -> None:
    def take(number: int) -> bool:
        def change() -> bool:
            return leases.take("expiry", f"process {number}", now(), LIFE)

        return people.in_app(lambda: in_transaction(change))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1


def test_the_only_process_does_everything(people: People) -> None:
    assert leads(people, Alone())
