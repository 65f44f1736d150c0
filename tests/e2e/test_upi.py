"""UPI in a browser: the code on the screen, the app, the UTR, the clerk; and Razorpay's ways."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page

from payments.services.demo import API_KEY
from sandbox.upi.link import read_link
from tests.e2e.codes import SCREENS, codes_shown
from tests.e2e.shop import MORE, Customer, Shop, customer, sign_in

PRICE = 649_00
OWN, RAZORPAYS = "upi-address", "upi"


@pytest.fixture(scope="module")
def links_only() -> Iterator[Shop]:
    """A shop whose Razorpay account is not given the text of its codes."""
    with Shop() as running:
        account(running, qr="picture")
        yield running


@pytest.fixture(scope="module")
def orders_only() -> Iterator[Shop]:
    """A shop whose Razorpay account makes neither codes nor links."""
    with Shop() as running:
        account(running, qr="orders")
        yield running


def account(shop: Shop, **settings: str) -> None:
    address = f"{shop.url}/sandbox/razorpay/account"
    assert requests.post(address, data=settings, timeout=20, allow_redirects=False).ok


def upi_order(shop: Shop) -> dict[str, Any]:
    return shop.open_order(PRICE, currency="INR", description="Box of spices")


def choose(mai: Customer, way: str) -> None:
    mai.waits_for(connection="live")
    mai.page.click(f'button[value="{way}"]')
    mai.waits_for(connection="live", status="pending")
    mai.page.wait_for_selector(".pay")


@contextmanager
def payer(
    browser: Browser, shop: Shop, way: str = RAZORPAYS
) -> Iterator[tuple[Customer, dict[str, Any]]]:
    """A browser that has chosen how to pay an order, and the order."""
    with customer(browser) as mai:
        order = upi_order(shop)
        mai.open(order)
        choose(mai, way)
        yield mai, order


def goes_to_razorpay(mai: Customer) -> None:
    """By the form that leads to its own page."""
    mai.page.click("#open")
    mai.page.wait_for_url("**/checkout/embedded")


def attempt(shop: Shop, order: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = shop.order(order["id"])["payment"]
    return found


def app_of(mai: Customer) -> Page:
    """The pretended app, opened by the page's own link."""
    with mai.context.expect_page() as opened:
        mai.page.click("#pretended")
    app = opened.value
    app.wait_for_load_state()
    return app


def decides(shop: Shop, order: dict[str, Any], result: str = "pay", **switches: Any) -> Any:
    """On the pretended phone, without a browser; `switches` make Razorpay misbehave."""
    answer = requests.post(
        f"{shop.url}/sandbox/razorpay/asks/{attempt(shop, order)['reference']}/decide",
        json={"result": result, **switches},
        timeout=20,
    )
    assert answer.ok, answer.text
    return answer.json()


@pytest.mark.parametrize("way", [OWN, RAZORPAYS])
@SCREENS
def test_the_code_on_the_screen_is_the_link_of_this_attempt(
    browser: Browser, shop: Shop, scheme: str, width: int, way: str
) -> None:
    viewport = {"width": width, "height": 900}
    with customer(browser, color_scheme=scheme, viewport=viewport) as mai:
        order = upi_order(shop)
        mai.open(order)
        choose(mai, way)
        action = attempt(shop, order)["action"]
        assert codes_shown(mai.page) == [action["qr"]]
        asked = read_link(action["qr"])
        assert asked.paise == PRICE
        assert (asked.vpa == "paychime.demo@upi") == (way == OWN)
        assert mai.page.evaluate("document.documentElement.scrollWidth") <= width
        assert mai.console == []


def test_on_a_phone_the_link_comes_before_the_code(browser: Browser, shop: Shop) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    with customer(browser, **phone) as mai:
        order = upi_order(shop)
        mai.open(order)
        choose(mai, OWN)
        link, code = mai.page.locator("#open"), mai.page.locator(".qr img")
        assert link.get_attribute("href") == attempt(shop, order)["action"]["deeplink"]
        link_at, code_at = link.bounding_box(), code.bounding_box()
        assert link_at
        assert code_at
        assert link_at["y"] < code_at["y"]
        assert link_at["height"] >= 44


