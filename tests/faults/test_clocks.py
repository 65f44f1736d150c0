"""Rows 12 and 14: clocks that are wrong, and callbacks that come again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import pytest

from tests.faults.conftest import OpenShop
from tests.faults.forms import TIMED, send_raw, settings_of_all, signed_at
from tests.faults.harness import KINDS
from tests.faults.report import Outcome
from tests.people import People
from tests.providers.bench import Bench, Desk
from tests.providers.case import Case, case_of

WINDOW_SECONDS = 300
A_DAY = 86_400
AGE_SECONDS = 293
"""Signed so long ago: the rest of the five minutes is waited for."""

ROOM_SECONDS = 1.0
"""From the signing to the reading; a callback takes a few milliseconds."""

Round = Callable[[float], int]
OFFSETS: list[tuple[int, Round, bool]] = [
    # Rounded so that the second in which the test runs can only be on the safe side of the limit.
    # What is on its way grows older: that helps at 299 s ahead and at 301 s behind, for as long as
    # one likes. At 299 s behind and at 301 s ahead rounding up leaves ROOM_SECONDS and more.
    (-299, math.ceil, True),
    (299, math.floor, True),
    (-301, math.floor, False),
    (301, math.ceil, False),
    (-A_DAY, math.floor, False),
    (A_DAY, math.ceil, False),
]


@pytest.fixture
def environment() -> dict[str, str]:
    return settings_of_all("http://127.0.0.1:9", TIMED)


@pytest.fixture(params=TIMED)
def case(request: pytest.FixtureRequest) -> Case:
    return case_of(request.param)


@pytest.mark.fault(12)
def test_a_clock_may_be_five_minutes_wrong_and_no_more(
    people: People, case: Case, figures: Outcome
) -> None:
    bench = Bench(people, case, Desk())
    for offset, whole, taken in OFFSETS:
        said = bench.order()
        answer = bench.send(signed_at(case, said, whole(time.time()) + offset))
        if taken:
            assert (answer.status_code, bench.paid(said)) == (bench.rail.answer.status, True), (
                offset
            )
        else:
            assert (answer.status_code, bench.untouched(said)) == (401, True), offset
    figures.note(f"{case.key}: 299 s off on both sides taken; 301 s and a day refused")


@pytest.mark.fault(12)
@pytest.mark.parametrize("kind", KINDS)
def test_every_server_takes_a_clock_that_is_five_minutes_wrong_and_no_more(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    """The signer's clock is wrong, the servers' is right; each offset to each server."""
    shop = open_shop(kind, **settings_of_all("http://127.0.0.1:9", TIMED))
    people = People(shop.books.app)
    benches = [Bench(people, case_of(key), Desk()) for key in TIMED]
    told = [
        (bench, bench.order(), server, offset)
        for offset in OFFSETS
        for bench in benches
        for server in shop.servers
    ]
    shop.pages_everywhere(*[said.order_id for _, said, _, _ in told])
    slowest, refused = 0.0, 0
    for bench, said, server, (offset, whole, taken) in told:
        key, at = bench.case.key, time.time()
        status = send_raw(server, key, signed_at(bench.case, said, whole(at) + offset))
        seconds = time.time() - at
        assert seconds < ROOM_SECONDS, "too long on its way to prove anything"
        assert status == (bench.rail.answer.status if taken else 401), (key, offset)
        slowest = max(slowest, seconds)
        if taken:
            (transaction,) = shop.books.transactions(said.order_id)
            shop.credited(said.order_id, transaction, said.amount)
        else:
            assert bench.untouched(said), (key, offset)
            refused += 1
    shop.prove(time.monotonic())
    figures.note(
        f"{', '.join(TIMED)}: {len(told) - refused} callbacks 299 s off on both sides taken, "
        f"{refused} 301 s and a day off refused"
    )
    figures.note(f"at most {1000 * slowest:.0f} ms from the signing to the answer")


@pytest.mark.fault(14)
@pytest.mark.parametrize("kind", KINDS)
def test_a_valid_callback_that_comes_again_does_nothing_and_later_is_refused(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind, **settings_of_all("http://127.0.0.1:9", TIMED))
    people = People(shop.books.app)
    signed = time.time() - AGE_SECONDS
    orders, repeats = {}, 0
    for key in TIMED:
        bench = Bench(people, case_of(key), Desk())
        said = bench.order()
        orders[key] = said, signed_at(bench.case, said, signed)
    page = shop.page(*[said.order_id for said, _ in orders.values()])
    for key, (said, call) in orders.items():
        assert send_raw(shop.servers[0], key, call) in {200, 204}
        (transaction,) = shop.books.transactions(said.order_id)
        shop.credited(said.order_id, transaction, said.amount)
    shop.prove(time.monotonic())
    versions = {order_id: one.version for order_id, one in page.shown.items()}
    while time.time() < signed + WINDOW_SECONDS - 3:
        for number, (key, (_, call)) in enumerate(orders.items()):
            server = shop.servers[(repeats + number) % len(shop.servers)]
            assert send_raw(server, key, call) in {200, 204}
        repeats += 1
        time.sleep(1)
    time.sleep(max(0.0, signed + WINDOW_SECONDS + 1.5 - time.time()))
    for key, (_, call) in orders.items():
        for server in shop.servers:
            assert send_raw(server, key, call) == 401
    shop.prove(time.monotonic())
    assert versions == {order_id: one.version for order_id, one in page.shown.items()}
    figures.note(f"{', '.join(TIMED)}: {repeats} times within the window 2xx without effect")
    figures.note(f"refused {WINDOW_SECONDS + 1} s after they were signed")
