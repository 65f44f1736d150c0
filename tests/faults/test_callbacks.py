"""Rows 9 to 11: the same callback many times at once, with another body, in every order."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient

from payments.store import ledger, orders, payments
from tests.faults.harness import Shop
from tests.faults.report import Outcome
from tests.faults.traffic import Answer
from tests.outside import at_once
from tests.people import People
from tests.signing import shop_webhook

CALLERS = 100
RIGHT_SECONDS = 5.0
MINUTES = [pytest.mark.long, pytest.mark.timeout(1200)]


def by_turns(shop: Shop, order_id: str, _number: int) -> Answer:
    return shop.tell(order_id)


def either(shop: Shop, order_id: str, other: dict[str, Any], number: int) -> Answer:
    """What is true, or under the same event id something else."""
    return shop.tell(order_id, **(other if number else {}))


@pytest.mark.fault(9)
@pytest.mark.parametrize("times", [1, pytest.param(5, marks=MINUTES)])
def test_a_callback_a_hundred_times_at_once_makes_one_posting(
    shop: Shop, times: int, figures: Outcome
) -> None:
    """By turns to every server there is."""
    slowest = 0.0
    for _ in range(times):
        owed = shop.order()
        shop.pages_everywhere(owed.order_id)
        answers = at_once(CALLERS, partial(by_turns, shop, owed.order_id))
        ended = time.monotonic()
        assert {one.status for one in answers} == {200}
        slowest = max(slowest, *(one.seconds for one in answers))
        assert shop.books.verdicts(owed.event) == ["applied"]
        shop.prove(ended)
        while shop.pages:
            shop.pages.pop().close()
    servers = len(shop.servers)
    figures.note(f"{CALLERS} at once on {servers} server{'s' * (servers > 1)}, {times} times")
    figures.note(f"all 2xx, one posting each, slowest answer {slowest:.2f} s")


@pytest.mark.fault(10)
@pytest.mark.parametrize("at_the_same_time", [False, True], ids=["in-turn", "at-once"])
def test_another_body_under_the_same_event_id_is_kept_and_flagged(
    shop: Shop, at_the_same_time: bool, seed: random.Random, figures: Outcome
) -> None:
    """Both are signed; the other names less money and another transaction."""
    times = 10
    for _ in range(times):
        owed = shop.order()
        other = {"amount": owed.amount - 1, "transaction": f"other-{owed.order_id}"}
        tell = partial(either, shop, owed.order_id, other)
        answers = at_once(2, tell) if at_the_same_time else [tell(0), tell(1)]
        assert [one.status for one in answers] == [200, 200]
        assert sorted(shop.books.verdicts(owed.event)) == ["applied", "conflict"]
        version, status = shop.books.states([owed.order_id])[owed.order_id]
        if status == "partially_paid":
            assert at_the_same_time, "the first one wins"
            shop.not_credited(owed.order_id)
            shop.credited(owed.order_id, f"other-{owed.order_id}", owed.amount - 1)
        else:
            assert (version, status) == (2, "paid")
        assert shop.books.waiting_for_staff(owed.order_id) == ["conflict"]
    shop.prove(time.monotonic())
    figures.note(f"{times} times: both 2xx, the first applied, the second kept as a conflict")


Said = tuple[str, str, int]
"""The word of the status, the number of the transaction, the share of the price."""

NOTICES: tuple[Said, ...] = (
    ("pending", "1", 1),
    ("failed", "1", 1),
    ("success", "1", 1),
    ("success", "2", 1),
    ("success", "3", 2),
)
"""An attempt begun, refused, paid after all; paid a second time; and half of it once more."""


def sequences(longest: int) -> Iterator[tuple[Said, ...]]:
    for length in range(1, longest + 1):
        yield from product(NOTICES, repeat=length)


class Witness:
    """Tells orders of what happened, and looks at how they end."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.client: FlaskClient = people.app.test_client()

    def told(self, sequence: Sequence[Said]) -> tuple[object, ...]:
        order = self.people.order(50_000)
        for status, number, share in sequence:
            body, headers = shop_webhook(
                order.id,
                order.amount // share,
                transaction=f"T-{order.id}-{number}",
                status=status,
                event=f"{order.id}-{number}-{status}",
            )
            answer = self.client.post("/webhook/payment", data=body, headers=headers)
            assert answer.status_code == 200
        return self.people.in_app(self._state, order.id)

    def _state(self, order_id: str) -> tuple[object, ...]:
        order = orders.find(order_id)
        assert order is not None
        attempts = sorted(
            (one.status.value, one.amount_received) for one in payments.of_order(order_id)
        )
        booked: Counter[str] = Counter()
        for _, account, _, amount in ledger.of_order(order_id):
            booked[account] += amount
        money = order.amount_paid, order.amount_excess
        return order.status.value, *money, *attempts, *sorted(booked.items())


@pytest.mark.fault(11)
@pytest.mark.parametrize("share", [40, pytest.param(1, marks=MINUTES)])
def test_in_whatever_order_notices_come_the_end_is_one(
    people: People, share: int, seed: random.Random, figures: Outcome
) -> None:
    """One in `share` of all sequences; the end may depend on what was said, never on when."""
    witness = Witness(people)
    every = list(sequences(5))
    chosen = every if share == 1 else seed.sample(every, len(every) // share)
    # The shortest way to say the same, to compare with.
    chosen = list(dict.fromkeys([*(tuple(sorted(set(one))) for one in chosen), *chosen]))
    seed.shuffle(chosen)
    ends: dict[frozenset[Said], dict[tuple[object, ...], tuple[Said, ...]]] = {}
    for sequence in chosen:
        ends.setdefault(frozenset(sequence), {})[witness.told(sequence)] = sequence
    assert {told: seen for told, seen in ends.items() if len(seen) != 1} == {}
    assert people.in_app(lambda: list(ledger.faults())) == []
    figures.note(
        f"{len(chosen)} of {len(every)} sequences, {len(ends)} sets of notices, one end each"
    )
