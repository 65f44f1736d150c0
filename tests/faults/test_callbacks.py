"""Rows 9 to 11: the same callback many times at once, with another body, in every order."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import pytest
from flask.testing import FlaskClient

from payments.domain.order import Order
from payments.store import ledger, orders, payments
from tests.faults.conftest import OpenShop
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.faults.traffic import Answer
from tests.outside import at_once
from tests.people import People
from tests.signing import shop_webhook

CALLERS = 100
RIGHT_SECONDS = 5.0
ORDERS_AT_ONCE = 8
WATCHED = 60
"""So many of the orders are on open pages, those with the shortest sequences among them."""
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


Post = Callable[[bytes, Mapping[str, str]], int]
"""Sends a callback; the status."""
End = tuple[object, ...]


def in_process(client: FlaskClient, body: bytes, headers: Mapping[str, str]) -> int:
    return client.post("/webhook/payment", data=body, headers=dict(headers)).status_code


class Witness:
    """Tells orders of what happened, and looks at how they end."""

    def __init__(self, people: People) -> None:
        self.people = people

    def order(self) -> Order:
        return self.people.order(50_000)

    def told(self, order: Order, sequence: Sequence[Said], posts: Sequence[Post]) -> End:
        """Each notice by the post that stands at its place."""
        for (status, number, share), post in zip(sequence, posts, strict=True):
            body, headers = shop_webhook(
                order.id,
                order.amount // share,
                transaction=self.transaction(order, number),
                status=status,
                event=f"{order.id}-{number}-{status}",
            )
            assert post(body, headers) == 200
        return self.people.in_app(self._state, order.id)

    def transaction(self, order: Order, number: str) -> str:
        return f"T-{order.id}-{number}"

    def _state(self, order_id: str) -> End:
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


class Ends:
    """How orders ended, by the set of what was said of them."""

    def __init__(self) -> None:
        self.found: dict[frozenset[Said], dict[End, tuple[Said, ...]]] = {}

    def add(self, sequence: tuple[Said, ...], end: End) -> None:
        self.found.setdefault(frozenset(sequence), {})[end] = sequence

    def prove_one_each(self) -> None:
        assert {told: seen for told, seen in self.found.items() if len(seen) != 1} == {}


def with_the_shortest(chosen: Sequence[tuple[Said, ...]]) -> list[tuple[Said, ...]]:
    """First the shortest way to say the same as each of them, to compare with."""
    return list(dict.fromkeys([*(tuple(sorted(set(one))) for one in chosen), *chosen]))


@pytest.mark.fault(11)
@pytest.mark.parametrize("share", [40, pytest.param(1, marks=MINUTES)])
def test_in_whatever_order_notices_come_the_end_is_one(
    people: People, share: int, seed: random.Random, figures: Outcome
) -> None:
    """One in `share` of all sequences; the end may depend on what was said, never on when."""
    witness, ends = Witness(people), Ends()
    post = partial(in_process, people.app.test_client())
    every = list(sequences(5))
    chosen = every if share == 1 else seed.sample(every, len(every) // share)
    chosen = with_the_shortest(chosen)
    seed.shuffle(chosen)
    for sequence in chosen:
        ends.add(sequence, witness.told(witness.order(), sequence, [post] * len(sequence)))
    ends.prove_one_each()
    assert people.in_app(lambda: list(ledger.faults())) == []
    figures.note(
        f"{len(chosen)} of {len(every)} sequences, {len(ends.found)} sets of notices, one end each"
    )


@pytest.mark.fault(11)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [pytest.param(100.0, marks=MINUTES)])
def test_at_whichever_server_notices_come_and_in_whatever_order_the_end_is_one(
    open_shop: OpenShop, kind: str, seconds: float, seed: random.Random, figures: Outcome
) -> None:
    """As many of all sequences as this time takes, each notice to a server that chance chose."""
    shop = open_shop(kind)
    witness, ends = Witness(People(shop.books.app)), Ends()
    every = list(sequences(5))
    chosen = with_the_shortest(seed.sample(every, len(every)))
    places = [[seed.randrange(len(shop.servers)) for _ in one] for one in chosen]
    watched = [witness.order() for _ in range(WATCHED)]
    shop.pages_everywhere(*[order.id for order in watched])
    began = time.monotonic()

    def tell(at: int) -> tuple[Order, End] | None:
        """One sequence, whose notices come one after the other; others go on beside it."""
        if time.monotonic() > began + seconds:
            return None
        order = watched[at] if at < WATCHED else witness.order()
        posts = [partial(shop.post, place) for place in places[at]]
        return order, witness.told(order, chosen[at], posts)

    with ThreadPoolExecutor(ORDERS_AT_ONCE) as pool:
        told = list(pool.map(tell, range(len(chosen))))
    ended = time.monotonic()
    sequences_told = notices = elsewhere = 0
    for sequence, servers, end in zip(chosen, places, told, strict=True):
        if end is None:
            continue
        order, state = end
        ends.add(sequence, state)
        for number, share in {(n, share) for status, n, share in sequence if status == "success"}:
            shop.credited(order.id, witness.transaction(order, number), order.amount // share)
        sequences_told += 1
        notices += len(sequence)
        elsewhere += len(set(servers)) > 1
    ends.prove_one_each()
    assert len(ends.found) == 2 ** len(NOTICES) - 1
    assert sequences_told > 10 * len(ends.found), "hardly anything to compare with"
    shop.prove(ended)
    figures.note(f"{sequences_told} of {len(every)} sequences in {ended - began:.0f} s")
    spread = f", {elsewhere} sequences to both servers" if elsewhere else ""
    figures.note(f"{notices} notices by HTTP{spread}, {len(ends.found)} sets, one end each")
