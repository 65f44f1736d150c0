"""A phone that was put away: the page is right within three seconds of its return."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from tests.e2e.shop import Customer, Shop, customer

# A minute's sleep, on a machine that does other things too.
pytestmark = pytest.mark.timeout(300)

RIGHT_WITHIN = 3
SLEEPS = [5, pytest.param(60, marks=pytest.mark.long)]
"""Seconds. After a minute the server has long given up the connection."""

# A headless browser shows all its tabs: what a hidden one tells its page is said in its stead.
TURN = """(away) => {
  Object.defineProperty(document, 'hidden', { value: away, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@contextmanager
def waiting(browser: Browser, shop: Shop) -> Iterator[tuple[Customer, str, str]]:
    """A customer whose page waits for MoMo: their browser, the order and the reference."""
    with customer(browser) as mai:
        order = shop.open_order()
        reference = shop.start_momo(order["id"])
        mai.open(order)
        mai.waits_for(status="pending", connection="live")
        yield mai, str(order["id"]), reference


def pays(shop: Shop, order_id: str, reference: str) -> None:
    """On the phone, behind the back of the page; the shop has the money when this returns."""
    shop.phone(reference)
    deadline = time.monotonic() + 20
    while shop.order(order_id)["status"] != "paid":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_right(mai: Customer, navigations: int) -> None:
    mai.waits_for(RIGHT_WITHIN, status="paid")
    assert mai.navigations == navigations, "it did not need to be loaded again"
    assert "The money has arrived" in mai.page.inner_text("#payment")


@contextmanager
def asleep(browser: Browser) -> Iterator[None]:
    """Every process of the browser stands still."""
    session = browser.new_browser_cdp_session()
    told = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    processes = [int(one["id"]) for one in told]
    assert len(processes) > 2, "the browser and its pages are processes of their own"
    try:
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@pytest.mark.parametrize("seconds", SLEEPS)
def test_a_browser_that_slept_is_right_when_it_wakes(
    browser: Browser, shop: Shop, seconds: int
) -> None:
    with waiting(browser, shop) as (mai, order, reference):
        navigations = mai.navigations
        with asleep(browser):
            pays(shop, order, reference)
            time.sleep(seconds)
        is_right(mai, navigations)


@pytest.mark.parametrize("seconds", SLEEPS)
def test_a_hidden_tab_that_asked_nothing_is_right_when_it_is_shown(
    browser: Browser, shop: Shop, seconds: int
) -> None:
    """Without sockets, so that what it knows it must have asked for."""
    with customer(browser) as mai:
        mai.block_sockets()
        order = shop.open_order()
        reference = shop.start_momo(order["id"])
        mai.open(order)
        mai.waits_for(status="pending", connection="polling")
        navigations = mai.navigations
        mai.page.evaluate(TURN, True)
        mai.page.wait_for_timeout(500)
        pays(shop, order["id"], reference)
        time.sleep(seconds)
        assert mai.status() == "pending", "hidden, it costs nobody's battery"
        mai.page.evaluate(TURN, False)
        is_right(mai, navigations)


@pytest.mark.parametrize("seconds", SLEEPS)
def test_a_page_without_a_network_says_so_and_is_right_when_it_returns(
    browser: Browser, shop: Shop, seconds: int
) -> None:
    with waiting(browser, shop) as (mai, order, reference):
        navigations = mai.navigations
        mai.context.set_offline(True)
        mai.waits_for(3, connection="offline")
        assert mai.page.is_visible("#offline")
        pays(shop, order, reference)
        time.sleep(seconds)
        assert mai.status() == "pending", "it cannot know"
        mai.context.set_offline(False)
        is_right(mai, navigations)
        assert not mai.page.is_visible("#offline")


def test_what_is_pressed_without_a_network_does_not_lose_the_page(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai:
        mai.open(shop.open_order())
        mai.waits_for(connection="live")
        mai.context.set_offline(True)
        mai.page.click('button[value="momo"]')
        mai.page.wait_for_timeout(300)
        assert mai.page.is_visible("#offline")
        assert mai.status() == "pending"
        mai.context.set_offline(False)
        mai.page.click('button[value="momo"]')
        mai.page.wait_for_selector(".qr img")
