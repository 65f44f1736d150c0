"""`wsgi.py --workers 2` as it is deployed: PostgreSQL, Redis, and nginx with TLS before both.

Whoever watches at one hears of what arrives at the other; whose process dies goes to the other and
has missed nothing; while processes are replaced, no callback fails.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio

from payments.services.demo import API_KEY
from tests.nginx import Nginx, behind_nginx
from tests.servers import REPOSITORY, PostgresServer, free_port, redis_server
from tests.signing import shop_webhook
from tests.test_workers import Servers

pytestmark = pytest.mark.long

AMOUNT = 50_000
PATIENCE_SECONDS = 15.0
TRANSPORTS = (("websocket",), ("polling",))


def until(true: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class House:
    """Both processes, and the proxy by which everybody comes."""

    def __init__(self, servers: Servers, nginx: Nginx) -> None:
        self.servers = servers
        self.nginx = nginx
        self.leaving: list[threading.Thread] = []

    def at(self, place: int) -> str:
        return f"http://127.0.0.1:{self.servers.first + place}"

    def pid(self, place: int) -> int:
        wanted = f"PORT={self.servers.first + place}".encode()
        (found,) = (
            pid
            for pid in self.servers.children()
            if wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        )
        return found

    def address_led_to(self, place: int) -> str:
        """A customer's whom the proxy sends to this process."""
        for number in range(1, 100):
            address, path = f"10.{number}.0.1", f"/nothing/{place}/{number}"
            requests.get(
                f"{self.nginx.url}{path}", headers={"X-Forwarded-For": address}, timeout=10
            )
            # It is written after the answer.
            until(lambda path=path: f" {path} 404 " in self.nginx.access_log, "no line", 5)  # type: ignore[misc]
            (line,) = (one for one in self.nginx.access_log.splitlines() if f" {path} " in one)
            if line.endswith(f":{self.servers.first + place}"):
                return address
        raise AssertionError("every address is led to the other process")

    def sockets(self, place: int) -> int:
        for line in requests.get(f"{self.at(place)}/metrics", timeout=10).text.splitlines():
            if line.startswith("paychime_open_sockets "):
                return int(float(line.split()[1]))
        raise AssertionError("no figure of sockets")

    def order(self) -> dict[str, Any]:
        answer = requests.post(
            f"{self.nginx.url}/api/v1/orders",
            json={"amount": AMOUNT, "currency": "VND", "description": "Coffee"},
            headers={"Authorization": f"Bearer {API_KEY}"},
            timeout=20,
        )
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def paid(self, order_id: str) -> int:
        """What the order has received."""
        answer = requests.get(
            f"{self.nginx.url}/api/v1/orders/{order_id}",
            headers={"Authorization": f"Bearer {API_KEY}"},
            timeout=20,
        )
        return int(answer.json()["amount_paid"])


def call_back(url: str, order_id: str) -> int:
    """The shop's own signed word that this order is paid; the status of the answer."""
    body, headers = shop_webhook(order_id, AMOUNT, transaction=order_id, event=f"msg_{order_id}")
    return requests.post(f"{url}/webhook/payment", body, headers=headers, timeout=20).status_code


@pytest.fixture
def house(postgres: PostgresServer, migrated_postgres: str, tmp_path: Path) -> Iterator[House]:
    url = postgres.create_database(template=migrated_postgres)
    port, plain_port = free_port(), free_port()
    with redis_server() as redis:
        about = {
            "DATABASE_URL": url,
            "REDIS_URL": redis.url,
            "PUBLIC_URL": f"https://localhost:{port}",
            "TRUSTED_PROXIES": "1",
            "SANDBOX": "1",
        }
        servers = Servers(about, tmp_path)
        subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", "demo"],
            cwd=REPOSITORY,
            env=servers.environment,
            capture_output=True,
            check=True,
        )
        process = servers.start()
        # What it says is not read here, and a full pipe would stop it.
        threading.Thread(target=process.communicate, daemon=True).start()
        try:
            servers.wait_for(0)
            servers.wait_for(1)
            ports = [servers.first, servers.first + 1]
            with behind_nginx(tmp_path, ports, port, plain_port) as nginx:
                here = House(servers, nginx)
                yield here
            for one in here.leaving:
                one.join(30)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    postgres.drop_database(url)


