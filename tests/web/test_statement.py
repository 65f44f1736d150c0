"""The statement as a page, as a file and on paper: the person's own, in their own language."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from flask import Flask
from flask.testing import FlaskClient

from payments.domain import ledger as bookkeeping
from payments.services.wallets import statements
from payments.store import ledger
from payments.store.db import in_transaction
from tests.outside import ON_SQLITE, SCRIPT, page_of
from tests.people import People
from tests.services.test_wallets import Wallets

pytestmark = ON_SQLITE

PAGES = ("/wallet/statement", "/wallet/statement/print", "/wallet/statement.csv")


@pytest.fixture
def shop(app: Flask) -> Wallets:
    return Wallets(People(app))


@pytest.fixture
def mai(shop: Wallets) -> FlaskClient:
    return shop.people.signed_in(shop.mai)


def filed(browser: FlaskClient, query: str = "") -> list[dict[str, str]]:
    answer = browser.get(f"/wallet/statement.csv{query}")
    assert answer.status_code == 200, answer.status
    assert answer.content_type == "text/csv; charset=utf-8"
    content = answer.get_data(as_text=True)
    assert content.startswith("\ufeff")
    return list(csv.DictReader(StringIO(content.removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_led_to_the_sign_in_and_back(app: Flask, path: str) -> None:
    answer = app.test_client().get(f"{path}?kind=deposit")
    assert answer.status_code == 302
    assert answer.location.startswith("/login?next=/wallet/statement")
    assert "kind" in answer.location


@pytest.mark.parametrize("path", PAGES)
def test_it_is_kept_by_no_cache(mai: FlaskClient, path: str) -> None:
    answer = mai.get(path)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")


def test_the_page_shows_what_moved_and_what_was_left(shop: Wallets, mai: FlaskClient) -> None:
    shop.topped_up(100_000)
    sale = shop.sale(description=SCRIPT)
    shop.pay(sale)
    page = page_of(mai.get("/wallet/statement?lang=en"))
    for words in ("Top-up", "Payment", "+₫100,000", "-₫50,000", "₫50,000", sale.id):
        assert words in page.text, words
    assert SCRIPT in page.text
    assert list(page.inline()) == []
    assert "Balance after₫50,000" in page.text
    vietnamese = page_of(mai.get("/wallet/statement?lang=vi"))
    assert "100.000" in vietnamese.text


def test_whoever_has_had_no_money_reads_so(mai: FlaskClient) -> None:
    page = page_of(mai.get("/wallet/statement"))
    assert "No money has moved here." in page.text
    assert not [one for one in page.all("a") if ".csv" in (one.get("href") or "")]


def test_the_filters_are_a_form_that_keeps_what_was_chosen(shop: Wallets, mai: FlaskClient) -> None:
    shop.topped_up()
    shop.pay(shop.sale())
    page = page_of(mai.get("/wallet/statement?kind=payment&currency=VND&from=2020-01-01&to="))
    form = page.form("/wallet/statement")
    assert form.get("method") == "get"
    assert page.id("from")["value"] == "2020-01-01"
    chosen = [
        one.get("value") or one.text for one in page.all("option") if one.get("selected") == ""
    ]
    assert chosen == ["payment", "VND"]
    assert len(page.all("time")) == 1
    assert "Balance before" not in page.text
    (file,) = [one for one in page.all("a") if ".csv" in (one.get("href") or "")]
    assert [one["kind"] for one in filed(mai, "?" + file["href"].split("?")[1])] == ["payment"]


def test_older_lines_are_pages_further_on(
    shop: Wallets, mai: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from payments.web import statement

    monkeypatch.setattr(statement, "LISTED", 2)
    for amount in (1_000, 2_000, 3_000):
        shop.topped_up(amount)
    first = page_of(mai.get("/wallet/statement?kind=deposit"))
    assert "+₫1,000" not in first.text
    (older,) = first.all("a", rel="next")
    shop.topped_up(9_000)
    second = page_of(mai.get(older["href"]))
    assert len(second.all("time")) == 1
    assert "+₫1,000" in second.text
    assert second.all("a", rel="next") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [("from=21/11/2026", "from"), ("to=x", "to"), ("from=2026-02-02&to=2026-02-01", "to")],
)
def test_a_day_that_is_none_is_refused_beside_its_field(
    shop: Wallets, mai: FlaskClient, query: str, field: str
) -> None:
    page = page_of(mai.get(f"/wallet/statement?{query}"), 400)
    assert page.id(field).get("aria-invalid") == "true"
    assert "2026-11-21" in page.id(f"{field}-error").text


@pytest.mark.parametrize("query", ["kind=gift", "currency=XXX", "cursor=x"])
def test_an_address_that_no_page_leads_to_is_refused_in_words(mai: FlaskClient, query: str) -> None:
    page_of(mai.get(f"/wallet/statement?{query}"), 400)
    if "cursor" not in query:
        page_of(mai.get(f"/wallet/statement/print?{query}"), 400)
        page_of(mai.get(f"/wallet/statement.csv?{query}"), 400)


class TestTheFile:
    def test_it_has_plain_times_and_amounts_with_a_point(
        self, shop: Wallets, mai: FlaskClient
    ) -> None:
        shop.topped_up(100_000)
        shop.pay(shop.sale(description='Beans, "dark"\r\nroasted'))
        answer = mai.get("/wallet/statement.csv?from=2020-01-01")
        disposition = 'attachment; filename="statement-2020-01-01.csv"'
        assert answer.headers["Content-Disposition"] == disposition
        assert answer.get_data(as_text=True).splitlines(keepends=True)[0].endswith("\r\n")
        paid, deposit = filed(mai, "?from=2020-01-01")
        assert (paid["kind"], paid["amount"], paid["balance"]) == ("payment", "-50000", "50000")
        assert paid["description"] == 'Beans, "dark"\r\nroasted'
        assert (deposit["amount"], deposit["currency"], deposit["fee"]) == ("100000", "VND", "0")
        assert deposit["at"].endswith("Z")

    @pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
    def test_a_text_is_never_a_formula(self, shop: Wallets, mai: FlaskClient, first: str) -> None:
        shop.topped_up(100_000)
        shop.pay(shop.sale(description=f"{first}1+1"))
        assert filed(mai)[0]["description"] == f"'{first}1+1"

    @pytest.mark.parametrize(
        ("currency", "amount"), [("VND", "1234567"), ("INR", "12345.67"), ("KWD", "1234.567")]
    )
    def test_an_amount_has_the_digits_of_its_currency(
        self, shop: Wallets, mai: FlaskClient, currency: str, amount: str
    ) -> None:
        legs = ("clearing:generic", 1_234_567), (bookkeeping.wallet(shop.user_id), -1_234_567)
        came = bookkeeping.posting("receipt:R1", currency, *legs)
        shop.people.in_app(in_transaction, lambda: ledger.append(came, None))
        (line,) = filed(mai)
        assert (line["amount"], line["balance"], line["currency"]) == (amount, amount, currency)

    def test_it_holds_more_than_is_read_at_once(
        self, shop: Wallets, mai: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(statements, "READ_AT_ONCE", 2)
        for amount in (1_000, 2_000, 3_000, 4_000, 5_000):
            shop.topped_up(amount)
        assert [one["balance"] for one in filed(mai)] == ["15000", "10000", "6000", "3000", "1000"]

    def test_a_stranger_has_an_empty_one(self, shop: Wallets) -> None:
        shop.topped_up()
        assert filed(shop.people.signed_in(shop.people.stranger)) == []


class TestOnPaper:
    def test_it_goes_from_the_balance_before_to_the_balance_after(
        self, shop: Wallets, mai: FlaskClient
    ) -> None:
        shop.topped_up(100_000)
        shop.pay(shop.sale())
        page = page_of(mai.get("/wallet/statement/print?lang=en&from=2020-01-01"))
        for words in (
            *("ShopPaychime", "Customerowner", "from Jan 1, 2020"),
            *("Balance before₫0", "Came in₫100,000", "Went out₫50,000", "Balance after₫50,000"),
        ):
            assert words in page.text, words
        assert page.text.index("+₫100,000") < page.text.index("-₫50,000"), "oldest first"
        (running,) = page.all("tr", **{"class": "running"})
        assert "thead" in running.inside, "on each sheet again"
        for name in ("Paychime", "owner", "VND", "2020"):
            assert name in running.text
        assert list(page.inline()) == []

    def test_what_is_too_much_for_one_print_says_so_and_gives_no_wrong_sum(
        self, shop: Wallets, mai: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from payments.web import statement

        monkeypatch.setattr(statement, "PRINTED", 1)
        shop.topped_up()
        shop.topped_up()
        page = page_of(mai.get("/wallet/statement/print"))
        assert "Only the newest 1 are here." in page.text
        assert "Balance before" not in page.text
