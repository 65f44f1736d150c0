"""The calls of existing frontends: their names, their words, and nobody else's payments."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from payments.domain.order import Order
from payments.services import expire
from payments.store.db import now
from tests.outside import ON_SQLITE, Json, attempt_of, count, done, everything
from tests.people import People
from tests.sandbox.world import World

pytestmark = ON_SQLITE
PRICE = 50_000


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo", "SANDBOX": "1"}


@pytest.fixture
def order(people: People) -> Order:
    return people.order(PRICE)


class Frontend:
    """A program that calls `/api/payment`, as somebody."""

    def __init__(self, people: People, headers: dict[str, str]) -> None:
        self.client = people.app.test_client(use_cookies=False)
        self.headers = headers

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(f"/api/payment{path}", json=body, headers=self.headers)

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/payment{path}", headers=self.headers)


@pytest.fixture
def shop(people: People) -> Frontend:
    return Frontend(people, people.key())


def refused(answer: Any, status: int, code: str) -> Json:
    told: Json = json.loads(answer.data)
    assert (answer.status_code, told["code"], told["success"]) == (status, code, False), told
    return told


def begun(shop: Frontend, order: Order) -> Json:
    return done(shop.post("/initiate", {"orderId": order.id, "provider": "momo"}))


def test_a_payment_begins_and_its_frontend_may_watch_it(
    people: People, shop: Frontend, order: Order
) -> None:
    told = begun(shop, order)
    assert (told["success"], told["status"]) == (True, "PENDING")
    assert told["reference"] == attempt_of(people, order.id).reference
    assert told["paymentUrl"].startswith("http")
    watching = Frontend(people, {"Authorization": f"Bearer {told['watchToken']}"})
    assert done(watching.get(f"/status/{order.id}"))["status"] == "PENDING"
    assert watching.post("/initiate", {"orderId": order.id}).status_code == 403


@pytest.mark.parametrize(
    ("said", "word"), [("success", "SUCCESSFUL"), ("FAILED", "FAILED"), ("pending", "PENDING")]
)
def test_the_status_speaks_their_words(shop: Frontend, order: Order, said: str, word: str) -> None:
    reference = begun(shop, order)["reference"]
    simulated = done(shop.post("/test/simulate", {"orderId": order.id, "status": said}))
    assert (simulated["status"], simulated["reference"]) == (word, reference)
    told = done(shop.get(f"/status/{order.id}"))
    assert told == {
        "success": True,
        "orderId": order.id,
        "status": word,
        "amount": PRICE,
        "currency": "VND",
        "reference": reference,
        "version": told["version"],
    }


def test_an_order_that_nobody_begun_to_pay_can_be_pretended_paid(
    people: People, shop: Frontend, order: Order
) -> None:
    done(shop.post("/test/simulate", {"orderId": order.id, "status": "SUCCESSFUL"}))
    assert attempt_of(people, order.id).provider == "generic"
    assert done(shop.get(f"/status/{order.id}"))["status"] == "SUCCESSFUL"


def test_what_ended_unpaid_has_failed(people: People, shop: Frontend, order: Order) -> None:
    people.in_app(expire.expire_once, now() + timedelta(days=1))
    assert done(shop.get(f"/status/{order.id}"))["status"] == "FAILED"


def test_tracking_is_the_payments_own_record(people: People, shop: Frontend, order: Order) -> None:
    reference = begun(shop, order)["reference"]
    record = done(shop.get(f"/tracking/{reference}"))["payment"]
    assert {name: record[name] for name in ("reference", "orderId", "status", "watchers")} == {
        "reference": reference,
        "orderId": order.id,
        "status": "PENDING",
        "watchers": 0,
    }
    assert record["startedAt"] < record["expiresAt"]


def test_another_hears_that_there_is_nothing(people: People, shop: Frontend, order: Order) -> None:
    reference = begun(shop, order)["reference"]
    stranger = Frontend(people, people.token(people.stranger))
    before = everything(people)
    for path in (f"/status/{order.id}", "/status/none", f"/tracking/{reference}", "/tracking/none"):
        refused(stranger.get(path), 404, "not_found")
    for body in ({"orderId": order.id}, {"orderId": "none"}):
        refused(stranger.post("/initiate", body), 404, "not_found")
    refused(
        stranger.post("/test/simulate", {"reference": reference, "status": "success"}),
        *(404, "not_found"),
    )
    assert everything(people) == before


def test_nobody_is_asked_who_they_are(people: People, order: Order) -> None:
    nobody = Frontend(people, {})
    for answer in (
        nobody.get(f"/status/{order.id}"),
        nobody.get("/tracking/none"),
        nobody.get("/debug/connections"),
        nobody.post("/initiate", {"orderId": order.id}),
        nobody.post("/test/simulate", {"orderId": order.id, "status": "success"}),
    ):
        refused(answer, 401, "unauthorized")


def test_the_connections_are_for_staff(people: People, shop: Frontend) -> None:
    for who in (shop, Frontend(people, people.token(people.owner))):
        refused(who.get("/debug/connections"), 403, "forbidden")
    told = done(Frontend(people, people.token(people.clerk)).get("/debug/connections"))
    assert told["gateway"] == {"activeConnections": 0, "messagesProcessed": 0, "roomCount": 0}
    assert told["storage"]["storage"] == "memory"
    assert (told["connections"], told["rooms"]) == ([], {})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_orderId"),
        ({"orderId": 7}, "invalid_orderId"),
        ({"orderId": "O" * 65}, "invalid_orderId"),
        ({"amount": PRICE - 1}, "amount_differs"),
        ({"amount": "50000"}, "invalid_amount"),
        ({"currency": "USD"}, "currency_differs"),
        ({"provider": "paypal"}, "provider_not_offered"),
        ({"phone": "6" * 33}, "invalid_phone"),
    ],
)
def test_what_cannot_be_is_told_and_leaves_nothing(
    people: People, shop: Frontend, order: Order, body: Json, code: str
) -> None:
    asked = body if not body or "orderId" in body else {"orderId": order.id, **body}
    refused(shop.post("/initiate", asked), 400, code)
    assert count(people, "payments") == 0


def test_amount_and_currency_that_agree_are_welcome(shop: Frontend, order: Order) -> None:
    asked = {"orderId": order.id, "provider": "momo", "amount": PRICE, "currency": "VND"}
    assert done(shop.post("/initiate", asked))["success"]


@pytest.mark.parametrize(
    "body", [{"status": "success"}, {"orderId": "x", "status": "paid"}, {"orderId": "x"}]
)
def test_a_pretence_that_says_nothing_is_refused(shop: Frontend, body: Json) -> None:
    assert shop.post("/test/simulate", body).status_code == 400


def test_what_cannot_happen_cannot_be_pretended(shop: Frontend, order: Order) -> None:
    begun(shop, order)
    done(shop.post("/test/simulate", {"orderId": order.id, "status": "success"}))
    answer = shop.post("/test/simulate", {"orderId": order.id, "status": "failed"})
    refused(answer, 409, "impossible_move")


class TestWithoutSandbox:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"SANDBOX": "0"}

    def test_nothing_is_pretended(self, people: People, shop: Frontend, order: Order) -> None:
        for who in (shop, Frontend(people, people.token(people.clerk)), Frontend(people, {})):
            answer = who.post("/test/simulate", {"orderId": order.id, "status": "success"})
            refused(answer, 404, "not_found")
