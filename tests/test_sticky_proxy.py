"""Two processes behind a real nginx, by `deploy/nginx/paychime.conf`: who polls stays with theirs.

A process tells its own pages here; that all tell all is the queue's, and tested there.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio

from payments.services.demo import API_KEY
from tests.nginx import Nginx, behind_nginx
from tests.servers import AppServer, PostgresServer, free_port
from tests.signing import shop_webhook

PING_SECONDS = 25
LONG_POLLING, WITH_UPGRADE = ("polling",), ("polling", "websocket")


@pytest.fixture(scope="module")
def front_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def plain_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def pair(postgres: PostgresServer, front_port: int) -> Iterator[list[AppServer]]:
    """Two processes on one database, which know the proxy's address as their own."""
    about = {
        "DATABASE_URL": postgres.create_database(),
        "PUBLIC_URL": f"https://localhost:{front_port}",
        "TRUSTED_PROXIES": "1",
        "SANDBOX": "1",
    }
    first, second = AppServer(about, demo=True), AppServer(about, migrate=False)
    with first, second:
        yield [first, second]


@pytest.fixture
def nginx(
    tmp_path: Path, pair: list[AppServer], front_port: int, plain_port: int
) -> Iterator[Nginx]:
    with behind_nginx(tmp_path, [one.port for one in pair], front_port, plain_port) as running:
        yield running


class Payer:
    """A page of the official Python client, from an address of its own."""

    def __init__(self, address: str, transports: tuple[str, ...], authority: str) -> None:
        self.transports = transports
        self.heard: list[dict[str, Any]] = []
        self.lost: list[str] = []
        self._change = threading.Condition()
        self._session = requests.Session()
        self._session.verify = authority
        self._headers = {"X-Forwarded-For": address}
        self._session.headers.update(self._headers)  # the client's own are for its first call
        self.client = socketio.Client(reconnection=False, http_session=self._session)
        self.client.on("update", self._hear)
        self.client.on("disconnect", lambda reason: self.lost.append(reason))

    def _hear(self, told: dict[str, Any]) -> None:
        with self._change:
            self.heard.append(told)
            self._change.notify_all()

    def opens(self, url: str, order: dict[str, Any]) -> None:
        self.client.connect(
            url,
            headers=self._headers,
            auth={"token": order["watch_token"]},
            transports=list(self.transports),
            wait_timeout=5,
        )
        ack = self.client.call("watch", {"topic": f"order:{order['id']}"}, timeout=5)
        assert ack["ok"], ack

    def hears(self, event: str, seconds: float = 5) -> None:
        with self._change:
            self._change.wait_for(lambda: any(one["event"] == event for one in self.heard), seconds)
        assert [one["event"] for one in self.heard] == [event], (self.transports, self.lost)

    def leaves(self) -> None:
        self.client.shutdown()
        self._session.close()


def open_sockets(server: AppServer) -> int:
    (line,) = (
        line
        for line in requests.get(f"{server.url}/metrics", timeout=10).text.splitlines()
        if line.startswith("paychime_open_sockets ")
    )
    return int(float(line.split()[1]))


