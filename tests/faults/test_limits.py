"""Rows 17 and 18: more connections and larger bodies than anybody needs."""

from __future__ import annotations

import gzip
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.faults.conftest import OpenShop
from tests.faults.gauges import MIB, Bystander, descriptors, peak_memory, unharmed
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.faults.strangers import Said, connected, eventually, exchange, request
from tests.servers import AppServer

ON_BOTH = pytest.mark.parametrize("kind", KINDS)
BOTH_MODES = pytest.mark.parametrize("mode", ["eventlet", "threading"])

KEPT_FILES = 500
"""Descriptors that the test itself needs."""
BACK_SECONDS = 60.0
CALM_SECONDS = 5.0
LIMIT = 256 * 1024
PIECE = 65_536
ORDER = b'{"amount": 50000, "currency": "VND", "description": "Tea"}'
GROWTH = 5 * MIB
PATHS = ("/api/v1/orders", "/callbacks/generic", "/webhook/payment", "/api/v1/auth/token")


@contextmanager
def half_open(server: AppServer, count: int) -> Iterator[list[socket.socket]]:
    """Every second one says nothing, the others the beginning of a request."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    lines: list[socket.socket] = []
    try:
        for number in range(count):
            lines.append(connected(server))
            if number % 2:
                lines[-1].sendall(b"GET /healthz HTTP/1.1\r\n")
        yield lines
    finally:
        for line in lines:
            line.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def drip(lines: list[socket.socket], seconds: float) -> None:
    """A header of one letter now and then, from those who have begun: never the end of it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for line in lines[1::20]:
            with suppress(OSError):
                line.sendall(b"X: y\r\n")
        time.sleep(1)


@pytest.mark.fault(17)
@ON_BOTH
def test_a_thousand_half_open_sockets_do_not_slow_a_healthy_client(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind)
    server = shop.servers[0]
    calm = descriptors(server.pid)
    with Bystander(server) as healthy:
        time.sleep(CALM_SECONDS)
        began = time.monotonic()
        with half_open(server, 1_000) as lines:
            standing = time.monotonic()
            drip(lines, CALM_SECONDS)
            times = healthy.p99_ms(began - CALM_SECONDS, began), healthy.p99_ms(standing)
        back = eventually(lambda: descriptors(server.pid) <= calm + 5, BACK_SECONDS)
    assert unharmed(*times), times
    shop.prove(time.monotonic())
    figures.note(f"1,000 half open: p99 {times[0]:.0f} ms before, {times[1]:.0f} ms meanwhile")
    figures.note(f"descriptors back {back:.1f} s after they left")


@pytest.mark.fault(17)
@pytest.mark.long
@pytest.mark.timeout(300)
@ON_BOTH
def test_ten_thousand_half_open_sockets_are_closed_by_the_server(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind)
    server = shop.servers[0]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, (hard if hard > 0 else 65_536) - KEPT_FILES)
    calm = descriptors(server.pid)
    with Bystander(server) as healthy:
        time.sleep(CALM_SECONDS)
        began = time.monotonic()
        with half_open(server, count) as lines:
            standing = time.monotonic()
            most = descriptors(server.pid)
            drip(lines, 30)
            gone = time.monotonic()
            times = healthy.p99_ms(began - CALM_SECONDS, began), healthy.p99_ms(standing, gone)
            back = eventually(lambda: descriptors(server.pid) <= calm + 5, BACK_SECONDS - 30)
    assert most > count / 2, "they were let in"
    assert unharmed(*times), times
    shop.prove(time.monotonic())
    figures.note(f"{count} half open: p99 {times[0]:.0f} ms before, {times[1]:.0f} ms meanwhile")
    figures.note(f"descriptors back within {30 + back:.0f} s of the last one's coming")


def chunked(path: str, size: int, key: str) -> Iterator[bytes]:
    """A body without a length, in pieces of 64 kB. Cut off somewhere it would be an order."""
    yield (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    ).encode()
    piece = ORDER + b" " * (PIECE - len(ORDER))
    while size > 0:
        yield b"%x\r\n" % min(size, PIECE) + piece[:size] + b"\r\n"
        size, piece = size - PIECE, b" " * PIECE
    yield b"0\r\n\r\n"


def too_much(shop: Shop, way: str, path: str) -> Said:
    """Sends it, and returns what was answered."""
    server = shop.servers[0]
    about = {"Authorization": f"Bearer {shop.key}", "Content_Type": "application/json"}
    if way == "a byte over the limit":
        return exchange(server, [request("POST", path, b" " * (LIMIT + 1), **about)])
    if way == "a length of 100 MB":
        head = request("POST", path, b"", **about, Content_Length=str(100_000_000))
        return exchange(server, [head, b" " * 100_000])
    if way == "100 MB in chunks":
        return exchange(server, chunked(path, 100_000_000, shop.key))
    if way == "a byte over the limit in chunks":
        return exchange(server, chunked(path, LIMIT + 1, shop.key))
    bomb = gzip.compress(b" " * 200_000_000, 9)
    assert len(bomb) < LIMIT, "small enough to come in"
    return exchange(server, [request("POST", path, bomb, **about, Content_Encoding="gzip")])


@pytest.mark.fault(18)
@ON_BOTH
@BOTH_MODES
@pytest.mark.parametrize(
    ("way", "answers"),
    [
        ("a byte over the limit", {413}),
        ("a byte over the limit in chunks", {413}),
        ("a length of 100 MB", {413}),
        # Closed while we were still sending: our own system may then throw the answer away.
        ("100 MB in chunks", {413, 0}),
        ("a gzip bomb", {415}),
    ],
)
def test_a_body_that_is_too_much_is_refused_and_not_kept(
    open_shop: OpenShop, kind: str, mode: str, way: str, answers: set[int], figures: Outcome
) -> None:
    shop = open_shop(kind, ASYNC_MODE=mode)
    server = shop.servers[0]
    paths = PATHS[:2] if way == "100 MB in chunks" else PATHS
    for path in paths:
        too_much(shop, "a byte over the limit", path)  # the first use of code takes memory
    grown = []
    found = set()
    for path in paths:
        with peak_memory(server.pid) as peak:
            found.add(too_much(shop, way, path).status)
        grown.append(peak[0])
    assert found <= answers, found
    assert max(grown) < GROWTH, grown
    order = shop.order()
    assert shop.tell(order.order_id).ok
    shop.prove(time.monotonic())
    words = ", ".join(map(str, sorted(found))).replace("0", "closed") if 0 in found else found
    figures.note(f"{mode}, {way}: {words}, memory grew by {max(grown) / MIB:.2f} MB at its peak")
