"""Rows 19 and 20: bodies that make no sense, and what strangers write into ids and headers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from tests.faults.conftest import OpenShop
from tests.faults.gauges import cpu_seconds
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.faults.strangers import Said, ask, strangers
from tests.signing import MOMO_ACCESS, MOMO_SECRET

ON_BOTH = pytest.mark.parametrize("kind", KINDS)
CPU_SECONDS = 0.05
TRIES = 3
"""The shop goes on with its own work meanwhile: the least of so many is the body's own time."""

MOMO = {
    "MOMO_PARTNER_CODE": "MOMO",
    "MOMO_ACCESS_KEY": MOMO_ACCESS,
    "MOMO_SECRET_KEY": MOMO_SECRET,
    "PAY2S_WEBHOOK_TOKEN": "a token of the tests",
}
LIMIT = 256 * 1024

ORDER = b'{"amount": 50000, "currency": "VND", "description": %s}'
NONSENSE = {
    "a brace": b"{",
    "no JSON": b"amount=50000&currency=VND",
    "a list": b"[]",
    "null": b"null",
    "100,000 deep": b"[" * 100_000,
    "100,000 deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 40_000,
    "deep inside": ORDER % (b"[" * 100_000 + b"]" * 100_000),
    "NaN": b'{"amount": NaN, "currency": "VND", "description": "x"}',
    "minus infinity": b'{"amount": -Infinity, "currency": "VND", "description": "x"}',
    "1e999": b'{"amount": 1e999, "currency": "VND", "description": "x"}',
    "a doubled key": b'{"amount": 1, "amount": 2, "currency": "VND", "description": "x"}',
    "a 10 MB number": b'{"amount": ' + b"9" * 10_000_000 + b', "currency": "VND"}',
    "a number as long as may be": b'{"amount": ' + b"9" * 262_000 + b', "currency": "VND"}',
    "a fraction as long as may be": b'{"amount": 1.' + b"9" * 262_000 + b', "currency": "VND"}',
    "invalid UTF-8": ORDER % b'"\xff\xfe"',
    "overlong UTF-8": ORDER % b'"\xc0\xaf"',
    "NUL": ORDER % b'"a\x00b"',
    "an escaped NUL": ORDER % b'"a\\u0000b"',
    "a lone surrogate": ORDER % b'"\\ud800"',
    "a surrogate in UTF-8": ORDER % b'"\xed\xa0\x80"',
    "UTF-16": json.dumps({"amount": 1}).encode("utf-16"),
    "quotes without end": b'"' * 262_000,
    "backslashes": ORDER % (b'"' + b"\\" * 261_000),
    "100,000 keys": b"{" + b",".join(b'"%d":1' % n for n in range(25_000)) + b"}",
    "commas": b"[" + b"," * 262_000,
    "spaces": b" " * LIMIT,
}
WRONG_TYPES: tuple[object, ...] = (None, True, [], {}, "1", 1.5, -1, 0, 10**18, "x" * 600)
FIELDS = ("amount", "currency", "description", "id", "customer", "metadata", "expires_in")


@dataclass(frozen=True)
class Door:
    """Where bodies come in. Wherever one makes sense it is refused for another reason."""

    path: str
    headers: Callable[[Shop], dict[str, str]] = lambda _shop: {}


DOORS = (
    Door("/api/v1/orders", lambda shop: {"Authorization": f"Bearer {shop.key}"}),
    Door("/api/v1/auth/token"),
    Door("/api/payment/initiate", lambda shop: {"Authorization": f"Bearer {shop.key}"}),
    Door("/callbacks/momo"),
    Door(
        "/callbacks/pay2s", lambda _shop: {"Authorization": f"Bearer {MOMO['PAY2S_WEBHOOK_TOKEN']}"}
    ),
    Door("/webhook/payment"),
)


