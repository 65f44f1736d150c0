"""Row 24: the same Idempotency-Key with another body, and while the first call still runs."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import pytest

from payments.store import payments
from tests.faults.conftest import OpenShop
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.faults.strangers import Said, ask, eventually
from tests.signing import MOMO_ACCESS, MOMO_SECRET

ORDER = {"amount": 50_000, "currency": "VND", "description": "Coffee"}


class Hanging:
    """A provider that takes the call and says nothing until it is released."""

    def __init__(self) -> None:
        self.asked, self._release = Event(), Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def answer(self) -> None:
        """The call breaks off."""
        self._release.set()

    def close(self) -> None:
        self.answer()
        self._listener.shutdown(socket.SHUT_RDWR)  # else it would wait for another call for ever
        self._listener.close()
        self._thread.join(10)

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                with line:
                    line.recv(65_536)
                    self.asked.set()
                    self._release.wait(20)


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    opened = Hanging()
    yield opened
    opened.close()


def post(shop: Shop, path: str, body: dict[str, Any], key: str, server: int = 0) -> Said:
    return ask(
        shop.servers[server],
        "POST",
        path,
        json.dumps(body).encode(),
        Content_Type="application/json",
        Authorization=f"Bearer {shop.key}",
        Idempotency_Key=key,
    )


def code(said: Said) -> str:
    return str(json.loads(said.body)["code"])


@pytest.mark.fault(24)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_key_is_the_same_call_on_every_server(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind)
    servers = range(len(shop.servers))
    first = post(shop, "/api/v1/orders", ORDER, "one")
    assert first.status == 201
    for server in servers:
        again = post(shop, "/api/v1/orders", ORDER, "one", server)
        assert (again.status, again.body) == (201, first.body)
        assert again.headers["idempotent-replayed"] == "true"
        for other in (ORDER | {"amount": 1}, ORDER | {"description": "Tea"}):
            said = post(shop, "/api/v1/orders", other, "one", server)
            assert (said.status, code(said)) == (422, "idempotency_key_reused")
    with ThreadPoolExecutor(30) as crowd:
        said_all = list(
            crowd.map(
                lambda n: post(shop, "/api/v1/orders", ORDER, "two", n % len(servers)), range(30)
            )
        )
    made = {json.loads(one.body)["id"] for one in said_all if one.status == 201}
    assert len(made) == 1
    assert {one.status for one in said_all} <= {201, 409}
    shop.prove(0.0)
    figures.note("another body: 422; 30 at once: one order, the others the same answer or 409")


@pytest.mark.fault(24)
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_that_still_runs_is_not_begun_again(
    open_shop: OpenShop, kind: str, hanging: Hanging, figures: Outcome
) -> None:
    """The provider hangs, and the shop asks again, on another server too."""
    shop = open_shop(
        kind,
        MOMO_PARTNER_CODE="MOMO",
        MOMO_ACCESS_KEY=MOMO_ACCESS,
        MOMO_SECRET_KEY=MOMO_SECRET,
        MOMO_API_URL=hanging.url,
    )
    order = shop.order()
    path, body = f"/api/v1/orders/{order.order_id}/payments", {"provider": "momo"}
    last = len(shop.servers) - 1
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(post, shop, path, body, "one")
        assert hanging.asked.wait(15)
        began = time.monotonic()
        for server in (0, last):
            said = post(shop, path, body, "one", server)
            assert (said.status, code(said)) == (409, "still_running")
            said = post(shop, path, body | {"phone": "1"}, "one", server)
            assert (said.status, code(said)) == (422, "idempotency_key_reused")
        seconds = time.monotonic() - began
        assert not running.done()
        hanging.answer()
        assert (running.result(30).status, code(running.result())) == (502, "provider_unavailable")
    assert len(shop.books.read(payments.of_order, order.order_id)) == 1, "one attempt"
    # It failed on our side: the same key may try again.
    eventually(lambda: post(shop, path, body, "one", last).status == 502, 20)
    shop.prove(0.0)
    figures.note(f"still running: 409, another body meanwhile: 422, in {1000 * seconds / 4:.0f} ms")
