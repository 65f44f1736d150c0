"""Where providers call: what is not believed leaves nothing, what is believed is never lost."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

from payments.domain.order import Payment
from tests.conftest import ENVIRONMENT
from tests.outside import (
    ON_SQLITE,
    Caller,
    Json,
    attempt_of,
    begin,
    done,
    everything,
    momo_calls,
    momo_notice,
    page_of,
    problem,
)
from tests.people import People
from tests.sandbox.world import World

JSON = {"Content-Type": "application/json"}
PATHS = (
    *("/callbacks/momo", "/api/v1/payment/momo/callback"),
    *("/callbacks/generic", "/webhook/payment"),
)

NONSENSE = (
    *(b"", b"{", b"[]", b"null", b'"x"', b"\xff", b'{"a": NaN}', b'{"a": 1e999}', b"\x00"),
    *(b'{"a": 1, "a": 2}', b'{"a": "\\ud800"}', b'{"a": "\\u0000"}', b"[" * 100_000),
    *(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b'{"a": ' + b"9" * 100_000 + b"}"),
)


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo", "API_RATE": "1"}


@pytest.fixture
def attempt(people: People) -> Payment:
    order = people.order()
    begin(people, order.id)
    return attempt_of(people, order.id)


def webhook(app: Flask, message: Any, path: str = "/webhook/payment", **more: str) -> TestResponse:
    body = message if isinstance(message, str) else json.dumps(message)
    at = datetime.fromtimestamp(int(more.pop("at", time.time())), UTC)
    event = more.pop("event", "msg_1")
    signature = Webhook(ENVIRONMENT["GENERIC_WEBHOOK_SECRET"]).sign(event, at, body)
    headers = {
        **JSON,
        "webhook-id": event,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
        **more,
    }
    return app.test_client().post(path, data=body.encode(), headers=headers)


def test_what_nobody_signed_leaves_nothing(app: Flask, people: People, attempt: Payment) -> None:
    good = momo_notice(attempt)
    before = everything(people)
    client = app.test_client()
    for path in PATHS:
        for body in ({}, good | {"signature": "0" * 64}, good | {"amount": 1}, {"a": "b"}):
            assert client.post(path, json=body).status_code == 401, (path, body)
        for nonsense in NONSENSE:
            answer = client.post(path, data=nonsense, headers=JSON)
            assert answer.status_code in {400, 401}, (path, nonsense[:20])
            assert answer.content_type == "application/problem+json"
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
            answer = client.post(path, data=json.dumps(good), headers={"Content-Type": kind})
            assert answer.status_code == 415, (path, kind)
    assert everything(people) == before


@ON_SQLITE
def test_a_bad_signature_is_401_however_often_it_comes(app: Flask) -> None:
    """Never a 429, which would hide from a provider that its secret is wrong."""
    client = app.test_client()
    for path in PATHS:
        assert {client.post(path, json={}).status_code for _ in range(30)} == {401}


@ON_SQLITE
def test_a_provider_that_is_none_has_no_address(app: Flask) -> None:
    for name in ("none", "campay", "manual", "MOMO", "..", "momo%00", "momo/"):
        answer = app.test_client().post(f"/callbacks/{name}", json={})
        assert answer.status_code == 404, name
    for path in PATHS:
        problem(app.test_client().get(path), 405, "method_not_allowed")


def test_every_address_of_a_provider_is_one_door(
    app: Flask, people: People, attempt: Payment
) -> None:
    for path in ("/callbacks/momo", "/api/v1/payment/momo/callback") * 2:
        answer = app.test_client().post(path, json=momo_notice(attempt))
        assert (answer.status_code, answer.data) == (204, b"")
    paid = done(Caller(app, people.key()).get(f"/orders/{attempt.order_id}"))
    assert (paid["status"], paid["amount_paid"]) == ("paid", 50_000)


def test_what_cannot_be_applied_is_kept_and_shown_to_staff(
    app: Flask, people: People, attempt: Payment
) -> None:
    most = 2**63
    strange: list[Json] = [
        {"amount": 1},
        {"orderId": "none"},
        {"orderId": "<script>" * 8},
        {"orderId": "'; DROP TABLE orders; --"},
        {"amount": most - 1},
    ]
    for number, changes in enumerate(strange, 1):
        answer = momo_calls(app, attempt, **{"transId": number, **changes})
        assert answer.status_code == 204, changes
    assert webhook(app, booking("none")).status_code == 200
    foreign = booking(attempt.order_id, currency="XXX", transactionId="T2")
    assert webhook(app, foreign, event="msg_2").status_code == 200
    assert everything(people)["inbox"] == 7
    manager = people.signed_in(people.manager)
    assert "callbacks could not be applied" in page_of(manager.get("/staff/")).text
    parked = page_of(manager.get("/staff/parked"))
    raw = [one["href"] for one in parked.all("a") if "/callbacks/" in (one.get("href") or "")]
    assert len(raw) == 7
    assert "50000 XXX" in parked.text
    for href in raw:
        assert list(page_of(manager.get(href)).inline()) == []
    order = done(Caller(app, people.key()).get(f"/orders/{attempt.order_id}"))
    assert order["status"] == "pending"


@pytest.mark.parametrize("amount", [2**63, 10**19 - 1, -1, 1.5, "x", True, None, [], {}])
def test_an_amount_that_no_database_holds_is_malformed(
    app: Flask, people: People, attempt: Payment, amount: object
) -> None:
    before = everything(people)
    answer = momo_calls(app, attempt, amount=amount)
    assert answer.status_code in {400, 401}
    assert everything(people) == before


@ON_SQLITE
@pytest.mark.parametrize("field", ["orderId", "transId", "resultCode", "amount"])
def test_a_field_that_is_not_there_is_malformed(app: Flask, attempt: Payment, field: str) -> None:
    notice = momo_notice(attempt)
    del notice[field]
    assert app.test_client().post("/callbacks/momo", json=notice).status_code in {400, 401}


def booking(order_id: str, **changes: object) -> dict[str, object]:
    paid = {"transactionId": "T1", "amount": 50_000, "status": "success"}
    return {"bookingId": order_id, **paid, **changes}


def test_a_shops_own_system_says_that_a_booking_is_paid(app: Flask, people: People) -> None:
    order = people.order()
    for path in ("/webhook/payment", "/callbacks/generic"):
        answer = webhook(app, booking(order.id), path)
        assert (answer.status_code, answer.get_json()) == (200, {"success": True})
    told = done(Caller(app, people.key()).get(f"/orders/{order.id}"))
    assert (told["status"], told["payment"]["provider"]) == ("paid", "generic")


def test_a_webhook_that_is_stale_early_or_altered_changes_nothing(
    app: Flask, people: People
) -> None:
    order = people.order()
    before = everything(people)
    now = int(time.time())
    for at in (now - 301, now + 302, 0):
        assert webhook(app, booking(order.id), at=str(at)).status_code == 401
    for header in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        for value in ("", "x", "v1,AAAA", "1", "é"):
            assert webhook(app, booking(order.id), **{header: value}).status_code == 401
    assert everything(people) == before


@pytest.mark.parametrize(
    "wrong",
    [
        *({"amount": one} for one in (0, -1, 1.5, "50000", True, None, 10**12, 10**18)),
        *({"status": one} for one in ("SUCCESS", "", None, 1)),
        *({"bookingId": one} for one in ("", "a b", "x" * 65, None, 7, "<script>")),
        *({"transactionId": one} for one in ("", "a b", "x" * 129, None, 7)),
        {"currency": 7},
    ],
)
@ON_SQLITE
def test_a_webhook_that_makes_no_sense_is_malformed(
    app: Flask, people: People, wrong: dict[str, object]
) -> None:
    order = people.order()
    before = everything(people)
    answer = webhook(app, booking(order.id, **wrong))
    assert answer.status_code == 400, answer.get_data(as_text=True)
    assert everything(people) == before


def test_a_currency_that_is_none_pays_nothing(app: Flask, people: People) -> None:
    order = people.order()
    kinds = {"XXX": 200, "INR": 200, "": 400, "VNDX" * 50: 400, "<b>": 400, "vnd": 400}
    for number, (currency, status) in enumerate(kinds.items()):
        message = booking(order.id, currency=currency, transactionId=f"T{number}")
        assert webhook(app, message, event=f"msg_{number}").status_code == status, currency
    told = done(Caller(app, people.key()).get(f"/orders/{order.id}"))
    assert (told["status"], told["version"]) == ("pending", 1)
