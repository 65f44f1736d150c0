"""Row 26 in a whole shop: what its endpoints are told, and to whom nobody connects."""

from __future__ import annotations

import itertools
import socket
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.faults.conftest import OpenShop
from tests.faults.harness import KINDS, Shop
from tests.faults.internet import Internet, over_tls
from tests.faults.report import Outcome
from tests.faults.test_outgoing import LITERAL, PUBLIC, listening
from tests.receivers import listening as receiving

FINE, MOVED = "hooks.example", "moved.example"
FINE_AT, MOVED_AT = PUBLIC, "93.184.215.15"
LATER = (
    *(("127.0.0.1",), ("::1",), ("0.0.0.0",), ("::",), ("169.254.169.254",), ("10.0.0.1",)),  # noqa: S104
    *(("fd00::1",), ("::ffff:127.0.0.1",), ("64:ff9b::7f00:1",), ("2002:7f00:1::",)),
    *((PUBLIC, "127.0.0.1"), ("127.0.0.1", PUBLIC)),
)
"""What a name leads to once it has been taken."""
FROM_DEVELOPMENT = 14
"""Of LITERAL, by http and by https, what leads to the loopback in its usual spelling."""
TOLD_SECONDS = 40.0
"""Two tries, of which the second comes 5 s after the first; where orders wait for each other."""


class Hooks:
    """The endpoints of a shop, asked for at its servers by turns."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.secrets: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self._turns = itertools.count()

    def asks(self, url: str) -> str:
        """`taken`, or the code of the refusal."""
        server = self.shop.servers[next(self._turns) % len(self.shop.servers)]
        answer = requests.post(
            f"{server.url}/api/v1/webhook-endpoints",
            json={"url": url, "events": ["order.paid"]},
            headers={"Authorization": f"Bearer {self.shop.key}"},
            timeout=20,
        )
        told = answer.json()
        if answer.status_code == 201:
            self.secrets[url], self.ids[url] = told["secret"], told["id"]
            return "taken"
        assert (answer.status_code, told["field"]) == (400, "url"), answer.text
        return str(told["code"])

    def deliveries(self, url: str) -> list[dict[str, Any]]:
        path = f"/api/v1/webhook-deliveries?limit=100&endpoint_id={self.ids[url]}"
        found: list[dict[str, Any]] = self.shop.call("GET", path)["data"]
        return found

    def wait(self, url: str, count: int, tries: int) -> list[dict[str, Any]]:
        """So many deliveries to this address, each tried so often."""
        end = time.monotonic() + TOLD_SECONDS
        while True:
            found = self.deliveries(url)
            if len(found) == count and all(one["tries"] >= tries for one in found):
                return found
            assert time.monotonic() < end, (url, found)
            time.sleep(0.2)


def in_development(hooks: Hooks, port: int) -> list[str]:
    """Where the loopback may be called: those of LITERAL that the API takes there."""
    asked = [
        f"{scheme}://{host}:{port}/"
        for hosts in LITERAL.values()
        for host in hosts
        for scheme in ("http", "https")
    ]
    taken = [url for url in asked if hooks.asks(url) == "taken"]
    inside = {"127.0.0.1", "127.8.8.8", "::1", "localhost"}
    inside |= {"::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"}
    assert {urlsplit(url).hostname for url in taken} == inside
    assert len(taken) == FROM_DEVELOPMENT
    return taken


@pytest.mark.fault(26)
@pytest.mark.parametrize("kind", KINDS)
def test_a_shop_tells_who_is_outside_and_calls_nobody_inside(
    open_shop: OpenShop, kind: str, tmp_path: Path, figures: Outcome
) -> None:
    """Servers in production, which look names up and connect in an Internet of the test's own."""
    internet = Internet(tmp_path / "internet")
    with ExitStack() as stack:
        inside, fine, moved = (
            stack.enter_context(listening()),
            *(stack.enter_context(receiving()) for _ in range(2)),
        )
        certificate = internet.certificate(FINE, MOVED)
        for receiver in (fine, moved):
            over_tls(receiver, certificate)
        moved.always = 302, {"Location": f"https://127.0.0.1:{inside.port}/"}, b""
        internet.holds({FINE_AT: fine.port, MOVED_AT: moved.port})
        shop = open_shop(
            kind,
            program=("-m", "tests.faults.internet"),
            everywhere=True,
            INTERNET=str(internet.folder),
            SSL_CERT_FILE=str(certificate[0]),
        )
        hooks = Hooks(shop)
        wrong = in_development(hooks, inside.port)
        shop.restart(APP_ENV="production")
        refused = Counter(
            hooks.asks(f"https://{host}:{inside.port}/")
            for hosts in LITERAL.values()
            for host in hosts
        )
        assert set(refused) == {"inside_address", "invalid_url"}
        # Nobody knows one half of the names yet, and the other half leads to somebody outside.
        names = {f"n{number}.example": to for number, to in enumerate(LATER)}
        internet.leads({FINE: [FINE_AT], MOVED: [MOVED_AT]})
        internet.leads(dict.fromkeys(list(names)[::2], (PUBLIC,)))
        by_name = [f"https://{name}:{inside.port}/" for name in names]
        good, elsewhere = f"https://{FINE}/", f"https://{MOVED}/"
        assert {hooks.asks(url) for url in (*by_name, good, elsewhere)} == {"taken"}
        internet.leads(names)
        wrong += by_name
        owed = shop.orders(len(shop.servers))
        shop.pages_everywhere(*[one.order_id for one in owed])
        for place, one in enumerate(owed):
            assert shop.tell(one.order_id, place).ok
        for url in wrong:
            for delivery in hooks.wait(url, len(owed), 2):
                about = delivery["status"], delivery["fault"], delivery["answer_status"]
                assert about == ("waiting", "inside_address", None), (url, about)
        for delivery in hooks.wait(elsewhere, len(owed), 2):
            assert (delivery["status"], delivery["answer_status"]) == ("waiting", 302)
        told = [heard.believed(hooks.secrets[good]) for heard in fine.wait_for(len(owed))]
        assert sorted(one["data"]["id"] for one in told) == sorted(one.order_id for one in owed)
        assert {one["status"] for one in hooks.wait(good, len(owed), 1)} == {"delivered"}
        shop.prove(time.monotonic())
        reached = internet.connections()
        expected = {("127.0.0.1", fine.port), ("127.0.0.1", moved.port)}
        assert expected <= reached, "nobody has listened in"
        if kind == "postgresql":
            expected.add(("127.0.0.1", shop.redis.port))
        assert (reached - expected, inside.met) == (set(), 0)
        socket.create_connection(("127.0.0.1", inside.port), 5).close()
        assert shop.books.eventually(lambda: inside.met == 1, 5) < 5
    figures.note(
        f"refused by the API: {sum(refused.values())} spellings in production, "
        + ", ".join(f"{count} as {code}" for code, count in sorted(refused.items()))
    )
    figures.note(
        f"taken, tried twice, ended as inside_address: {len(by_name)} names that led inside later, "
        f"{len(wrong) - len(by_name)} addresses from the time before production"
    )
    figures.note(
        f"302 to inside: not followed; {len(owed)} messages told to a fine one beside them; "
        "0 connections inside"
    )
