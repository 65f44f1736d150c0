"""Row 29: SIGTERM under load, one server after the other."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.faults.conftest import OpenShop
from tests.faults.harness import Shop
from tests.faults.report import Outcome
from tests.faults.traffic import REFUSED

DRAIN_SECONDS = 10.0
MINUTES = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.mark.fault(29)
@pytest.mark.parametrize("times", [1, pytest.param(3, marks=MINUTES)])
def test_a_drain_under_load_fails_no_callback(shop: Shop, times: int, figures: Outcome) -> None:
    """Each server in turn, and a proxy that goes to the next one where nobody listens."""
    rate = 20.0
    traffic = shop.traffic(rate, 8.0 * times * len(shop.servers))
    pages = shop.pages_everywhere(*list(shop.due)[:: len(shop.due) // 40])
    traffic.start()
    slowest = 0.0
    for _ in range(times):
        for server in shop.servers:
            time.sleep(1.5)
            asked_at = time.monotonic()
            assert server.terminate() == 0
            slowest = max(slowest, time.monotonic() - asked_at)
            server.start()
    healed_at = time.monotonic()
    time.sleep(1)
    answers = traffic.finish()
    # One server alone leaves nobody to go to while it starts; whoever it took on, it answers.
    alone = {REFUSED} if len(shop.servers) == 1 else set()
    assert {one.status for one in answers} <= {200} | alone
    shop.insist_on(answers)
    shop.prove(max(healed_at, time.monotonic() - 5))
    assert slowest < DRAIN_SECONDS
    refused = sum(one.status == REFUSED for one in answers)
    figures.note(f"{len(answers)} callbacks at {rate:g}/s over {times * len(shop.servers)} drains")
    figures.note(f"0 failed, 0 lost, {refused} found nobody; slowest drain {slowest:.1f} s")
    figures.note(f"{len(pages)} pages right")


CALLERS = 12


def knock(port: int, enough: Event) -> Counter[str]:
    """One connection after the other, each for one question, until nobody opens."""
    met: Counter[str] = Counter()
    while not enough.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            connection.connect()
        except ConnectionRefusedError:
            met["nobody there"] += 1
            time.sleep(0.02)
            continue
        try:
            connection.request("GET", "/readyz")
            met[str(connection.getresponse().status)] += 1
        except (OSError, http.client.HTTPException):
            met["cut off"] += 1
        finally:
            connection.close()
    return met


@pytest.mark.fault(29)
@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("times", [2, pytest.param(8, marks=MINUTES)])
def test_whoever_is_let_in_during_a_drain_is_answered(
    open_shop: OpenShop, kind: str, times: int, figures: Outcome
) -> None:
    """Hundreds of new connections a second, also between the last one taken and the close."""
    shop = open_shop(kind)
    (server,) = shop.servers
    met: Counter[str] = Counter()
    for _ in range(times):
        enough = Event()
        with ThreadPoolExecutor(CALLERS) as pool:
            callers = [pool.submit(knock, server.port, enough) for _ in range(CALLERS)]
            time.sleep(0.7)
            assert server.terminate() == 0
            enough.set()
        for one in callers:
            met += one.result()
        server.start()
    assert met["nobody there"], "the door was shut"
    assert set(met) == {"200", "nobody there"}, met
    figures.note(f"{times} drains under {met['200']} new connections, 0 cut off")
