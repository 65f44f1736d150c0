"""The three screens of the first minutes: what is pressed on one shows on the others."""

from __future__ import annotations

import requests
from playwright.sync_api import Browser, Frame, Page

from tests.e2e.shop import Shop, customer


def frame_of(page: Page, name: str) -> Frame:
    found = page.frame(name)
    assert found is not None, name
    return found


def shows(page: Page, name: str, words: str) -> None:
    frame_of(page, name).wait_for_selector(f"text={words}", timeout=10_000)


def buys(page: Page, shop: Shop, good: str) -> None:
    page.goto(f"{shop.url}/")
    page.click("main a[href*='three-screens']")
    page.click(f"text={good}")
    page.wait_for_url("**/three-screens?**")
    frame_of(page, "staff").wait_for_selector('#order[data-connection="live"]', state="attached")


def test_pay_on_the_phone_flips_the_customers_and_the_staffs_screen(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser, viewport={"width": 1280, "height": 900}) as mai:
        page = mai.page
        buys(page, shop, "Coffee beans")
        frame_of(page, "customer").click('button[value="momo"]')
        # The phone looks for itself whether somebody asks for money.
        frame_of(page, "phone").click("a.main-action", timeout=15_000)
        frame_of(page, "phone").check('[name="twice"]')
        frame_of(page, "phone").click('button[value="pay"]')
        shows(page, "customer", "The money has arrived")
        shows(page, "staff", "Shows PAID")
        assert mai.console == []
        assert mai.hosts == {f"127.0.0.1:{shop.server.port}"}


def test_the_app_of_the_bank_opens_on_the_phone_beside_the_code(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai:
        page = mai.page
        buys(page, shop, "Silk scarf")
        frame_of(page, "customer").click('button[value="bank"]')
        frame_of(page, "customer").click("#pretended")
        phone = frame_of(page, "phone")
        phone.wait_for_selector("text=Amount in dong")
        assert len(mai.context.pages) == 1
        phone.click(".actions button")
        shows(page, "customer", "The money has arrived")


def test_our_pages_are_framed_by_us_alone_and_only_in_the_sandbox(shop: Shop) -> None:
    def ancestors(url: str) -> str:
        policy = requests.get(url, timeout=10).headers["Content-Security-Policy"]
        return policy.rsplit("frame-ancestors ", 1)[1]

    assert ancestors(f"{shop.url}/login") == "'self'"
    assert ancestors(f"{shop.url}/checkout/none") == "'self'"
    for path in ("/", "/three-screens", "/api/docs", "/payment-test", "/nothing"):
        assert ancestors(shop.url + path) == "'none'", path


def test_there_are_no_three_screens_outside_of_the_sandbox() -> None:
    with Shop(SANDBOX="0") as real:
        for path in ("/login", "/checkout/none", "/staff/"):
            policy = requests.get(real.url + path, timeout=10).headers["Content-Security-Policy"]
            assert policy.endswith("frame-ancestors 'none'"), path
        assert requests.get(f"{real.url}/three-screens", timeout=10).status_code == 404


def test_whoever_knows_us_by_another_name_is_led_to_ours(shop: Shop) -> None:
    other = shop.url.replace("127.0.0.1", "localhost")
    answer = requests.get(f"{other}/three-screens?good=tea", timeout=10, allow_redirects=False)
    assert answer.headers["Location"] == f"{shop.url}/three-screens?good=tea"
    strange = requests.get(
        f"{shop.url}/three-screens",
        headers={"Host": "evil.test"},
        timeout=10,
        allow_redirects=False,
    )
    assert strange.status_code == 200
