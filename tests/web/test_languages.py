"""Every page speaks the reader's language, and its `html lang` says which."""

from __future__ import annotations

import pytest

from payments.services import accounts
from payments.store import people as people_store
from payments.store.db import in_transaction
from tests.outside import ON_SQLITE, Page, page_of, submit
from tests.people import PASSWORD, People

pytestmark = ON_SQLITE

LANGUAGES = ("en", "vi", "fr", "hi", "si")


def lang(page: Page) -> str:
    (html,) = page.all("html")
    return html["lang"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_in_the_language_asked_for(people: People, language: str) -> None:
    order = people.order()
    browser = people.browser(order)
    for path in (f"/checkout/{order.id}", "/login", "/api/docs"):
        page = page_of(browser.get(f"{path}?lang={language}"))
        assert lang(page) == language
        (current,) = [one for one in page.all("a") if one.get("aria-current") == "true"]
        assert current["hreflang"] == language
    assert lang(page_of(browser.get(f"/nothing?lang={language}"), 404)) == language


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("vi", "vi"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("de,hi;q=0.5", "hi"),
        ("si-LK", "si"),
        ("de-DE,ja", "en"),
        ("", "en"),
        ("*", "en"),
        ("en;q=0.1, vi;q=0.9", "vi"),
        (";;;,=\x7f", "en"),
    ],
)
def test_a_page_is_in_a_language_that_the_browser_accepts(
    people: People, accepted: str, language: str
) -> None:
    answer = people.browser().get("/login", headers={"Accept-Language": accepted})
    assert lang(page_of(answer)) == language


@pytest.mark.parametrize("asked", ["de", "EN", "../en", "<script>", "", "vi'--", "a" * 1_000])
def test_a_language_that_we_do_not_speak_is_no_language(people: People, asked: str) -> None:
    answer = people.browser().get("/login", query_string={"lang": asked})
    assert lang(page_of(answer)) == "en"
    assert "paychime_lang" not in str(answer.headers.getlist("Set-Cookie"))


def test_the_language_asked_for_is_remembered(people: People) -> None:
    browser = people.browser()
    browser.get("/login?lang=vi")
    assert lang(page_of(browser.get("/login", headers={"Accept-Language": "fr"}))) == "vi"


@pytest.fixture
def mai(people: People) -> People:
    people.in_app(
        accounts.create_user, "mai@people.test", PASSWORD, "clerk", name="Mai", locale="vi"
    )
    return people


def test_a_page_is_in_the_language_of_the_account(mai: People) -> None:
    browser = mai.browser()
    browser.get("/login?lang=fr")
    answer = submit(browser, "/login", email="mai@people.test", password=PASSWORD)
    assert answer.status_code == 303
    english = {"Accept-Language": "en"}
    assert lang(page_of(browser.get("/staff/", headers=english))) == "vi"
    assert lang(page_of(browser.get("/nothing", headers=english), 404)) == "vi"
    assert lang(page_of(browser.get("/staff/?lang=hi", headers=english))) == "hi"


def test_an_account_without_a_language_follows_the_browser(people: People) -> None:
    browser = people.signed_in(people.clerk)
    answer = browser.get("/staff/", headers={"Accept-Language": "si"})
    assert lang(page_of(answer)) == "si"


@pytest.mark.parametrize("locale", ["fr-CA", "fr_CA", "fr"])
def test_a_language_with_its_country_is_that_language(people: People, locale: str) -> None:
    """Tokens of a shop's backend name locales in either form."""
    order = people.order(customer_id="user-7")
    people.in_app(in_transaction, lambda: people_store.add("user-7", locale=locale))
    token = people.house.tokens.person("user-7")[0]
    answer = people.browser().get(
        f"/checkout/{order.id}",
        headers={"Authorization": f"Bearer {token}", "Accept-Language": "vi"},
    )
    assert lang(page_of(answer)) == "fr"


def test_money_and_time_are_in_the_readers_form(people: People) -> None:
    order = people.order(1_234_567)
    browser = people.browser(order)
    for language, amount in (
        ("en", "₫1,234,567"),
        ("fr", "1\u202f234\u202f567"),
        ("vi", "1.234.567"),
    ):
        html = browser.get(f"/checkout/{order.id}?lang={language}").get_data(as_text=True)
        assert amount in html, language


def test_an_amount_has_the_digits_of_its_currency(people: People) -> None:
    for amount, currency, text in (
        (150_050, "INR", "1,500.50"),
        (1_500, "KWD", "1.500"),
        (500, "XAF", "500"),
        (1_999, "MMK", "19.99"),
    ):
        order = people.order(amount, currency)
        html = people.browser(order).get(f"/checkout/{order.id}?lang=en").get_data(as_text=True)
        assert text in html, currency


class TestTheShopsOwnLanguage:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"SHOP_LOCALE": "fr", "SHOP_NAME": "Café <Noir>", "SHOP_TIMEZONE": "Asia/Tokyo"}

    def test_it_is_the_last_resort(self, people: People) -> None:
        page = page_of(people.browser().get("/login", headers={"Accept-Language": "de"}))
        assert lang(page) == "fr"
        assert "Café <Noir>" in page.text