def sent(shop: Shop, door: Door, body: bytes) -> tuple[Said, float]:
    """What was answered, and the server's CPU seconds."""
    server = shop.servers[0]
    before = cpu_seconds(server.pid)
    said = ask(
        server, "POST", door.path, body, Content_Type="application/json", **door.headers(shop)
    )
    return said, cpu_seconds(server.pid) - before


@pytest.mark.fault(19)
@ON_BOTH
@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_nonsense_is_refused_in_words_and_in_no_time(
    open_shop: OpenShop, kind: str, mode: str, figures: Outcome
) -> None:
    shop = open_shop(kind, ASYNC_MODE=mode, **MOMO)
    slowest, slowest_name, count = 0.0, "", 0
    for door in DOORS:
        sent(shop, door, b"{}")  # the first use of code takes time
        for name, body in NONSENSE.items():
            said, least = sent(shop, door, body)
            for _ in range(TRIES - 1):
                if least > CPU_SECONDS / 2:
                    least = min(least, sent(shop, door, body)[1])
            # Sign-in is limited to ten a minute: then it is refused before it is read.
            assert 400 <= said.status < 500, (door.path, name, said.status)
            assert least < CPU_SECONDS, (door.path, name, least)
            count += 1
            if least > slowest:
                slowest, slowest_name = least, f"{name} at {door.path}"
    assert "Traceback" not in shop.servers[0].log()
    shop.prove(0.0)
    figures.note(f"{mode}: {count} bodies, all 4xx")
    figures.note(f"at most {1000 * slowest:.0f} ms of CPU ({slowest_name})")


@pytest.mark.fault(19)
@ON_BOTH
def test_a_wrong_type_is_refused_and_names_its_field(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind)
    about = {"Authorization": f"Bearer {shop.key}", "Content_Type": "application/json"}
    refused = 0
    for field in FIELDS:
        for value in WRONG_TYPES:
            good = {"amount": 50_000, "currency": "VND", "description": "Tea", field: value}
            said = ask(
                shop.servers[0], "POST", "/api/v1/orders", json.dumps(good).encode(), **about
            )
            assert said.status == 201 or 400 <= said.status < 500, (field, value, said.body)
            if said.status != 201:
                assert json.loads(said.body)["field"].startswith(field), (field, value, said.body)
                refused += 1
            assert said.status != 201 or _may_be(field, value), (field, value)
    figures.note(f"{refused} bodies with a wrong type, each refused with its field")


def _may_be(field: str, value: object) -> bool:
    """What is left out, and what is after all of the right type."""
    optional = field in {"id", "customer", "metadata", "expires_in"}
    return (
        (value is None and optional)
        or (field == "description" and value == "1")
        or (field == "id" and value == "1")
        or (field in {"customer", "metadata"} and value == {})
    )


BREAKS = ("\r\nSet-Cookie: stolen=1", "\nSet-Cookie: stolen=1", "\r\n\r\n<script>alert(1)</script>")
WAYS_IN = (
    "/checkout/{}",
    "/checkout/{}?access={}",
    "/login?next=/staff/{}",
    "/staff/orders/{}",
    "/?lang={}",
    "/api/v1/orders/{}",
    "/api/v1/orders?cursor={}",
    "/callbacks/{}",
    "/api/payment/status/{}",
    "/static/{}",
    "/{}",
)


