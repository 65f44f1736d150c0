"""The two test pages in a real browser: what a tester does, what the page then shows."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from payments.services.demo import API_KEY
from tests.e2e.shop import Customer, Shop, customer, sign_in

pytestmark = pytest.mark.long

LINES = """() => [...document.querySelectorAll('#log li')].map((row) => ({
  name: row.querySelector('b').textContent,
  payload: JSON.parse(row.querySelector('pre')?.textContent ?? 'null'),
}))"""


def lines(page: Page, name: str) -> list[Any]:
    return [line["payload"] for line in page.evaluate(LINES) if line["name"] == name]


def waits_for_line(page: Page, name: str, count: int = 1) -> Any:
    """The payload of the last of them."""
    rows = page.locator("#log li", has=page.locator("b", has_text=name))
    rows.nth(count - 1).wait_for(timeout=10_000)
    return lines(page, name)[-1]


def connects(one: Customer, shop: Shop, **fields: str) -> Page:
    page = one.page
    page.goto(f"{shop.url}/websocket-test.html")
    for name, value in fields.items():
        if name in {"vocabulary", "transports"}:
            page.select_option(f"#{name}", value)
        else:
            page.fill(f"#field-{name}", value)
    page.click("#connect button:not([type])")
    page.wait_for_selector('#state[data-connection="live"]')
    return page


@pytest.mark.parametrize("transports", ["websocket", "polling,websocket", "polling"])
def test_a_tester_watches_an_order_with_a_key(
    browser: Browser, shop: Shop, transports: str
) -> None:
    with customer(browser) as tester:
        order = shop.open_order()
        page = connects(tester, shop, token=API_KEY, transports=transports)
        assert page.inner_text("#state") == "Connected"
        page.fill("#field-id", order["id"])
        page.press("#field-id", "Enter")
        assert waits_for_line(page, "watch", 2)["snapshot"]["display"] == "pending"
        shop.phone(shop.start_momo(order["id"]))
        assert waits_for_line(page, "update", 2)["event"] == "order.paid"
        page.click("#leave")
        assert waits_for_line(page, "unwatch", 2)["ok"] is True
        page.click("#clear")
        assert page.locator("#log li").count() == 0
        page.click("#disconnect")
        assert page.inner_text("#state") == "Not connected"
        assert tester.console == []
        assert tester.hosts == {f"127.0.0.1:{shop.server.port}"}


def test_a_tester_speaks_a_salons_vocabulary(browser: Browser, shop: Shop) -> None:
    with customer(browser) as tester:
        order = shop.open_order(salon_id="7")
        page = tester.page
        page.goto(f"{shop.url}/websocket-test.html")
        assert not page.is_visible("#field-salon")
        page.select_option("#vocabulary", "salon")
        page.fill("#field-salon", "7")
        page.fill("#field-token", order["watch_token"])
        page.fill("#field-id", order["id"])
        page.press("#field-id", "Enter")  # connects by itself
        assert waits_for_line(page, "subscribe:payment-events", 2)["ok"] is True
        shop.phone(shop.start_momo(order["id"]))
        assert waits_for_line(page, "payment:completed")["status"] == "SUCCESS"


def test_a_tester_pretends_a_payment(browser: Browser, shop: Shop) -> None:
    with customer(browser) as tester:
        order = shop.open_order()
        page = connects(tester, shop, token=API_KEY)
        page.fill("#field-id", order["id"])
        page.press("#field-id", "Enter")
        waits_for_line(page, "watch", 2)
        page.select_option("#outcome", "SUCCESSFUL")
        page.click("#simulate button")
        assert waits_for_line(page, "200")["status"] == "SUCCESSFUL"
        assert waits_for_line(page, "update")["snapshot"]["status"] == "paid"
        other = shop.open_order()
        page.select_option("#named", "reference")
        page.fill("#field-about", shop.start_momo(other["id"]))
        page.select_option("#outcome", "FAILED")
        page.click("#simulate button")
        assert waits_for_line(page, "200", 2)["orderId"] == other["id"]


def test_staff_ask_whether_an_orders_page_hears(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai, customer(browser) as clerk:
        order = shop.open_order()
        page = connects(mai, shop, vocabulary="order", token=order["watch_token"])
        page.fill("#field-id", order["id"])
        page.press("#field-id", "Enter")
        waits_for_line(page, "joined-order")
        sign_in(clerk, shop, "clerk@demo.test")
        clerk.page.goto(f"{shop.url}/websocket-test.html")
        clerk.page.fill("#field-order", order["id"])
        clerk.page.press("#field-order", "Enter")
        waits_for_line(clerk.page, "204")
        assert waits_for_line(page, "connection-test")["orderId"] == order["id"]


def test_a_wrong_token_is_said(browser: Browser, shop: Shop) -> None:
    with customer(browser) as tester:
        page = tester.page
        page.goto(f"{shop.url}/websocket-test.html")
        page.fill("#field-token", "pk_wrong")
        page.click("#connect button:not([type])")
        assert waits_for_line(page, "connect_error") == {"message": "unauthorized"}
        assert page.inner_text("#state") == "Not connected"


def test_the_log_can_be_taken_along(browser: Browser, shop: Shop) -> None:
    with customer(browser, permissions=["clipboard-read", "clipboard-write"]) as tester:
        page = connects(tester, shop, token=API_KEY)
        page.click("#copy")
        page.wait_for_selector("#copy:has-text('Copied')")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert "connected" in copied
        assert "websocket" in copied


def test_a_payment_is_followed_step_by_step(browser: Browser, shop: Shop) -> None:
    with customer(browser) as tester:
        page = tester.page
        page.goto(f"{shop.url}/payment-test")
        page.fill("#field-token", API_KEY)
        page.click("#make")
        page.wait_for_selector('#state[data-connection="live"]')
        assert page.inner_text("#state") == "Live"
        order_id = page.input_value("#field-order")
        assert "Nothing has been started" in page.inner_text('[data-station="created"]')
        page.select_option("#rail", "momo")
        page.click("#start button:not([type])")
        page.wait_for_selector('[data-station="waiting"][aria-current="step"]')
        assert page.get_attribute("#action a", "href")
        shop.phone(shop.order(order_id)["payment"]["reference"])
        page.wait_for_selector('[data-station="end"][data-tone="good"]:has-text("Paid")')
        page.wait_for_selector('#toasts [data-tone="good"]:has-text("Paid")')
        assert tester.console == []


def test_a_payment_is_pretended(browser: Browser, shop: Shop) -> None:
    with customer(browser) as tester:
        page = tester.page
        page.goto(f"{shop.url}/payment-test")
        page.fill("#field-token", API_KEY)
        page.click("#make")
        page.wait_for_selector('#state[data-connection="live"]')
        page.click('[data-simulate="FAILED"]')
        page.wait_for_selector('[data-station="end"][data-tone="bad"]:has-text("Failed")')
        page.click('[data-simulate="SUCCESSFUL"]')
        page.wait_for_selector('[data-station="end"][data-tone="good"]:has-text("Paid")')


def test_a_payment_that_fails_is_said_with_the_socket_away(browser: Browser, shop: Shop) -> None:
    with customer(browser) as tester:
        tester.block_sockets()
        page = tester.page
        order = shop.open_order()
        page.goto(f"{shop.url}/payment-test?order={order['id']}")
        page.fill("#field-token", API_KEY)
        page.press("#field-order", "Enter")
        page.wait_for_selector('#state[data-connection="polling"]')
        assert page.inner_text("#state") == "Checking every few seconds"
        shop.phone(shop.start_momo(order["id"]), "decline")
        page.wait_for_selector('[data-station="end"][data-tone="bad"]:has-text("Failed")')


def test_staff_need_no_token_and_strangers_are_refused(browser: Browser, shop: Shop) -> None:
    with customer(browser) as clerk, customer(browser) as stranger:
        order = shop.open_order()
        sign_in(clerk, shop, "clerk@demo.test")
        for one in (clerk, stranger):
            one.page.goto(f"{shop.url}/payment-test?order={order['id']}")
            one.page.click("#follow button:not([type])")
        clerk.page.wait_for_selector('#state[data-connection="live"]')
        assert "185,000" in clerk.page.inner_text("#amount")
        stranger.page.wait_for_selector('#toasts [data-tone="bad"]')
        assert "not yours" in stranger.page.inner_text("#toasts")
        assert stranger.page.inner_text("#amount") == ""


@pytest.mark.parametrize("path", ["/websocket-test.html", "/payment-test"])
def test_it_fits_the_smallest_screen(browser: Browser, shop: Shop, path: str) -> None:
    with customer(browser, viewport={"width": 320, "height": 640}) as tester:
        for language in ("en", "vi", "fr", "hi", "si"):
            tester.page.goto(f"{shop.url}{path}?lang={language}")
            assert tester.page.evaluate("document.documentElement.scrollWidth") == 320, language
        if path == "/websocket-test.html":
            long = json.dumps({"x": "y" * 500})
            tester.page.evaluate(
                "(text) => { const row = document.createElement('li');"
                "const pre = document.createElement('pre'); pre.textContent = text;"
                "row.append(pre); document.getElementById('log').append(row); }",
                long,
            )
            assert tester.page.evaluate("document.documentElement.scrollWidth") == 320
