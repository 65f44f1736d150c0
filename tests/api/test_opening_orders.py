"""A shop opens orders; what cannot be right is refused by name and leaves nothing behind."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from payments.services import accounts
from payments.store import orders
from tests.outside import (
    ON_SQLITE,
    ORDER,
    SCRIPT,
    SQL,
    Caller,
    Json,
    at_once,
    count,
    done,
    everything,
    problem,
)
from tests.people import People


@pytest.fixture
def shop(app: Flask, people: People) -> Caller:
    return Caller(app, people.key())


def test_a_shop_opens_an_order_and_reads_it_again(shop: Caller, people: People) -> None:
    asked = {
        **ORDER,
        "id": "DH-1042.a_b",
        "customer": {"id": "user-7", "email": "mai@shop.test", "name": "Mai"},
        "salon_id": "salon-1",
        "return_url": "https://shop.test/back?order=1042#top",
        "metadata": {"table": 4, "tags": ["a", "b"], "note": None},
        "expires_in": 600,
    }
    made = done(shop.post("/orders", asked), 201)
    assert done(shop.get("/orders/DH-1042.a_b")) == made
    kept = people.in_app(orders.find, "DH-1042.a_b")
    assert kept is not None
    assert (kept.customer_id, kept.customer_email, kept.customer_name) == (
        *("user-7", "mai@shop.test", "Mai"),
    )
    for name in ("id", "amount", "currency", "description", "salon_id", "return_url", "metadata"):
        assert made[name] == asked[name], name
    assert (made["status"], made["version"], made["amount_paid"]) == ("pending", 1, 0)
    times = [datetime.fromisoformat(made[name]) for name in ("created_at", "expires_at")]
    assert times[1] - times[0] == timedelta(seconds=600)
    assert made["created_at"].endswith("Z")
    assert made["checkout_url"].startswith("http://localhost/checkout/DH-1042.a_b?access=")
    assert made["watch_token"].startswith("wt_")


def test_an_order_needs_only_amount_currency_and_description(shop: Caller) -> None:
    made = done(shop.post("/orders", ORDER), 201)
    lived = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert lived == timedelta(seconds=3600)
    assert made["metadata"] == {}
    assert made["salon_id"] is made["return_url"] is made["payment"] is made["settled_at"] is None
    assert made["id"] != done(shop.post("/orders", ORDER), 201)["id"]


def test_the_order_of_a_shop_has_its_id_once(shop: Caller, people: People) -> None:
    done(shop.post("/orders", {**ORDER, "id": "DH1"}), 201)
    before = everything(people)
    problem(shop.post("/orders", {**ORDER, "id": "DH1", "amount": 1}), 409, "order_exists", "id")
    assert everything(people) == before
    assert done(shop.get("/orders/DH1"))["amount"] == 50_000


def test_twenty_orders_with_one_id_at_once_are_one(
    app: Flask, people: People, shop: Caller
) -> None:
    def open_one(_number: int) -> int:
        return Caller(app, shop.headers).post("/orders", {**ORDER, "id": "DH1"}).status_code

    assert sorted(at_once(20, open_one)) == [201] + [409] * 19
    assert (count(people, "orders"), count(people, "outbox")) == (1, 1)


def test_an_amount_is_in_the_minor_unit_of_its_currency(shop: Caller) -> None:
    most = 10**12 - 1
    for currency, amount in (
        ("VND", 1),
        ("XAF", 500),
        ("INR", 4_000_000),
        ("LKR", 1),
        ("KWD", 1_500),
        ("VND", most),
    ):
        made = done(shop.post("/orders", {**ORDER, "currency": currency, "amount": amount}), 201)
        assert (made["amount"], made["amount_due"], made["currency"]) == (amount, amount, currency)


WRONG: list[tuple[Json, str, str]] = [
    *(({"amount": one}, "invalid_amount", "amount") for one in (0, -1, -50_000, 10**12, 10**17)),
    *(({"amount": one}, "invalid_amount", "amount") for one in (1.5, 100.0, 1e3, 1e300)),
    *(({"amount": one}, "invalid_amount", "amount") for one in ("100", "", True, False, None)),
    *(({"amount": one}, "invalid_amount", "amount") for one in ([100], {"value": 100})),
    *(({"currency": one}, "unknown_currency", "currency") for one in ("XYZ", "vnd", "", "VNDD")),
    *(({"currency": one}, "unknown_currency", "currency") for one in ("XXX", "XAU", " VND", "₫")),
    *(({"currency": one}, "unknown_currency", "currency") for one in (None, 704, ["VND"], True)),
    *(({"currency": one}, "unknown_currency", "currency") for one in (SCRIPT, SQL)),
    *(({"description": one}, "invalid_description", "description") for one in ("", None, 7)),
    ({"description": "x" * 501}, "invalid_description", "description"),
    *(({"id": one}, "invalid_id", "id") for one in ("", "a" * 65, "a b", "a/b", "ä", "a\n", 7)),
    *(({"id": one}, "invalid_id", "id") for one in ("../a", "a\r\nSet-Cookie: b", SQL, ".", "..")),
    *(({"expires_in": one}, "invalid_expires_in", "expires_in") for one in (4, 0, -5, 2_592_001)),
    *(({"expires_in": one}, "invalid_expires_in", "expires_in") for one in ("60", 60.0, True)),
    *(
        ({"return_url": one}, "invalid_return_url", "return_url")
        for one in ("javascript:alert(1)", "data:text/html,x", "//evil.test", "/back", "", 7)
    ),
    *(
        ({"return_url": one}, "invalid_return_url", "return_url")
        for one in ("https://a b", "https://", "http://a\r\nX: y", "https://" + "a" * 2000)
    ),
    ({"metadata": []}, "invalid_metadata", "metadata"),
    ({"metadata": "x"}, "invalid_metadata", "metadata"),
    ({"metadata": {"a": "x" * 8_000}}, "invalid_metadata", "metadata"),
    *(({"salon_id": one}, "invalid_salon_id", "salon_id") for one in ("", "s" * 65, 7)),
    ({"customer": []}, "invalid_customer", "customer"),
    ({"customer": "Mai"}, "invalid_customer", "customer"),
    ({"customer": {"id": "u" * 65}}, "invalid_customer_id", "customer.id"),
    ({"customer": {"id": 7}}, "invalid_customer_id", "customer.id"),
    ({"customer": {"email": "e" * 255}}, "invalid_customer_email", "customer.email"),
    ({"customer": {"name": "n" * 201}}, "invalid_customer_name", "customer.name"),
]


def test_what_cannot_be_an_order_is_refused_by_name_and_leaves_nothing(
    shop: Caller, people: People
) -> None:
    before = everything(people)
    for wrong, code, about in WRONG:
        told = problem(shop.post("/orders", {**ORDER, **wrong}), 400, code, about)
        assert SCRIPT not in str(told)
    assert everything(people) == before


@ON_SQLITE
@pytest.mark.parametrize("missing", ["amount", "currency", "description"])
def test_what_every_order_needs_is_asked_for(shop: Caller, missing: str) -> None:
    asked = {name: value for name, value in ORDER.items() if name != missing}
    told: Any = shop.post("/orders", asked)
    codes = {"amount": "invalid_amount", "currency": "unknown_currency"}
    problem(told, 400, codes.get(missing, "invalid_description"), missing)


@ON_SQLITE
@pytest.mark.parametrize("seconds", [5, 30 * 86_400])
def test_an_order_lives_from_five_seconds_to_thirty_days(shop: Caller, seconds: int) -> None:
    made = done(shop.post("/orders", {**ORDER, "expires_in": seconds}), 201)
    lived = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert lived == timedelta(seconds=seconds)


@ON_SQLITE
def test_an_id_with_points_in_it_leads_to_its_own_checkout(shop: Caller, app: Flask) -> None:
    made = done(shop.post("/orders", {**ORDER, "id": "..."}), 201)
    path = made["checkout_url"].removeprefix("http://localhost")
    assert app.test_client().get(path).status_code == 302


def test_text_of_a_stranger_is_kept_as_it_is(shop: Caller) -> None:
    asked = {**ORDER, "description": SCRIPT + SQL, "metadata": {SCRIPT: SQL, "hàng": "cà phê ☕"}}
    made = done(shop.post("/orders", asked), 201)
    assert (made["description"], made["metadata"]) == (asked["description"], asked["metadata"])


def test_a_key_with_the_longest_name_opens_orders(app: Flask, people: People) -> None:
    key = people.in_app(accounts.create_key, "n" * 80)
    done(Caller(app, {"Authorization": f"Bearer {key}"}).post("/orders", ORDER), 201)