@pytest.mark.fault(20)
@ON_BOTH
@pytest.mark.parametrize("mode", ["eventlet", "threading"])
def test_a_line_break_in_an_id_makes_no_header(
    open_shop: OpenShop, kind: str, mode: str, figures: Outcome
) -> None:
    shop = open_shop(kind, ASYNC_MODE=mode)
    server = shop.servers[0]
    tried = 0
    for way in WAYS_IN:
        for text in BREAKS:
            path = way.replace("{}", quote(text, safe=""))
            said = ask(server, "GET", path)
            assert 200 <= said.status < 500, (path, said.status)
            assert not any(line.lower().startswith(b"set-cookie: stolen") for line in _lines(said))
            assert b"<script>alert" not in said.body, path
            tried += 1
    for name in ("X_Request_Id", "Idempotency_Key", "Accept_Language", "Origin", "Referer"):
        said = ask(server, "GET", "/login", **{name: "a\tb' stolen"})
        assert b"stolen" not in said.head
        assert b"stolen" not in said.body
        tried += 1
    for text in BREAKS:
        asked = {"amount": 1, "currency": "VND", "description": "Tea", "id": f"a{text}"}
        about = {"Authorization": f"Bearer {shop.key}", "Content_Type": "application/json"}
        said = ask(server, "POST", "/api/v1/orders", json.dumps(asked).encode(), **about)
        assert said.status == 400
        asked |= {"id": None, "return_url": f"https://shop.example/{text}"}
        said = ask(server, "POST", "/api/v1/orders", json.dumps(asked).encode(), **about)
        assert said.status == 400
        tried += 2
    assert "Traceback" not in server.log()
    figures.note(f"{mode}: {tried} line breaks, none of them in an answer's head")


def _lines(said: Said) -> list[bytes]:
    return said.head.split(b"\r\n")


FORGED = {
    "X_Forwarded_Host": "evil.example",
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Port": "666",
    "X_Forwarded_Prefix": "/evil",
    "Forwarded": "host=evil.example;proto=https",
}


@pytest.mark.fault(20)
@ON_BOTH
@pytest.mark.parametrize("proxies", ["0", "1"])
def test_no_stranger_chooses_the_name_under_which_they_are_counted(
    open_shop: OpenShop, kind: str, proxies: str, figures: Outcome
) -> None:
    """Without a proxy no header counts; behind one, only what the proxy itself has added."""
    shop = open_shop(kind, TRUSTED_PROXIES=proxies, SOCKETS_PER_ADDRESS="3")
    server = shop.servers[0]
    answers = []
    for number in range(15):
        forged = f"10.0.0.{number}"
        chain = forged if proxies == "0" else f"{forged}, 192.0.2.7"
        who = {"email": f"person{number}@people.test", "password": "wrong"}
        said = ask(
            server,
            "POST",
            "/api/v1/auth/token",
            json.dumps(who).encode(),
            Content_Type="application/json",
            X_Forwarded_For=chain,
            X_Real_Ip=forged,
        )
        answers.append(said.status)
    assert answers[:10] == [401] * 10
    assert set(answers[10:]) == {429}
    order = shop.order()
    with strangers([server] * 3, token=order.token):
        said = ask(
            server,
            "GET",
            "/socket.io/?EIO=4&transport=polling",
            Origin=server.url,
            X_Forwarded_For="10.9.9.9" if proxies == "0" else "10.9.9.9, 127.0.0.1",
        )
        assert said.status == 401, "too many sockets from this address"
    figures.note(f"{proxies} proxies: 15 forged addresses, counted as one")


@pytest.mark.fault(20)
@ON_BOTH
def test_nothing_of_a_forwarded_host_comes_back(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind)
    server, order = shop.servers[0], shop.order()
    about = {"Authorization": f"Bearer {shop.key}"}
    for path in ("/login", "/staff/", f"/api/v1/orders/{order.order_id}", "/api/openapi.json", "/"):
        said = ask(server, "GET", path, **about, **FORGED)
        assert said.status < 400
        for part in (said.head, said.body):
            assert b"evil" not in part, path
            assert b":666" not in part, path
    asked = {"amount": 1, "currency": "VND", "description": "Tea"}
    said = ask(
        server,
        "POST",
        "/api/v1/orders",
        json.dumps(asked).encode(),
        Content_Type="application/json",
        **about,
        **FORGED,
    )
    assert json.loads(said.body)["checkout_url"].startswith(server.url)
    assert ask(server, "GET", "/login", Host="evil.example").status < 500
    figures.note("no link, header or cookie named the forged host")
