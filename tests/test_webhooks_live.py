"""The server as it runs, and a shop's own system that listens: killed, doubled, away."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from payments.services.demo import API_KEY
from tests.e2e.shop import Shop
from tests.receivers import Receiver, listening
from tests.servers import AppServer, PostgresServer, free_port, redis_server
from tests.signing import shop_webhook
from tests.test_docs_examples import example

AMOUNT = 50_000
PATIENCE_SECONDS = 20.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


def call(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    answer = requests.request(method, f"{url}/api/v1{path}", json=body, headers=headers, timeout=20)
    assert answer.ok, answer.text
    told: dict[str, Any] = answer.json()
    return told


def listens(url: str, receiver: str, *events: str) -> str:
    """The secret."""
    made = call(url, "POST", "/webhook-endpoints", {"url": receiver, "events": list(events)})
    return str(made["secret"])


def pays(url: str, number: int) -> str:
    order = call(
        url, "POST", "/orders", {"amount": AMOUNT, "currency": "VND", "description": "Coffee"}
    )
    body, headers = shop_webhook(
        order["id"], AMOUNT, transaction=f"T-{number}", event=f"msg_{number}"
    )
    assert requests.post(f"{url}/webhook/payment", body, headers=headers, timeout=20).ok
    return str(order["id"])


def until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def statuses(url: str) -> list[str]:
    listed = call(url, "GET", "/webhook-deliveries?limit=100")["data"]
    return [one["status"] for one in listed]


@pytest.mark.parametrize("mode", ["eventlet", pytest.param("threading", marks=pytest.mark.long)])
def test_a_shop_hears_at_once_even_beside_one_that_hangs(receiver: Receiver, mode: str) -> None:
    with listening() as slow, Shop(ASYNC_MODE=mode) as shop:
        hangs = threading.Event()
        slow.before = lambda: hangs.wait(30)
        listens(shop.url, slow.url)
        secret = listens(shop.url, receiver.url, "order.paid")
        began = time.monotonic()
        paid = [pays(shop.url, number) for number in range(5)]
        receiver.wait_for(5)
        assert time.monotonic() - began < 10
        told = [heard.believed(secret) for heard in receiver.heard]
        assert sorted(one["data"]["id"] for one in told) == sorted(paid)
        # And the pages are served meanwhile.
        assert requests.get(f"{shop.url}/readyz", timeout=10).ok
        hangs.set()


@pytest.mark.long
def test_a_server_that_is_killed_tells_what_it_owes_when_it_is_back(receiver: Receiver) -> None:
    with Shop() as shop:
        secret = listens(shop.url, receiver.url, "order.paid")
        # Killed as soon as the payment is taken: before, while or after it sends.
        paid = []
        for number in range(3):
            paid.append(pays(shop.url, number))
            shop.server.kill()
            shop.server.start()
        until(lambda: {one.said["data"]["id"] for one in receiver.heard} == set(paid), "not told")
        # Whoever was killed while it sent may have told twice, under the same id.
        ids = {(one.id, one.said["data"]["id"]) for one in receiver.heard}
        assert len(ids) == 3
        for heard in receiver.heard:
            heard.believed(secret)


@pytest.mark.long
def test_a_receiver_that_was_away_is_told_within_ten_seconds_of_the_first_failure(
    receiver: Receiver,
) -> None:
    receiver.answers = [(500, {}, b"")]
    with Shop() as shop:
        listens(shop.url, receiver.url, "order.paid")
        pays(shop.url, 1)
        first, second = receiver.wait_for(2)
        assert 1 < second.at - first.at < 10
        assert first.id == second.id
        until(lambda: statuses(shop.url) == ["delivered"], "not written down")


@pytest.mark.long
def test_two_processes_tell_each_message_once_and_one_goes_on_without_the_other(
    receiver: Receiver, postgres: PostgresServer, migrated_postgres: str
) -> None:
    url = postgres.create_database(template=migrated_postgres)
    with redis_server() as redis:
        about = {"DATABASE_URL": url, "REDIS_URL": redis.url, "SANDBOX": "1"}
        with AppServer(about, migrate=False) as one, AppServer(about, migrate=False) as other:
            one.flask("demo")
            listens(one.url, receiver.url, "order.paid")
            paid = [pays((one, other)[number % 2].url, number) for number in range(20)]
            receiver.wait_for(20)
            until(lambda: statuses(one.url) == ["delivered"] * 20, "not written down")
            assert len(receiver.heard) == 20
            one.kill()
            paid.append(pays(other.url, 20))
            receiver.wait_for(21, PATIENCE_SECONDS)
            assert {heard.said["data"]["id"] for heard in receiver.heard} == set(paid)
    postgres.drop_database(url)


def test_the_receiver_of_the_docs_believes_what_it_is_told_and_nothing_else(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "receiver.py"
    file.write_text(example("docs/webhooks.md", "standardwebhooks").replace("8000", str(port)))
    with Shop() as shop:
        secret = listens(shop.url, f"http://127.0.0.1:{port}/paychime", "order.paid")
        environment = {**os.environ, "PAYCHIME_WEBHOOK_SECRET": secret}
        with subprocess.Popen(
            [sys.executable, str(file)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as running:
            try:
                paid = pays(shop.url, 1)
                assert running.stdout is not None
                lines = (line.split() for line in running.stdout)
                message = next(line for line in lines if line[0].startswith("msg_"))
                assert message[1:] == ["order.paid", paid]
                forged = requests.post(
                    f"http://127.0.0.1:{port}/paychime", json={"type": "order.paid"}, timeout=10
                )
                assert forged.status_code == 401
                until(lambda: statuses(shop.url) == ["delivered"], "not written down")
            finally:
                running.terminate()
