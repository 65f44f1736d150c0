"""Bodies from strangers: whatever they are, the answer is a refusal in words, never a fault."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from tests.outside import ON_SQLITE, ORDER, Caller, everything, problem
from tests.people import People

GOOD = json.dumps(ORDER).encode()
LIMIT = 256 * 1024


@pytest.fixture
def shop(app: Flask, people: People) -> Caller:
    return Caller(app, people.key())


NONSENSE = {
    "empty object's brace": b"{",
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "a number": b"1",
    "not JSON": b"amount=50000&currency=VND",
    "XML": b"<?xml version='1.0'?><order/>",
    "NaN": b'{"amount": NaN, "currency": "VND", "description": "x"}',
    "Infinity": b'{"amount": -Infinity, "currency": "VND", "description": "x"}',
    "1e999": b'{"amount": 1e999, "currency": "VND", "description": "x"}',
    "a key twice": b'{"amount": 1, "amount": 50000, "currency": "VND", "description": "x"}',
    "a key twice, inside": GOOD[:-1] + b', "metadata": {"a": 1, "a": 2}}',
    "100,000 deep": b'{"amount": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "100,000 open": b"[" * 100_000,
    "10,000 objects deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "a NUL": b'{"description": "a\x00b"}',
    "an escaped NUL": GOOD[:-1] + b', "metadata": {"a": "\\u0000"}}',
    "an escaped NUL in a key": GOOD[:-1] + b', "metadata": {"\\u0000": 1}}',
    "a lone surrogate": GOOD[:-1] + b', "salon_id": "\\ud800"}',
    "a lone surrogate in a key": GOOD[:-1] + b', "metadata": {"\\udfff": 1}}',
    "invalid UTF-8": GOOD.replace(b"Coffee", b"\xff\xfe"),
    "an overlong form": GOOD.replace(b"Coffee", b"\xc0\xaf"),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "a number of 100,000 digits": GOOD.replace(b"50000", b"9" * 100_000),
    "a number of 30 digits": GOOD.replace(b"50000", b"9" * 30),
    "trailing words": GOOD + b"x",
    "two bodies": GOOD + GOOD,
    "single quotes": GOOD.replace(b'"', b"'"),
    "a comment": b"/* x */" + GOOD,
}


def test_nonsense_is_refused_in_words_and_leaves_nothing(shop: Caller, people: People) -> None:
    before = everything(people)
    for body in NONSENSE.values():
        problem(shop.raw("/orders", body), 400, "malformed")
    assert everything(people) == before


def test_nonsense_is_refused_before_anybody_has_signed_in(app: Flask) -> None:
    for number, body in enumerate(NONSENSE.values()):
        caller = Caller(app, address=f"192.0.2.{number}")
        problem(caller.raw("/auth/token", body), 400, "malformed")
        problem(caller.raw("/orders", body), 401, "unauthorized")


def test_nonsense_with_an_idempotency_key_is_refused_alike(shop: Caller) -> None:
    for name, body in NONSENSE.items():
        headers = {**shop.headers, "Content-Type": "application/json", "Idempotency-Key": name}
        for _ in range(2):
            answer = shop.client.post("/api/v1/orders", data=body, headers=headers)
            problem(answer, 400, "malformed")


@ON_SQLITE
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", ""],
)
def test_only_json_is_taken(shop: Caller, people: People, kind: str) -> None:
    problem(shop.raw("/orders", GOOD, kind), 415, "unsupported_media_type")
    assert everything(people)["orders"] == 0


@ON_SQLITE
def test_json_is_taken_with_its_character_set_named(shop: Caller) -> None:
    assert shop.raw("/orders", GOOD, "application/json; charset=utf-8").status_code == 201


@ON_SQLITE
def test_a_compressed_body_is_not_taken(shop: Caller) -> None:
    headers = {**shop.headers, "Content-Type": "application/json", "Content-Encoding": "gzip"}
    for path in ("/api/v1/orders", "/callbacks/momo", "/api/v1/payment/momo/callback"):
        bomb = gzip.compress(b" " * 10_000_000)
        answer = shop.client.post(path, data=bomb, headers=headers)
        problem(answer, 415, "unsupported_media_type")


def padded(size: int) -> bytes:
    return GOOD + b" " * (size - len(GOOD))


def chunked(client: FlaskClient, path: str, body: bytes, headers: dict[str, str]) -> int:
    """The body without its length, as our server hands on a chunked one."""
    environ = EnvironBuilder(path, method="POST", headers=list(headers.items())).get_environ()
    environ.pop("CONTENT_LENGTH", None)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["wsgi.input_terminated"] = True
    return client.open(environ).status_code


def test_a_body_may_have_256_kib_and_not_a_byte_more(shop: Caller, people: People) -> None:
    assert shop.raw("/orders", padded(LIMIT)).status_code == 201
    problem(shop.raw("/orders", padded(LIMIT + 1)), 413, "request_entity_too_large")
    assert everything(people)["orders"] == 1


def test_a_chunked_body_has_the_same_limit(shop: Caller, people: People) -> None:
    headers = {**shop.headers, "Content-Type": "application/json"}
    for path in ("/api/v1/orders", "/callbacks/momo", "/webhook/payment"):
        assert chunked(shop.client, path, padded(LIMIT + 1), headers) == 413, path
    for key in ("a key", "another"):
        known = {**headers, "Idempotency-Key": key}
        assert chunked(shop.client, "/api/v1/orders", padded(LIMIT + 1), known) == 413
    assert everything(people)["orders"] == 0
    assert chunked(shop.client, "/api/v1/orders", padded(LIMIT), headers) == 201


@ON_SQLITE
def test_a_large_body_is_refused_at_the_sign_in_too(app: Flask) -> None:
    problem(Caller(app).raw("/auth/token", padded(LIMIT + 1)), 413, "request_entity_too_large")


@ON_SQLITE
def test_what_the_api_does_not_know_is_refused_as_a_problem(shop: Caller) -> None:
    problem(shop.get("/nothing"), 404, "not_found")
    problem(shop.client.get("/api/"), 404, "not_found")
    refused = shop.client.delete("/api/v1/orders", headers=shop.headers)
    problem(refused, 405, "method_not_allowed")
    assert {"GET", "POST"} <= set(refused.headers["Allow"].split(", "))


STRANGE = ("%00", "a%00b", "%ff%fe", "%0d%0aSet-Cookie:%20a=b", "'--")


def test_a_strange_address_leads_nowhere(app: Flask, shop: Caller, people: People) -> None:
    order = people.order()
    manager = Caller(app, people.token(people.manager))
    body = {"provider": "momo", "amount": 1, "reason": "a reason", "evidence": "a receipt"}
    before = everything(people)
    for strange in STRANGE:
        for path in (f"/orders/{strange}", f"/orders/{strange}/events"):
            assert shop.get(path).status_code == 404, path
        for deed in ("payments", "confirm", "cancel", "refunds"):
            for caller in (shop, manager):
                answer = caller.post(f"/orders/{strange}/{deed}", body)
                assert answer.status_code == 404 or (caller is shop and deed == "confirm"), deed
        assert manager.post(f"/confirmations/{strange}/approve").status_code == 404
        for name in ("search", "customer_id", "status", "cursor", "limit"):
            assert shop.get(f"/orders?{name}={strange}").status_code in {200, 400}, name
        assert shop.get(f"/orders/{order.id}/events?after={strange}").status_code == 400
    assert everything(people) == before