def open_order(url: str) -> dict[str, Any]:
    answer = requests.post(
        f"{url}/api/v1/orders",
        json={"amount": 50_000, "currency": "VND", "description": "Coffee"},
        headers={"Authorization": f"Bearer {API_KEY}"},
        timeout=20,
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def callback_arrives(server: AppServer, order_id: str) -> None:
    body, headers = shop_webhook(order_id, 50_000, transaction=order_id, event=f"msg_{order_id}")
    answer = requests.post(f"{server.url}/webhook/payment", body, headers=headers, timeout=20)
    assert answer.ok, answer.text


def addresses() -> Iterator[str]:
    return (f"10.{number}.0.1" for number in itertools.count(1))


@contextmanager
def payers(nginx: Nginx, pair: list[AppServer]) -> Iterator[list[tuple[Payer, AppServer, str]]]:
    """At each process one who polls and one who upgraded, each with an order of their own."""
    wanted = {(one.port, how) for one in pair for how in (LONG_POLLING, WITH_UPGRADE)}
    there: list[tuple[Payer, AppServer, str]] = []
    came: list[Payer] = []
    try:
        for address in itertools.islice(addresses(), 40):
            for how in (LONG_POLLING, WITH_UPGRADE):
                before = [open_sockets(one) for one in pair]
                order = open_order(nginx.url)
                payer = Payer(address, how, nginx.authority)
                came.append(payer)
                payer.opens(nginx.url, order)
                after = [open_sockets(one) for one in pair]
                (server,) = (
                    one for one, old, new in zip(pair, before, after, strict=True) if new > old
                )
                if (server.port, how) in wanted:
                    wanted.discard((server.port, how))
                    there.append((payer, server, order["id"]))
                else:
                    came.pop().leaves()
            if not wanted:
                break
        assert not wanted, "every address reached the same process"
        yield there
    finally:
        for payer in came:
            payer.leaves()


def test_who_polls_and_who_upgrades_both_stay_and_hear(nginx: Nginx, pair: list[AppServer]) -> None:
    with payers(nginx, pair) as everybody:
        for payer, _, _ in everybody:
            expected = "websocket" if payer.transports == WITH_UPGRADE else "polling"
            deadline = time.monotonic() + 5
            while payer.client.transport() != expected and time.monotonic() < deadline:
                time.sleep(0.05)
            assert payer.client.transport() == expected
        time.sleep(PING_SECONDS + 2)  # past a ping, which a proxy that gives up would cut off
        assert [payer.lost for payer, _, _ in everybody] == [[], [], [], []]
        for payer, server, order_id in everybody:
            assert payer.heard == []
            callback_arrives(server, order_id)
            payer.hears("order.paid")
        assert [payer.lost for payer, _, _ in everybody] == [[], [], [], []]


@pytest.mark.parametrize(("sticky", "answer"), [(True, 200), (False, 400)])
def test_the_second_request_of_a_session_needs_the_sticky_line(
    tmp_path: Path,
    pair: list[AppServer],
    front_port: int,
    plain_port: int,
    sticky: bool,
    answer: int,
) -> None:
    ports = [one.port for one in pair]
    with behind_nginx(tmp_path, ports, front_port, plain_port, sticky=sticky) as nginx:
        engine = f"{nginx.url}/socket.io/?EIO=4&transport=polling"
        for address in itertools.islice(addresses(), 6):
            said = {"X-Forwarded-For": address, "Origin": nginx.url}
            begun = requests.get(engine, headers=said, timeout=10)
            session = f"{engine}&sid={json.loads(begun.text[1:])['sid']}"
            assert requests.post(session, "40", headers=said, timeout=10).status_code == answer


def test_a_body_too_large_is_refused_before_it_is_read(nginx: Nginx) -> None:
    for size, status in ((200 * 1024, 401), (300 * 1024, 413)):
        answer = requests.post(
            f"{nginx.url}/webhook/payment",
            b'{"x": "%s"}' % (b"a" * size),
            headers={"Content-Type": "application/json"},
            timeout=10,
        )
        assert answer.status_code == status


def test_figures_are_not_for_the_outside(nginx: Nginx) -> None:
    for path in ("/metrics", "//metrics", "/%6Detrics", "/x/../metrics", "/metrics?a=1"):
        asked = requests.Request("GET", nginx.url).prepare()
        asked.url = f"{nginx.url}{path}"  # as it stands: the library would tidy it up
        with requests.Session() as stranger:
            assert stranger.send(asked, verify=nginx.authority, timeout=10).status_code == 404


def test_who_comes_without_tls_is_sent_to_it_and_told_to_stay(nginx: Nginx) -> None:
    sent_on = requests.get(f"{nginx.plain_url}/login?a=1", allow_redirects=False, timeout=10)
    assert sent_on.status_code == 301
    assert sent_on.headers["Location"] == "https://localhost/login?a=1"
    for path in ("/login", "/metrics", "/nothing", "/socket.io/?EIO=4&transport=polling"):
        answer = requests.get(f"{nginx.url}{path}", timeout=10)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000", path


def test_a_strangers_word_about_where_they_come_from_is_not_passed_on(nginx: Nginx) -> None:
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    page = requests.get(f"{nginx.url}/login", headers=forged, timeout=10)
    assert "evil.example" not in page.text + str(page.headers)
    assert "Secure" in page.headers["Set-Cookie"]


def test_the_access_log_keeps_no_link_that_opens_an_order(nginx: Nginx) -> None:
    order = open_order(nginx.url)
    assert "access=" in order["checkout_url"]
    requests.get(order["checkout_url"], timeout=10)
    deadline, opened = time.monotonic() + 5, f"GET /checkout/{order['id']} 200"
    while opened not in nginx.access_log and time.monotonic() < deadline:
        time.sleep(0.05)  # it is written after the answer
    assert opened in nginx.access_log
    assert f"GET /checkout/{order['id']} 302" in nginx.access_log
    assert "access=" not in nginx.access_log


def test_the_link_names_the_address_that_customers_reach(nginx: Nginx) -> None:
    order = open_order(nginx.url)
    assert order["checkout_url"].startswith(f"{nginx.url}/checkout/")
    answer = requests.get(order["checkout_url"], timeout=10)
    assert answer.status_code == 200
    assert answer.url == f"{nginx.url}/checkout/{order['id']}"
