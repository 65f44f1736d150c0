"""Rows 4 to 6: Redis goes away, hangs, takes nothing, forgets, and cuts everybody off."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import pytest
import redis

from tests.faults.conftest import OpenShop
from tests.faults.harness import Shop
from tests.faults.report import Outcome
from tests.faults.strangers import eventually
from tests.faults.traffic import Answer, between, p99_ms

RATE = 20.0
P99_MS = 1000.0
BACK_SECONDS = 5.0
WATCHED = 30
MANY = 230
"""More than the relay publishes at once."""
MINUTES = [pytest.mark.long, pytest.mark.timeout(300)]
ON_POSTGRESQL = pytest.mark.parametrize("kind", ["postgresql"])


def outage(
    shop: Shop, away: Callable[[], None], back: Callable[[], None], seconds: float, figures: Outcome
) -> None:
    """Some time before, the outage, as much after; callbacks all along."""
    calm = min(5.0, seconds)
    traffic = shop.traffic(RATE, seconds + 2 * calm)
    pages = shop.pages_everywhere(*list(shop.due)[:: len(shop.due) // WATCHED])
    began = time.monotonic()
    traffic.start()
    time.sleep(calm)
    gone_at = time.monotonic()
    away()
    time.sleep(seconds)
    back()
    healed_at = time.monotonic()
    time.sleep(calm)
    answers = traffic.finish()
    shop.insist_on(answers)
    shop.prove(healed_at)
    before, meanwhile = between(answers, began, gone_at), between(answers, gone_at, healed_at)
    failed = [(round(one.began - gone_at, 1), one.status) for one in answers if not one.ok]
    assert not failed, f"seconds after it was gone, and status: {failed[:20]}"
    assert p99_ms(meanwhile) < P99_MS
    figures.note(f"{len(answers)} callbacks, all 2xx, {len(meanwhile)} in {seconds:g} s of outage")
    figures.note(f"p99 {p99_ms(before):.0f} ms before, {p99_ms(meanwhile):.0f} ms meanwhile")
    took = slowest_news(shop, meanwhile)
    figures.note(f"{len(pages)} pages right, the slowest by socket {took:.2f} s after its callback")


def slowest_news(shop: Shop, answers: Sequence[Answer]) -> float:
    """Of what these callbacks said, on the pages that have a socket."""
    answered = {one.order_id: one.began + one.seconds for one in answers}
    return max(
        shown.at - answered[order_id]
        for page in shop.pages
        if page.connected
        for order_id, shown in page.shown.items()
        if order_id in answered
    )


@pytest.mark.fault(4)
@ON_POSTGRESQL
@pytest.mark.parametrize("seconds", [1.0, pytest.param(30.0, marks=MINUTES)])
def test_callbacks_do_not_notice_that_redis_is_gone(
    open_shop: OpenShop, kind: str, seconds: float, figures: Outcome
) -> None:
    shop = open_shop(kind)
    outage(shop, shop.redis.stop, shop.redis.start, seconds, figures)


@pytest.mark.fault(5)
@ON_POSTGRESQL
@pytest.mark.parametrize("seconds", [1.0, pytest.param(30.0, marks=MINUTES)])
def test_callbacks_do_not_notice_that_redis_hangs(
    open_shop: OpenShop, kind: str, seconds: float, figures: Outcome
) -> None:
    shop = open_shop(kind)
    outage(shop, shop.redis.pause, shop.redis.resume, seconds, figures)


def command(shop: Shop, *words: str) -> None:
    with redis.Redis.from_url(shop.redis.url, socket_timeout=5) as client:
        client.execute_command(*words)


REFUSALS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "its memory is full": (
        ("CONFIG", "SET", "maxmemory", "1"),
        ("CONFIG", "SET", "maxmemory", "0"),
    ),
    "its master is gone": (("REPLICAOF", "127.0.0.1", "9"), ("REPLICAOF", "NO", "ONE")),
}


@pytest.mark.fault(5)
@ON_POSTGRESQL
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("payments", [20, pytest.param(MANY, marks=MINUTES)])
def test_a_redis_that_answers_and_takes_nothing_is_as_good_as_away(
    open_shop: OpenShop, kind: str, refusal: str, payments: int, figures: Outcome
) -> None:
    """It is paid on one server; the page hangs on the other."""
    shop = open_shop(kind)
    begin, end = REFUSALS[refusal]
    owed = [one.order_id for one in shop.orders(payments)]
    page = shop.page(*owed[-1:], server=1)
    command(shop, *begin)
    answers = [shop.tell(one, server=0) for one in owed]
    assert {one.status for one in answers} == {200}
    shown, paid_at = page.shown[owed[-1]], time.monotonic()
    assert page.until(lambda: shown.status == "paid", paid_at + BACK_SECONDS)
    # The page may have been told by its own question before the servers had tried to write.
    eventually(lambda: queues_of(shop) == {"degraded"}, BACK_SECONDS)
    command(shop, *end)
    healed_at = time.monotonic()
    last = shop.order()
    page.watches([last.order_id])
    assert shop.tell(last.order_id, server=0).ok
    right = shop.prove(healed_at)
    took = shop.books.eventually(shop.books.all_told, 10)
    figures.note(
        f"{refusal}: {len(answers)} callbacks, all 2xx, the last one on the other server's"
    )
    figures.note(
        f"page after {max(0.0, shown.at - paid_at):.1f} s; right {right:.1f} s after the heal"
    )
    figures.note(f"all published {took:.1f} s later")


def queues_of(shop: Shop) -> set[str]:
    """What both servers say of their queue."""
    return {shop.call("GET", "/readyz", server=place)["queue"] for place in (0, 1)}


def cut_off(shop: Shop) -> None:
    """Every connection to Redis, whoever holds it."""
    with redis.Redis.from_url(shop.redis.url, socket_timeout=5) as client:
        client.client_kill_filter(_type="normal", skipme=True)


WAYS: dict[str, Callable[[Shop], None]] = {
    "flushed": lambda shop: shop.redis.flush(),
    "restarted empty": lambda shop: shop.redis.restart(),
    "cut off": cut_off,
}


@pytest.mark.fault(6)
@ON_POSTGRESQL
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("times", [2, pytest.param(50, marks=[*MINUTES])])
def test_news_from_another_server_arrives_whatever_redis_has_lost(
    open_shop: OpenShop, kind: str, way: str, times: int, seed: random.Random, figures: Outcome
) -> None:
    """Paid on one server, at a random moment around the fault; the page hangs on the other."""
    shop = open_shop(kind)
    orders = [one.order_id for one in shop.orders(times)]
    page = shop.page(*orders, server=1)
    slowest = 0.0
    for order_id in orders:
        early = seed.random() < 0.5
        if early:
            assert shop.tell(order_id, server=0).ok
            time.sleep(seed.random() * 0.02)
        WAYS[way](shop)
        struck_at = time.monotonic()
        if not early:
            time.sleep(seed.random() * 0.3)
            assert shop.tell(order_id, server=0).ok
        shown = page.shown[order_id]
        told_at = time.monotonic()
        assert page.until(
            lambda shown=shown: shown.status == "paid", max(struck_at, told_at) + BACK_SECONDS
        ), f"{way}, and the page heard nothing"
        slowest = max(slowest, shown.at - min(struck_at, told_at))
    shop.prove(time.monotonic())
    figures.note(f"{way} {times} times, 0 lost")
    figures.note(f"slowest news on the other server {slowest:.2f} s")
