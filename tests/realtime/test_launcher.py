"""The server process: how it starts, what it serves, and how it ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest

from payments.workers import DRAIN_SECONDS
from tests.realtime.conftest import MODES, ByHand, Shop, Visit, eventually
from tests.servers import REPOSITORY, AppServer, PostgresServer

Opener = Callable[..., Shop]


@pytest.mark.parametrize(
    "transports",
    [
        ("polling", "websocket"),
        pytest.param(("websocket",), marks=pytest.mark.long),
        pytest.param(("polling",), marks=pytest.mark.long),
    ],
)
def test_the_official_client_comes_back_by_itself_after_a_restart(
    own_shop: Opener, visit: Visit, transports: tuple[str, ...]
) -> None:
    shop = own_shop()
    order = shop.order()
    page = visit(shop, shop.watch_token(order), transports=transports, reconnection=True)
    page.watch(order)
    began = time.monotonic()
    assert shop.process.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10
    page.wait_for("disconnect")
    # While it is down, another process takes the money.
    shop.elsewhere(_move, order.id)
    shop.start()
    page.wait_for("connect", 2, seconds=10)
    given = page.watch(order, after=1)
    assert given["version"] == 2
    assert [event["version"] for event in given["events"]] == [2]
    shop.move(order, "payment.started")
    eventually(lambda: 3 in page.versions())


def _move(order_id: str) -> None:
    from tests.realtime import shop

    shop.move(order_id)


def test_a_fact_that_was_not_relayed_before_a_crash_is_told_after_it(
    own_shop: Opener, visit: Visit
) -> None:
    shop = own_shop()
    order = shop.order()
    shop.process.kill()
    shop.elsewhere(_move, order.id)
    shop.start()
    eventually(lambda: shop.elsewhere(_unpublished) == 0)
    page = visit(shop, shop.watch_token(order))
    assert page.watch(order)["version"] == 2


def _unpublished() -> int:
    from payments.store import outbox

    return outbox.lag()[0]


def test_an_open_request_is_finished_before_the_end(own_shop: Opener) -> None:
    shop = own_shop()
    with ThreadPoolExecutor() as threads:
        slow = threads.submit(shop.post, "/slow/1.5")
        time.sleep(0.3)
        began = time.monotonic()
        os.kill(shop.process.pid, signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            shop.get("/healthz")
        assert slow.result() == "done"
    eventually(lambda: not shop.process.running)
    assert 1 < time.monotonic() - began < DRAIN_SECONDS


def test_a_request_on_a_fresh_connection_is_answered_during_the_drain(own_shop: Opener) -> None:
    shop = own_shop()
    with closing(http.client.HTTPConnection("127.0.0.1", shop.port, timeout=5)) as connection:
        connection.connect()
        time.sleep(0.1)
        os.kill(shop.process.pid, signal.SIGTERM)
        time.sleep(0.1)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.getheader("Connection") == "close"
    eventually(lambda: not shop.process.running)


def test_idle_connections_do_not_delay_the_end(own_shop: Opener) -> None:
    shop = own_shop()
    idle = [socket.create_connection(("127.0.0.1", shop.port)) for _ in range(20)]
    kept = http.client.HTTPConnection("127.0.0.1", shop.port)
    kept.request("GET", "/healthz")
    kept.getresponse().read()
    began = time.monotonic()
    assert shop.process.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < DRAIN_SECONDS
    for one in idle:
        one.close()
    kept.close()


def test_ctrl_c_ends_it_as_well_and_twice_does_no_harm(own_shop: Opener) -> None:
    shop = own_shop()
    os.kill(shop.process.pid, signal.SIGINT)
    assert shop.process.end(signal.SIGINT) == 0


@pytest.mark.parametrize("own_shop", ["eventlet"], indirect=True)
def test_a_request_that_hangs_does_not_keep_it_from_ending(own_shop: Opener) -> None:
    shop = own_shop()

    def wait() -> None:
        with suppress(OSError, http.client.HTTPException):
            shop.post("/slow/30.0")

    threading.Thread(target=wait, daemon=True).start()
    time.sleep(0.3)
    began = time.monotonic()
    assert shop.process.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 10


def test_a_hundred_and_fifty_pages_connect_at_once(own_shop: Opener, by_hand: ByHand) -> None:
    shop = own_shop()
    pages = [by_hand(shop, origin=shop.url) for _ in range(150)]
    began = time.monotonic()
    with ThreadPoolExecutor(150) as threads:
        answers = list(threads.map(lambda page: page.connect(None), pages))
    assert all("sid" in answer for answer in answers)
    assert time.monotonic() - began < 10
    assert shop.figure("paychime_open_sockets") == 150


def test_no_deflate_is_agreed(a_shop: Shop) -> None:
    head = (
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{a_shop.port}\r\nOrigin: {a_shop.url}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", a_shop.port), timeout=5) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(4096).decode("latin1")
    assert " 101 " in answer
    assert "permessage-deflate" not in answer


def test_a_chunked_body_arrives_whole(a_shop: Shop) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", a_shop.port, timeout=5)) as connection:
        body = iter([b"x" * 5_000, b"y" * 7_000])
        connection.request("POST", "/length", body, encode_chunked=True)
        assert connection.getresponse().read() == b"12000"


def test_on_postgresql_a_slow_query_stops_nobody(
    own_shop: Opener, visit: Visit, postgres: PostgresServer
) -> None:
    url = postgres.create_database()
    shop = own_shop(DATABASE_URL=url)
    order = shop.order()
    page = visit(shop, shop.watch_token(order))
    page.watch(order)
    with ThreadPoolExecutor() as threads:
        began = time.monotonic()
        slow = [threads.submit(shop.post, "/slow-query/1.0") for _ in range(4)]
        shop.get("/healthz")
        assert not any(one.done() for one in slow)
        assert [one.result() for one in slow] == ["done"] * 4
        assert time.monotonic() - began < 4.0, "they were asked in turn"
    shop.move(order)
    page.wait_for("update")
    shop.close()
    postgres.drop_database(url)


def start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "wsgi.py"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "APP_ENV": "test", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


SECRET = {"SECRET_KEY": "only for the tests of one server process"}


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "eighty"), ("ASYNC_MODE", "gevent"), ("CORS_ORIGINS", "a b")]
)
def test_a_bad_setting_is_named(name: str, value: str, tmp_path: object) -> None:
    done = start({**SECRET, "INSTANCE_PATH": str(tmp_path), name: value})
    assert done.returncode == 2
    assert done.stderr.startswith(f"{name}: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_database_without_tables_stops_the_start_with_words(mode: str, tmp_path: object) -> None:
    done = start({**SECRET, "INSTANCE_PATH": str(tmp_path), "ASYNC_MODE": mode})
    assert done.returncode == 1
    assert "flask --app app db upgrade" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("mode", MODES)
def test_the_application_is_served_in_both_modes(mode: str, tmp_path: Path) -> None:
    database = {"DATABASE_URL": f"sqlite:///{tmp_path / 'app.db'}"}
    with AppServer({"ASYNC_MODE": mode, **database}) as server:
        eventually(lambda: f"Paychime is listening on {server.url}\n" in server.log())
        assert "Eventlet is deprecated" not in server.log()
        second = start({**SECRET, "PORT": str(server.port), "ASYNC_MODE": mode, **database})
        assert second.returncode == 2
        assert second.stderr.startswith("PORT: ")
        assert server.terminate() == 0
        server.start()
        assert server.terminate() == 0
