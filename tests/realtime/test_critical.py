"""What a page has to acknowledge is sent again until it does, three times in all."""

from __future__ import annotations

import itertools
import time
from typing import Any, cast

import pytest
from socketio import packet

from payments.realtime import deliveries
from payments.realtime.deliveries import Deliveries
from payments.realtime.server import Sockets
from tests.realtime.conftest import ByHand, Raw, Shop, eventually

EVENT = "payment-status-update"


def told(page: Raw) -> list[str]:
    """What came of it, with the number of the ack before it."""
    return [one for one in page.heard if EVENT in one]


def hear(page: Raw, seconds: float) -> list[str]:
    page.socket.settimeout(seconds)
    try:
        page.until(lambda _one: False)
    except Exception:
        return told(page)
    raise AssertionError("it never ends")


def joined(shop: Shop, by_hand: ByHand) -> tuple[Raw, str]:
    order = shop.order()
    page = by_hand(shop)
    page.connect({"token": shop.watch_token(order)})
    assert page.ask("join-order", order.id)["ok"]
    shop.move(order)
    page.until(lambda one: EVENT in one)
    return page, order.id


def test_a_page_that_never_acknowledges_hears_it_three_times(a_shop: Shop, by_hand: ByHand) -> None:
    page, _ = joined(a_shop, by_hand)
    heard = hear(page, 12)
    assert len(heard) == 3
    assert len({one[one.index("[") :] for one in heard}) == 1
    assert len({one[: one.index("[")] for one in heard}) == 3


def test_a_page_that_acknowledges_hears_it_once(a_shop: Shop, by_hand: ByHand) -> None:
    page, _ = joined(a_shop, by_hand)
    number = told(page)[0].split("[")[0].removeprefix("42")
    page.send(f"43{number}[]")
    assert len(hear(page, 6)) == 1


def test_nothing_a_page_acknowledges_can_hurt(a_shop: Shop, by_hand: ByHand) -> None:
    page, order_id = joined(a_shop, by_hand)
    for nonsense in ("430[]", "4399[1,2,3]", '431["x",{"a":[]}]', "43[]", "431{}", "431"):
        page.send(nonsense)
    assert page.ask("join-order", order_id)["ok"]
    assert page.ask("leave-order", order_id)["ok"]
    eventually(lambda: "socket.failed" not in a_shop.process.log())


class Manager:
    """The library's, with one connection."""

    def __init__(self) -> None:
        self.callbacks: dict[str, dict[int, Any]] = {}
        self.connections = {"one": "c"}
        self._numbers = itertools.count(1)

    def eio_sid_from_sid(self, sid: str, _namespace: str) -> str | None:
        return self.connections.get(sid)

    def _generate_ack_id(self, sid: str, callback: Any) -> int:
        number = next(self._numbers)
        self.callbacks.setdefault(sid, {})[number] = callback
        return number


class Server:
    packet_class = packet.Packet

    def __init__(self) -> None:
        self.manager = Manager()
        self.sent: list[tuple[int | None, str]] = []

    def _send_packet(self, _connection: str, sent: Any) -> None:
        self.sent.append((sent.id, sent.data[1]["status"]))


class World:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 1_000.0
        monkeypatch.setattr("payments.realtime.deliveries.time.monotonic", lambda: self.at)
        self.server = Server()
        self.deliveries = Deliveries(cast(Sockets, self))

    def send(self, status: str, room: str = "order-1", sid: str = "one") -> None:
        self.deliveries.send(sid, "/", room, EVENT, {"status": status})

    def after(self, seconds: float) -> list[str]:
        self.at += seconds
        before = len(self.server.sent)
        self.deliveries.step()
        return [status for _, status in self.server.sent[before:]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_it_is_sent_again_every_five_seconds(world: World) -> None:
    world.send("completed")
    assert [world.after(seconds) for seconds in (4.9, 0.2, 4.8, 0.3, 5, 5)] == [
        [],
        ["completed"],
        [],
        ["completed"],
        [],
        [],
    ]
    assert len(world.deliveries) == 0
    assert world.server.manager.callbacks == {"one": {}}


def test_an_ack_to_any_of_the_tries_ends_it(world: World) -> None:
    world.send("completed")
    world.after(5)
    world.server.manager.callbacks["one"].pop(1)("whatever", 5)
    assert world.after(5) == []
    assert world.server.manager.callbacks == {"one": {}}


def test_a_newer_one_takes_the_place_of_the_older(world: World) -> None:
    """Sent again after it, the older would bring an older state back."""
    world.send("pending")
    world.send("completed")
    assert world.after(5) == ["completed"]
    assert list(world.server.manager.callbacks["one"]) == [2, 3]


def test_it_stops_when_the_socket_is_gone(world: World) -> None:
    world.send("completed")
    world.send("completed", "order-2")
    world.deliveries.forget("one")
    assert (len(world.deliveries), world.after(5)) == (0, [])
    world.send("completed", sid="never-there")
    assert len(world.deliveries) == 0


def test_only_so_many_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MAX_WAITING", 100)
    for number in range(300):
        world.send("completed", f"order-{number}")
    assert len(world.deliveries) == 100
    assert len(world.server.manager.callbacks["one"]) == 100
    assert len(world.after(5)) == 100


def test_a_socket_that_leaves_owes_nothing(a_shop: Shop, by_hand: ByHand) -> None:
    page, _ = joined(a_shop, by_hand)
    page.close()
    time.sleep(6)
    assert "loop.failed" not in a_shop.process.log()
