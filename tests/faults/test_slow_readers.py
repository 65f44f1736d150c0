"""Rows 15 and 16: who does not read, reads slowly, or never stops sending."""

from __future__ import annotations

import json
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import pytest
import requests
import websocket

from payments.services import live
from tests.faults.conftest import OpenShop
from tests.faults.gauges import MIB, Bystander, descriptors, memory, peak_memory, unharmed
from tests.faults.harness import KINDS, Owed, Shop
from tests.faults.report import Outcome
from tests.faults.strangers import Stranger, eventually, strangers
from tests.faults.talkative import ANSWER_BYTES, text

MODES = ("eventlet", "threading")
ON_BOTH = pytest.mark.parametrize("kind", KINDS)
"""What no database decides."""
BOTH_MODES = pytest.mark.parametrize("mode", MODES)

WINDOW = 4_096
SLOW_WINDOW = 256 * 1024
DROPPED_SECONDS = 50.0
MEMORY_EACH = 1 * MIB
GROWTH = 5 * MIB


def large_order(shop: Shop) -> Owed:
    """Every push about it has 8 kB."""
    asked = {
        "amount": 50_000,
        "currency": "VND",
        "description": "Coffee",
        "metadata": {"note": "n" * 7_900},
    }
    made = shop.call("POST", "/api/v1/orders", asked)
    shop.due[made["id"]] = Owed(made["id"], made["watch_token"])
    return shop.due[made["id"]]


def open_sockets(shop: Shop) -> int:
    figures = requests.get(f"{shop.servers[0].url}/metrics", timeout=20).text
    line = next(x for x in figures.splitlines() if x.startswith("paychime_open_sockets "))
    return int(float(line.split()[1]))


def push(shop: Shop, order_id: str, times: int) -> None:
    """Tells it again to whoever watches: pushes that no payment has to stand behind."""
    for _ in range(times):
        shop.books.read(live.tell_again, order_id, "order")


