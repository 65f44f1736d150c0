"""Rows 21 and 22: who guesses at other people's rooms, and who comes from a foreign page."""

from __future__ import annotations

import random
import statistics
import time

import pytest
import websocket

from payments.services.ids import new_order_id
from tests.faults.conftest import OpenShop
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.faults.strangers import HANDSHAKE, Stranger, ask, strangers

NOT_FOUND = {"ok": False, "error": "not_found"}
GUESSERS = 20
A_SECOND = 80
"""Fewer than a socket may say: what is beyond them is refused unread."""
SAME_TIME = 1.5
NOISE_MS = 1.0

MINUTES = [pytest.mark.long, pytest.mark.timeout(600)]


def guess(guessers: list[Stranger], ids: list[str]) -> None:
    """Each of these ids once, by turns."""
    for start in range(0, len(ids), GUESSERS):
        began = time.monotonic()
        asked = [
            (one, one.say("watch", {"topic": f"order:{order_id}"}))
            for one, order_id in zip(guessers, ids[start : start + GUESSERS], strict=False)
        ]
        for one, number in asked:
            assert one.ack(number) == NOT_FOUND
        time.sleep(max(0.0, 1 / A_SECOND - (time.monotonic() - began)))


def heard_nothing(one: Stranger, order_ids: list[str]) -> bool:
    """Not a word about them, however long it waits."""
    one.socket.settimeout(1.0)
    try:
        while True:
            message = one.hear()
            if any(order_id in message for order_id in order_ids):
                return False
    except websocket.WebSocketTimeoutException:
        return True


def times_of(one: Stranger, ids: list[str], times: int, chance: random.Random) -> float:
    """The median of the answers' times, in milliseconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        assert one.watch(chance.choice(ids)) == NOT_FOUND
        took.append(1000 * (time.perf_counter() - began))
        time.sleep(1 / A_SECOND)
    return statistics.median(took)


@pytest.mark.fault(21)
@pytest.mark.parametrize(
    ("guesses", "times"), [(400, 20), pytest.param(10_000, 150, marks=MINUTES)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_hears_nothing_by_any_guess(
    open_shop: OpenShop, kind: str, guesses: int, times: int, seed: random.Random, figures: Outcome
) -> None:
    shop = open_shop(kind)
    own, others = shop.order(), [one.order_id for one in shop.orders(20)]
    page = shop.page(*others)
    near = [_turned(seed.choice(others), seed) for _ in range(guesses // 2)]
    ids = [*near, *(new_order_id() for _ in range(guesses - len(near) - len(others))), *others]
    seed.shuffle(ids)
    servers = [shop.servers[number % len(shop.servers)] for number in range(GUESSERS)]
    with strangers(servers, token=own.token) as guessers:
        assert guessers[0].watch(own.order_id)["ok"], "it may watch its own"
        guess(guessers, ids)
        existing, none = _compared(guessers[0], others, times, seed)
        for order_id in others:
            assert shop.tell(order_id).ok
        assert all(heard_nothing(one, others) for one in guessers[:3])
    shop.prove(time.monotonic())
    assert {one.status for one in page.shown.values()} == {"paid"}, "its own page did hear"
    assert abs(existing - none) < max(NOISE_MS, (SAME_TIME - 1) * none), (existing, none)
    figures.note(f"{len(ids)} guesses, among them {len(others)} right ones: nothing heard")
    figures.note(f"answered in {existing:.2f} ms where there is one, {none:.2f} ms where not")


def _turned(order_id: str, chance: random.Random) -> str:
    """An id one letter off."""
    place = chance.randrange(1, len(order_id))
    return order_id[:place] + chance.choice("23456789ABCDEFGH") + order_id[place + 1 :]


def _compared(
    one: Stranger, others: list[str], times: int, chance: random.Random
) -> tuple[float, float]:
    """Medians of another's orders and of no orders, taken by turns."""
    existing, none = [], []
    for _ in range(3):
        existing.append(times_of(one, others, times, chance))
        none.append(times_of(one, [new_order_id() for _ in others], times, chance))
    return min(existing), min(none)


@pytest.mark.fault(21)
@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_reads_nothing_by_any_address(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind)
    own, other = shop.order(), shop.order()
    about = {"Authorization": f"Bearer {own.token}"}
    said = {}
    for name, order_id in (("another's", other.order_id), ("none", new_order_id())):
        for way in ("/api/v1/orders/{}", "/api/v1/orders/{}/events", "/checkout/{}"):
            headers = about if way.startswith("/api") else {}
            answer = ask(shop.servers[0], "GET", way.format(order_id), **headers)
            assert answer.status == 404
            body = answer.body.replace(order_id.encode(), b"<id>")
            said[way, name] = (answer.headers.get("content-type"), body)
    for way, name in said:
        assert said[way, name] == said[way, "none"], way
    assert ask(shop.servers[0], "GET", f"/api/v1/orders/{own.order_id}", **about).status == 200
    figures.note("the same words for another's order and for none")


def origins(shop: Shop) -> dict[str, str]:
    server = shop.servers[0]
    return {
        "another": "https://evil.example",
        "null": "null",
        "another port": f"http://127.0.0.1:{server.port + 1}",
        "another scheme": f"https://127.0.0.1:{server.port}",
        "another name": f"http://localhost:{server.port}",
        "ours as a beginning": f"{server.url}.evil.example",
        "ours as an account": f"{server.url}@evil.example",
        "a file": "file://",
        "two": f"{server.url}, https://evil.example",
    }


@pytest.mark.fault(22)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_a_foreign_page_is_refused_at_the_handshake(
    open_shop: OpenShop, kind: str, mode: str, figures: Outcome
) -> None:
    shop = open_shop(kind, ASYNC_MODE=mode)
    server, order = shop.servers[0], shop.order()
    polling = HANDSHAKE.replace("websocket", "polling")
    for name, origin in origins(shop).items():
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            Stranger(server, order.token, origin=origin, suppress_origin=False)
        assert 400 <= refused.value.status_code < 500, name
        said = ask(server, "GET", polling, Origin=origin)
        assert 400 <= said.status < 500, name
        assert "access-control-allow-origin" not in said.headers
    ours = Stranger(server, origin=server.url, suppress_origin=False)
    assert ours.answer.startswith("40"), "our own page may come without a token"
    ours.close()
    without = Stranger(server)
    assert without.answer == '44{"message":"unauthorized"}'
    without.close()
    with strangers([server], token=order.token) as (known,):
        assert known.answer.startswith("40"), "with a token no Origin is needed"
    figures.note(f"{mode}: {len(origins(shop))} foreign origins refused; none only with a token")