def test_paid_to_the_shops_address_the_clerk_confirms_with_the_customers_utr(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai, customer(browser) as clerk:
        order = upi_order(shop)
        mai.open(order)
        choose(mai, OWN)
        app = app_of(mai)
        app.get_by_role("button", name="Pay").click()
        utr = app.inner_text("#utr")
        time.sleep(1)
        assert mai.status() == "pending", "nobody has told the shop"

        mai.page.click("#claim-link")
        mai.page.fill("#claim-reference", utr[:-1])
        mai.page.click("#claim button")
        assert "12 digits" in mai.page.inner_text("#claim-reference-error")
        mai.page.fill("#claim-reference", utr)
        mai.page.click("#claim button")
        mai.page.wait_for_selector("text=reached the shop")
        mai.waits_for(connection="live")
        before = mai.navigations

        sign_in(clerk, shop, "clerk@demo.test")
        clerk.page.goto(f"{shop.url}/staff/orders/{order['id']}")
        clerk.page.click("#confirm summary")
        assert clerk.page.input_value("#confirm-evidence") == utr
        clerk.page.fill("#confirm-amount", "649")
        clerk.page.fill("#confirm-reason", "It is on the statement")
        clerk.page.click("#confirm form button")

        mai.waits_for(status="paid", connection="live")
        assert mai.navigations == before, "the page flips in place"
        assert "649" in mai.page.inner_text("#payment")
        # A refused form is an answer that Chromium writes into its console.
        assert [said for said in mai.console if "422" not in said] == []
        assert "right" in shop.server.flask("ledger", "verify")


def test_a_code_of_razorpays_is_paid_and_the_page_flips(browser: Browser, shop: Shop) -> None:
    with payer(browser, shop) as (mai, order):
        before = mai.navigations
        app = app_of(mai)
        app.click('button[value="pay"]')
        mai.waits_for(status="paid", connection="live")
        assert mai.navigations == before
        words = mai.page.inner_text("#payment")
        assert "649" in words
        assert "pay_" in words, "the transaction stands on the receipt"
        assert mai.console == []
        assert shop.order(order["id"])["amount_paid"] == PRICE
        assert "right" in shop.server.flask("ledger", "verify")


def test_a_declined_payment_says_why_and_the_same_code_can_be_paid(
    browser: Browser, shop: Shop
) -> None:
    with payer(browser, shop) as (mai, order):
        decides(shop, order, "no_money")
        mai.waits_for(status="failed")
        assert "not enough money" in mai.page.inner_text("#payment")
        decides(shop, order)
        mai.waits_for(status="paid")


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        *(("reorder", True), ("late", 2), ("wrong_amount", True), ("silent", True)),
        *(MORE("twice", True), MORE("forged", True)),
    ],
)
def test_a_razorpay_that_misbehaves_ends_right(
    browser: Browser, shop: Shop, switch: str, value: Any
) -> None:
    with payer(browser, shop) as (mai, order):
        decides(shop, order, **{switch: value})
        mai.waits_for(25, status="paid")
        time.sleep(1)
        assert mai.status() == "paid"
        assert shop.order(order["id"])["amount_paid"] == PRICE


def test_a_payment_link_leads_to_razorpay_and_back_to_a_page_that_is_honest(
    browser: Browser, links_only: Shop
) -> None:
    with payer(browser, links_only) as (mai, order):
        assert mai.page.locator(".qr").count() == 0
        mai.page.click("#open")
        mai.page.wait_for_url("**/sandbox/razorpay/i/**")
        mai.page.check('[name="silent"]')
        mai.page.click('button[value="pay"]')
        mai.page.wait_for_url("**/checkout/**")
        # Razorpay tells nothing: what the browser brought back has made us ask, or we ask anyway.
        mai.waits_for(20, status="paid")
        assert links_only.order(order["id"])["amount_paid"] == PRICE
        assert mai.console == []


def test_who_leaves_the_payment_page_finds_the_order_as_it_was(
    browser: Browser, links_only: Shop
) -> None:
    with payer(browser, links_only) as (mai, _order):
        mai.page.click("#open")
        mai.page.click('button[value="leave"]')
        mai.page.wait_for_url("**/checkout/**")
        assert mai.status() == "pending"
        assert mai.page.locator('button[value="upi"]').is_visible()


def test_an_order_is_paid_on_razorpays_own_page_and_the_customer_comes_back_to_the_receipt(
    browser: Browser, orders_only: Shop
) -> None:
    with payer(browser, orders_only) as (mai, order):
        goes_to_razorpay(mai)
        assert "Box of spices" in mai.page.inner_text("main")
        mai.comes_back('button[value="pay"]')
        mai.waits_for(20, status="paid")
        words = mai.page.inner_text("#payment")
        assert "649" in words
        assert "pay_" in words, "the transaction stands on the receipt"
        assert orders_only.order(order["id"])["amount_paid"] == PRICE
        assert mai.console == []
        assert "right" in orders_only.server.flask("ledger", "verify")