def talk(shop: Shop, order_id: str, seconds: float, rate: float = 4.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        push(shop, order_id, 1)
        time.sleep(1 / rate)


@pytest.mark.fault(15)
@ON_BOTH
@BOTH_MODES
def test_a_page_that_never_reads_is_dropped_before_it_fills_the_memory(
    open_shop: OpenShop, kind: str, mode: str, figures: Outcome
) -> None:
    shop = open_shop(kind, ASYNC_MODE=mode)
    order = large_order(shop)
    page = shop.page(order.order_id)
    server, count = shop.servers[0], 60
    push(shop, order.order_id, 300)
    eventually(lambda: page.shown[order.order_id].pushes >= 300, 20)
    with strangers([server] * count, token=order.token, window=WINDOW) as deaf:
        for one in deaf:
            assert one.watch(order.order_id)["ok"]
        began, before = time.monotonic(), memory(server.pid)
        grown = 0
        while open_sockets(shop) > 1:
            assert time.monotonic() - began < DROPPED_SECONDS, "they are still there"
            push(shop, order.order_id, 60)
            grown = max(grown, memory(server.pid) - before)
        seconds = time.monotonic() - began
    assert page.connected
    assert shop.tell(order.order_id).ok
    shop.prove(time.monotonic())
    assert grown / count < MEMORY_EACH
    figures.note(f"{mode}: {count} deaf pages flooded: dropped after {seconds:.1f} s")
    figures.note(f"{grown / count / MIB:.2f} MB each")


@contextmanager
def reading(come: list[Stranger]) -> Iterator[None]:
    """They read, and throw it away."""
    over = threading.Event()

    def read() -> None:
        with selectors.DefaultSelector() as waiting:
            for one in come:
                waiting.register(one.socket.sock, selectors.EVENT_READ)
            while not over.is_set():
                for key, _ in waiting.select(0.1):
                    cast(socket.socket, key.fileobj).recv(65_536)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join(10)


@pytest.mark.fault(15)
@pytest.mark.long
@pytest.mark.timeout(300)
@ON_BOTH
def test_two_hundred_pages_that_never_read_cost_no_more_than_those_that_do(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind)
    server, order = shop.servers[0], large_order(shop)
    page = shop.page(order.order_id)
    with (
        strangers([server] * 200, token=order.token, window=SLOW_WINDOW) as come,
        Bystander(server, "/readyz") as healthy,
    ):
        for one in come:
            assert one.watch(order.order_id)["ok"]
        with reading(come):
            began = time.monotonic()
            talk(shop, order.order_id, 15)
        deaf_since, before = time.monotonic(), memory(server.pid)
        grown = 0
        while open_sockets(shop) > 1:
            assert time.monotonic() - deaf_since < DROPPED_SECONDS, "they are still there"
            talk(shop, order.order_id, 0.5)
            grown = max(grown, memory(server.pid) - before)
        gone = time.monotonic()
        times = healthy.p99_ms(began, deaf_since), healthy.p99_ms(deaf_since, gone)
    assert page.connected
    assert shop.tell(order.order_id).ok
    shop.prove(time.monotonic())
    assert grown / 200 < MEMORY_EACH
    assert unharmed(*times), times
    figures.note(f"200 deaf pages dropped after {gone - deaf_since:.0f} s")
    figures.note(f"{grown / 200 / MIB:.2f} MB each")
    figures.note(f"others' p99 {times[0]:.0f} ms while they read, {times[1]:.0f} ms while not")


def frame_read_slowly(raw: Any, seconds: float) -> bytes:
    """One frame, in small sips over about so many seconds; what came of it where it ended early."""
    sips = 40
    heard = b""
    while len(heard) < 10 or len(heard) < 10 + struct.unpack("!Q", heard[2:10])[0]:
        more = raw.recv(ANSWER_BYTES // sips)
        if not more:
            break
        heard += more
        time.sleep(seconds / sips * len(more) / (ANSWER_BYTES // sips))
    assert heard[:2] == b"\x81\x7f", "a text frame with a length of eight bytes"
    return heard[10:]


@pytest.mark.fault(16)
@ON_BOTH
@BOTH_MODES
def test_a_slow_reader_gets_eight_mebibytes_whole(
    open_shop: OpenShop, kind: str, mode: str, figures: Outcome
) -> None:
    shop = open_shop(kind, started=False, ASYNC_MODE=mode)
    shop.start("-m", "tests.faults.talkative")
    server, order = shop.servers[0], shop.order()
    with strangers([server], token=order.token, window=SLOW_WINDOW) as (slow,):
        slow.until('42["connected"')  # the greeting: nothing else is on its way
        began = time.monotonic()
        number = slow.say("tell-me-all")
        frame = frame_read_slowly(slow.socket.sock, 4.0)
        seconds = time.monotonic() - began
        start = f"43{number}"
        assert frame.decode().startswith(start)
        assert json.loads(frame[len(start) :]) == [text()]
        assert slow.watch(order.order_id)["ok"], "the connection goes on"
    figures.note(f"{mode}: 8 MiB whole over {seconds:.1f} s")


def closed(one: Stranger) -> bool:
    one.socket.settimeout(10)
    try:
        while one.socket.recv_frame().opcode != websocket.ABNF.OPCODE_CLOSE:
            pass
    except websocket.WebSocketTimeoutException:
        return False
    except (OSError, websocket.WebSocketException):
        pass
    return True


def send_in_fragments(one: Stranger, whole_bytes: int, fragment_bytes: int) -> int:
    """One message that never ends; how much of it was taken before the connection was closed."""
    sent, part, opcode = 0, b"x" * fragment_bytes, websocket.ABNF.OPCODE_TEXT
    with suppress(OSError):
        while sent < whole_bytes:
            one.socket.send_frame(websocket.ABNF(0, 0, 0, 0, opcode, 1, part))
            opcode = websocket.ABNF.OPCODE_CONT
            sent += fragment_bytes
    return sent


@pytest.mark.fault(16)
@ON_BOTH
@BOTH_MODES
@pytest.mark.parametrize("fragment_bytes", [65_000, 4_000])
def test_ninety_six_megabytes_in_fragments_are_stopped_at_the_limit(
    open_shop: OpenShop, kind: str, mode: str, fragment_bytes: int, figures: Outcome
) -> None:
    shop = open_shop(kind, ASYNC_MODE=mode)
    server, order = shop.servers[0], shop.order()
    page = shop.page(order.order_id)
    with strangers([server] * 3, token=order.token) as come:
        send_in_fragments(come[0], 200_000, fragment_bytes)  # the first use of code takes memory
        held = descriptors(server.pid)
        with peak_memory(server.pid) as grown:
            for one in come[1:]:
                assert send_in_fragments(one, 96_000_000, fragment_bytes) < 96_000_000
                assert closed(one)
    assert grown[0] < GROWTH
    eventually(lambda: descriptors(server.pid) < held, 10)
    assert page.connected
    assert shop.tell(order.order_id).ok
    shop.prove(time.monotonic())
    figures.note(f"{mode}: closed, memory grew by {grown[0] / MIB:.2f} MB at its peak")