class Watcher:
    """The official Python client as a page of ours: it comes back, and asks what it missed."""

    def __init__(self, nginx: Nginx, order: dict[str, Any], address: str, how: tuple[str, ...]):
        self.order_id = order["id"]
        self.versions: list[int] = []
        self.status = ""
        self.lost: list[str] = []
        self.here = threading.Event()
        self._session = requests.Session()
        self._session.verify = nginx.authority
        self._session.headers["X-Forwarded-For"] = address
        self._client = socketio.Client(
            http_session=self._session, reconnection_delay=0.1, reconnection_delay_max=0.3
        )
        self._client.on("connect", self._watch)
        self._client.on("disconnect", self._gone)
        self._client.on("update", self._hear)
        self._client.connect(
            nginx.url,
            headers={"X-Forwarded-For": address},
            auth={"token": order["watch_token"]},
            transports=list(how),
            wait_timeout=10,
        )
        assert self.here.wait(10)

    def _watch(self) -> None:
        after = self.versions[-1] if self.versions else None
        asked = {"topic": f"order:{self.order_id}", "after": after}
        self._client.emit("watch", asked, callback=self._told)

    def _told(self, ack: dict[str, Any]) -> None:
        if after := self.versions:
            assert all(one["version"] > after[-1] for one in ack["events"])
        self._show(ack["version"], ack["snapshot"])
        self.here.set()

    def _hear(self, told: dict[str, Any]) -> None:
        if not self.versions or told["version"] > self.versions[-1]:
            self._show(told["version"], told["snapshot"])

    def _show(self, version: int, snapshot: dict[str, Any]) -> None:
        self.versions.append(version)
        self.status = snapshot["status"]

    def _gone(self, reason: str) -> None:
        self.here.clear()
        self.lost.append(reason)
        if self._client.eio.ws is not None:
            self._client.eio.ws.shutdown()  # the library forgets to where the server has left

    def leave(self) -> threading.Thread:
        """Who polls waits for the answer to their last question: until the proxy goes, at most."""

        def go() -> None:
            self._client.shutdown()
            self._session.close()

        leaving = threading.Thread(target=go)
        leaving.start()
        return leaving


@contextmanager
def watchers_at(house: House, place: int) -> Iterator[list[Watcher]]:
    """One by WebSocket and one by long polling, both at this process."""
    came: list[Watcher] = []
    address, before = house.address_led_to(place), house.sockets(place)
    try:
        for how in TRANSPORTS:
            came.append(Watcher(house.nginx, house.order(), address, how))
        assert house.sockets(place) == before + len(TRANSPORTS)
        yield came
    finally:
        house.leaving += [watcher.leave() for watcher in came]


@contextmanager
def steady_callbacks(house: House, number: int, pause: float) -> Iterator[dict[str, int]]:
    """One after the other through the proxy, each about an order of its own; how each went."""
    order_ids = [house.order()["id"] for _ in range(number)]
    answers: dict[str, int] = {}
    stopped = threading.Event()

    def post_all() -> None:
        for order_id in order_ids:
            answers[order_id] = call_back(house.nginx.url, order_id)
            if stopped.wait(pause):
                return

    poster = threading.Thread(target=post_all, daemon=True)
    poster.start()
    try:
        yield answers
    finally:
        stopped.set()
        poster.join(30)


def test_what_arrives_at_one_is_heard_at_the_other(house: House) -> None:
    for place in (0, 1):
        with watchers_at(house, place) as watchers:
            for watcher in watchers:
                assert watcher.status == "pending"
                assert call_back(house.at(1 - place), watcher.order_id) == 200
                until(lambda one=watcher: one.status == "paid", "not heard", 5)  # type: ignore[misc]
            assert [watcher.lost for watcher in watchers] == [[], []]


@pytest.mark.parametrize("place", [0, 1])
def test_whose_process_is_killed_goes_to_the_other_and_has_missed_nothing(
    house: House, place: int
) -> None:
    with watchers_at(house, place) as watchers, steady_callbacks(house, 60, 0.05) as answers:
        until(lambda: len(answers) > 5, "no callbacks")
        others = house.sockets(1 - place)
        os.kill(house.pid(place), signal.SIGKILL)
        for watcher in watchers:
            assert call_back(house.nginx.url, watcher.order_id) == 200
        until(lambda: house.sockets(1 - place) == others + 2, "they did not come to the other", 8)
        until(lambda: all(one.here.is_set() for one in watchers), "they did not ask again")
        assert [one.status for one in watchers] == ["paid", "paid"]
        assert all(one.lost for one in watchers)
        house.servers.wait_for(place)
        until(lambda: len(answers) == 60, "callbacks got stuck", 30)
    assert set(answers.values()) == {200}, "a callback failed"
    assert {house.paid(order_id) for order_id in answers} == {AMOUNT}


def test_while_both_are_replaced_no_callback_fails_and_pages_stay_right(house: House) -> None:
    before = house.servers.children()
    with (
        watchers_at(house, 0) as first,
        watchers_at(house, 1) as second,
        steady_callbacks(house, 250, 0.1) as answers,
    ):
        assert house.servers.process is not None
        house.servers.process.send_signal(signal.SIGHUP)
        until(
            lambda: not house.servers.children() & before and len(house.servers.children()) == 2,
            "they were not replaced",
            60,
        )
        house.servers.wait_for(0)
        house.servers.wait_for(1)
        for watcher in (*first, *second):
            assert call_back(house.nginx.url, watcher.order_id) == 200
            until(lambda one=watcher: one.status == "paid", "not heard")  # type: ignore[misc]
            assert watcher.lost
    assert len(answers) > 40
    assert set(answers.values()) == {200}, "a callback failed"
    assert {house.paid(order_id) for order_id in answers} == {AMOUNT}