def test_who_fails_on_razorpays_own_page_is_told_why_and_pays_at_the_next_try(
    browser: Browser, orders_only: Shop
) -> None:
    with payer(browser, orders_only) as (mai, order):
        goes_to_razorpay(mai)
        mai.comes_back('button[value="no_money"]')
        # The event names no order of ours: that the browser came back has made us ask.
        mai.waits_for(20, status="failed")
        assert "not enough money" in mai.page.inner_text("#payment")
        mai.page.click('button[value="upi"]')
        mai.waits_for(status="pending", connection="live")
        goes_to_razorpay(mai)
        mai.page.check('[name="reorder"]')
        mai.comes_back('button[value="pay"]')
        mai.waits_for(20, status="paid")
        assert orders_only.order(order["id"])["amount_paid"] == PRICE


def test_who_leaves_razorpays_own_page_finds_the_order_as_it_was(
    browser: Browser, orders_only: Shop
) -> None:
    with payer(browser, orders_only) as (mai, _order):
        goes_to_razorpay(mai)
        mai.comes_back('button[value="leave"]')
        assert mai.status() == "pending"
        assert mai.page.locator("#open").is_visible()


def test_without_scripts_the_same_button_leads_there_and_back(
    browser: Browser, orders_only: Shop
) -> None:
    with customer(browser, java_script_enabled=False) as mai:
        order = upi_order(orders_only)
        mai.open(order)
        mai.page.click('button[value="upi"]')
        goes_to_razorpay(mai)
        mai.page.click('button[value="pay"]')
        mai.comes_back("text=Back to the shop")
        assert mai.page.locator("#payment").is_visible()
        mai.waits_for(20, status="paid")


def test_the_form_may_go_to_another_host_where_that_is_razorpays(
    browser: Browser, orders_only: Shop
) -> None:
    with customer(browser) as mai:
        order = upi_order(orders_only)
        # To a browser that knows the shop by another name, the pretended Razorpay is elsewhere.
        mai.page.goto(order["checkout_url"].replace("127.0.0.1", "localhost"))
        mai.page.click('button[value="upi"]')
        mai.page.wait_for_selector(".pay")
        assert attempt(orders_only, order)["action"]["url"].startswith("http://127.0.0.1:")
        mai.page.click("#open")
        mai.page.wait_for_url("http://127.0.0.1:*/**/checkout/embedded")
        assert "Box of spices" in mai.page.inner_text("main")


def test_the_page_of_trials_opens_razorpays_own_page_too(
    browser: Browser, orders_only: Shop
) -> None:
    with customer(browser) as tester:
        page = tester.page
        page.goto(f"{orders_only.url}/payment-test")
        page.fill("#field-token", API_KEY)
        page.select_option("#rail", RAZORPAYS)
        page.click("#make")
        page.wait_for_selector('#state[data-connection="live"]')
        page.click("#start button:not([type])")
        with tester.context.expect_page() as opened:
            page.click("#action button")
        opened.value.click('button[value="pay"]')
        page.wait_for_selector('[data-station="end"][data-tone="good"]:has-text("Paid")')


def test_a_browser_that_another_host_sends_back_by_post_still_has_its_order(
    browser: Browser, orders_only: Shop
) -> None:
    """Cookies of ours are not sent along with such a POST, but with the GET that follows."""
    with payer(browser, orders_only) as (mai, order):
        back = f"{orders_only.url}/checkout/{order['id']}/return"
        form = (
            f'<form method="post" action="{back}"><button name="a" value="b">Back</button></form>'
        )
        elsewhere = "http://razorpay.test/"
        mai.page.route(elsewhere, lambda asked: asked.fulfill(body=form, content_type="text/html"))
        mai.page.goto(elsewhere)
        with mai.page.expect_request(back) as sent:
            mai.page.click("button")
        assert "cookie" not in sent.value.all_headers()
        mai.page.wait_for_url(f"**/checkout/{order['id']}?returned=1")
        assert mai.status() == "pending"


@pytest.mark.parametrize("ends", ["at once", "later"])
def test_money_goes_back_and_the_page_says_so(browser: Browser, shop: Shop, ends: str) -> None:
    with payer(browser, shop) as (mai, order):
        decides(shop, order)
        mai.waits_for(status="paid")
        account(shop, refunds=ends)
        try:
            shop.call("POST", f"/api/v1/orders/{order['id']}/refunds", {"reason": "It was broken"})
            mai.waits_for(15, status="refunded")
        finally:
            account(shop, refunds="at once")
        assert "right" in shop.server.flask("ledger", "verify")
