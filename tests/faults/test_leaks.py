"""Row 33: pages that come and go all day."""

from __future__ import annotations

import http.client
import json
import random
import statistics
import time
from collections.abc import Callable, Sequence

import pytest

from tests.faults.conftest import OpenShop
from tests.faults.gauges import MIB, descriptors, memory
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.faults.strangers import Stranger, eventually

HOUR_OF_VISITS = 3_600
"""One page a second comes and goes for an hour: the minutes measured here are much denser."""
SLOPE_BYTES = 1 * MIB
ORDERS = 50


def comes_and_goes(shop: Shop, chance: random.Random) -> None:
    """One page, in one of the ways in which pages come and go."""
    server = shop.servers[0]
    order_id = chance.choice(list(shop.due))
    token = shop.due[order_id].token
    way = chance.choice((_by_socket, _by_socket, _gone_at_once, _by_polling, _refused))
    way(shop, server.port, order_id, token)


def _by_socket(shop: Shop, _port: int, order_id: str, token: str) -> None:
    page = Stranger(shop.servers[0], token)
    assert page.watch(order_id)["ok"]
    assert not page.watch("none")["ok"]
    page.close()


def _gone_at_once(shop: Shop, _port: int, _order_id: str, token: str) -> None:
    page = Stranger(shop.servers[0], token)
    page.say("watch", {"topic": "order:none"})
    page.close()


def _by_polling(_shop: Shop, port: int, order_id: str, token: str) -> None:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    path = "/socket.io/?EIO=4&transport=polling"
    try:
        sid = json.loads(_ask(line, "GET", path)[1:])["sid"]
        _ask(line, "POST", f"{path}&sid={sid}", "40" + json.dumps({"token": token}))
        _ask(line, "GET", f"{path}&sid={sid}")
        watch = ["watch", {"topic": f"order:{order_id}"}]
        _ask(line, "POST", f"{path}&sid={sid}", f"421{json.dumps(watch)}")
        _ask(line, "POST", f"{path}&sid={sid}", "1")
    finally:
        line.close()


def _refused(shop: Shop, _port: int, _order_id: str, _token: str) -> None:
    page = Stranger(shop.servers[0], "wt_wrong")
    assert page.answer.startswith("44")
    page.close()


def _ask(line: http.client.HTTPConnection, method: str, path: str, body: str | None = None) -> str:
    line.request(method, path, body)
    answer = line.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, text
    return text


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line nearest to them (Theil and Sen: the median of all slopes)."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for place, earlier in enumerate(points)
        for later in points[place + 1 :]
    ]
    return statistics.median(slopes)


def visits(shop: Shop, seconds: float, chance: random.Random, look: Callable[[int], None]) -> int:
    """As many as the time holds, one after the other; `look(count)` about twice a second."""
    count, end, next_look = 0, time.monotonic() + seconds, 0.0
    while time.monotonic() < end:
        comes_and_goes(shop, chance)
        count += 1
        if time.monotonic() > next_look:
            look(count)
            next_look = time.monotonic() + 0.5
    return count


@pytest.mark.fault(33)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("mode", "warm_seconds", "seconds"),
    [
        ("eventlet", 1, 2),
        ("threading", 1, 2),
        pytest.param("eventlet", 30, 150, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
def test_pages_that_come_and_go_leave_nothing_behind(
    open_shop: OpenShop,
    kind: str,
    mode: str,
    warm_seconds: int,
    seconds: int,
    seed: random.Random,
    figures: Outcome,
) -> None:
    shop = open_shop(kind, ASYNC_MODE=mode, SOCKETS_PER_ADDRESS="100000")
    server = shop.servers[0]
    shop.orders(ORDERS)
    calm = descriptors(server.pid)
    visits(shop, warm_seconds, seed, lambda _count: None)
    points: list[tuple[float, float]] = []
    count = visits(shop, seconds, seed, lambda n: points.append((n, memory(server.pid))))
    back = eventually(lambda: descriptors(server.pid) <= calm + 5, 60)
    shop.prove(time.monotonic())
    an_hour = slope(points) * HOUR_OF_VISITS
    figures.note(f"{mode}: {count} visits in {seconds} s, descriptors back after {back:.1f} s")
    if warm_seconds < 30:
        return  # too short a time for a slope
    figures.note(
        f"{count / HOUR_OF_VISITS:.1f} hours of one visit a second: {an_hour / MIB:+.2f} MB an hour"
    )
    assert an_hour < SLOPE_BYTES
