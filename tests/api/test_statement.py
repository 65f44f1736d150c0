"""A person reads their own statement, page by page; nobody reads another's."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.outside import ON_SQLITE, Caller, Json, done, problem
from tests.people import People
from tests.services.test_wallets import Wallets


@pytest.fixture
def shop(app: Flask) -> Wallets:
    return Wallets(People(app))


@pytest.fixture
def mai(app: Flask, shop: Wallets) -> Caller:
    return Caller(app, shop.people.token(shop.mai))


def test_a_line_says_what_it_was_how_much_and_what_was_left(shop: Wallets, mai: Caller) -> None:
    shop.topped_up(100_000)
    sale = shop.sale(description="Beans")
    payment = shop.pay(sale, 20_000)
    told = done(mai.get("/wallet/entries"))
    assert told["next_cursor"] is None
    paid, deposit = told["data"]
    assert paid.pop("id") > deposit["id"]
    assert paid.pop("at").endswith("Z")
    assert paid == {
        "kind": "payment",
        "amount": -20_000,
        "fee": 0,
        "currency": "VND",
        "balance": 80_000,
        "reference": payment.reference,
        "order_id": sale.id,
        "description": "Beans",
    }
    assert (deposit["kind"], deposit["amount"], deposit["balance"]) == (
        *("deposit", 100_000),
        100_000,
    )


def test_a_statement_is_read_page_by_page_while_money_comes(shop: Wallets, mai: Caller) -> None:
    for amount in (1_000, 2_000, 3_000):
        shop.topped_up(amount)
    found: list[Json] = []
    path = "/wallet/entries?limit=1"
    while True:
        told = done(mai.get(path))
        found += told["data"]
        if told["next_cursor"] is None:
            break
        path = f"/wallet/entries?limit=1&cursor={told['next_cursor']}"
        shop.topped_up(50_000)
    assert [one["amount"] for one in found] == [3_000, 2_000, 1_000]


@ON_SQLITE
def test_it_is_filtered(shop: Wallets, mai: Caller) -> None:
    shop.topped_up(100_000)
    shop.pay(shop.sale())

    def kinds(query: str) -> list[str]:
        return [one["kind"] for one in done(mai.get(f"/wallet/entries?{query}"))["data"]]

    assert kinds("kind=payment") == ["payment"]
    assert kinds("kind=refund") == []
    assert kinds("currency=VND") == ["payment", "deposit"]
    assert kinds("currency=INR") == []
    assert kinds("from=2020-01-01&to=2020-12-31") == []
    assert kinds("from=2020-01-01&kind=&currency=&to=") == ["payment", "deposit"]


@ON_SQLITE
@pytest.mark.parametrize(
    ("query", "code", "about"),
    [
        ("kind=gift", "invalid_kind", "kind"),
        ("from=yesterday", "invalid_from", "from"),
        ("to=2026-02-30", "invalid_to", "to"),
        ("from=2026-02-02&to=2026-02-01", "invalid_to", "to"),
        ("currency=XXX", "unknown_currency", "currency"),
        ("limit=0", "invalid_limit", "limit"),
        ("cursor=x", "invalid_cursor", None),
        ("cursor=IzE5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "invalid_cursor", None),
        ("cursor=4pyT", "invalid_cursor", None),
    ],
)
def test_a_filter_that_is_none_is_refused(
    mai: Caller, query: str, code: str, about: str | None
) -> None:
    problem(mai.get(f"/wallet/entries?{query}"), 400, code, about)


@ON_SQLITE
def test_nobody_reads_anothers_and_a_key_has_none(
    app: Flask, shop: Wallets, people: People
) -> None:
    shop.topped_up()
    stranger = Caller(app, people.token(people.stranger))
    assert done(stranger.get("/wallet/entries"))["data"] == []
    manager = Caller(app, people.token(people.manager))
    assert done(manager.get("/wallet/entries"))["data"] == []
    problem(Caller(app, people.key()).get("/wallet/entries"), 403, "forbidden")
    problem(Caller(app).get("/wallet/entries"), 401, "unauthorized")
