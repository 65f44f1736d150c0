"""A customer's page flips by itself, whatever happens to the socket, the server or the script."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from tests.e2e.shop import MORE, Shop, customer, sign_in
from tests.servers import PostgresServer


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.long), "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The settings of a server's database; its own file where there are none."""
    if request.param == "sqlite":
        yield {}
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.create_database()
    yield {"DATABASE_URL": url}
    server.drop_database(url)


@pytest.mark.parametrize("mode", ["eventlet", pytest.param("threading", marks=pytest.mark.long)])
def test_a_customer_pays_on_the_simulated_phone_and_the_page_flips(
    browser: Browser, mode: str, database: dict[str, str]
) -> None:
    with (
        Shop(ASYNC_MODE=mode, **database) as shop,
        customer(browser) as mai,
        customer(browser) as phone,
    ):
        order = shop.open_order()
        mai.open(order)
        mai.waits_for(connection="live", status="pending")
        mai.page.click('button[value="momo"]')
        mai.waits_for(connection="live", status="pending")
        assert mai.page.locator("img.qr, .qr img").count() >= 1
        before = mai.navigations

        phone.page.goto(f"{shop.url}/sandbox/momo/")
        phone.page.click("a[href*='gateway/pay']")
        phone.page.click('button[value="pay"]')

        mai.waits_for(status="paid", connection="live")
        assert mai.navigations == before, "the page flips in place"
        assert "185,000" in mai.page.inner_text("#payment")
        assert mai.console == []
        assert mai.hosts == {f"127.0.0.1:{shop.server.port}"}
        assert shop.order(order["id"])["status"] == "paid"
        assert "right" in shop.server.flask("ledger", "verify")


def test_a_customer_pays_in_the_same_tab_and_comes_back_to_a_page_that_is_honest(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        mai.open(order)
        mai.page.click('button[value="momo"]')
        mai.waits_for(connection="live")
        mai.page.click("#open")
        mai.page.select_option('[name="late"]', "2")
        came = mai.comes_back('button[value="pay"]')
        assert 'data-status="pending"' in came, "what the browser brings back is not believed"
        mai.waits_for(status="paid")


def test_with_sockets_blocked_the_page_is_right_by_polling(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        mai.block_sockets()
        order = shop.open_order()
        reference = shop.start_momo(order["id"])
        mai.open(order)
        mai.waits_for(connection="polling")
        shop.phone(reference)
        mai.waits_for(5, status="paid")
        assert mai.connection() == "polling"


def test_a_page_that_polled_returns_to_the_socket(browser: Browser) -> None:
    with Shop() as shop, customer(browser) as mai:
        order = shop.open_order()
        mai.open(order)
        mai.waits_for(connection="live")
        shop.server.kill()
        mai.waits_for(20, connection="offline")
        shop.server.start()
        mai.waits_for(20, connection="live")


def test_a_server_killed_between_commit_and_push_costs_nothing(browser: Browser) -> None:
    with Shop() as shop, customer(browser) as mai:
        order = shop.open_order()
        reference = shop.start_momo(order["id"])
        mai.open(order)
        mai.waits_for(connection="live", status="pending")
        # The simulator tries again where nobody answers; here it must not be what saves the page.
        shop.server.terminate()
        shop.server.start("-m", "tests.e2e.dies_before_push")
        mai.waits_for(20, connection="live")
        # The simulator is in the same process, and may die before it has answered.
        with suppress(requests.ConnectionError):
            shop.phone(reference, late=0)
        deadline = time.monotonic() + 20
        while shop.server.running and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not shop.server.running, "it was to die between commit and push"
        assert mai.status() == "pending"
        shop.server.start()
        mai.waits_for(10, status="paid")
        assert "right" in shop.server.flask("ledger", "verify")


def test_without_javascript_the_page_becomes_right_by_itself(browser: Browser, shop: Shop) -> None:
    with customer(browser, java_script_enabled=False) as mai:
        order = shop.open_order()
        mai.open(order)
        mai.page.click('button[value="momo"]')
        reference = shop.order(order["id"])["payment"]["reference"]
        shop.phone(reference)
        mai.waits_for(11, status="paid")


def test_a_declined_payment_says_why_and_can_be_tried_again(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        mai.open(order)
        mai.page.click('button[value="momo"]')
        mai.waits_for(connection="live")
        shop.phone(shop.order(order["id"])["payment"]["reference"], "decline")
        mai.waits_for(status="failed")
        assert "declined" in mai.page.inner_text("#payment")
        mai.page.click('button[value="momo"]')
        mai.waits_for(status="pending", connection="live")
        shop.phone(shop.order(order["id"])["payment"]["reference"])
        mai.waits_for(status="paid")


@pytest.mark.parametrize(
    "switches",
    [
        *map(MORE, ({"twice": True}, {"reorder": True})),
        {"late": 2},
        {"twice": True, "reorder": True},
    ],
    ids=["twice", "out of order", "late", "both"],
)
def test_a_provider_that_misbehaves_ends_right(
    browser: Browser, shop: Shop, switches: dict[str, Any]
) -> None:
    with customer(browser) as mai:
        order = shop.open_order()
        reference = shop.start_momo(order["id"])
        mai.open(order)
        mai.waits_for(connection="live")
        shop.phone(reference, "pay", **switches)
        mai.waits_for(status="paid")
        time.sleep(1)
        assert mai.status() == "paid"
        assert shop.order(order["id"])["amount_paid"] == 185_000


@pytest.mark.parametrize("switch", ["wrong_amount", MORE("forged"), "silent"])
def test_a_provider_that_lies_or_says_nothing_is_asked(
    browser: Browser, shop: Shop, switch: str
) -> None:
    """What it says pays nothing; what it answers does, at once where a lie made us ask."""
    with customer(browser) as mai:
        order = shop.open_order()
        reference = shop.start_momo(order["id"])
        mai.open(order)
        mai.waits_for(connection="live")
        shop.phone(reference, "pay", **{switch: True})
        mai.waits_for(25, status="paid")
        assert shop.order(order["id"])["amount_paid"] == 185_000, "and not what the lie said"


def test_an_order_runs_out_of_time_before_the_customers_eyes(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        mai.open(shop.open_order(expires_in=5))
        mai.waits_for(connection="live", status="pending")
        mai.waits_for(15, status="expired")


def test_two_tabs_flip_at_once_and_a_stranger_sees_nothing(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai, customer(browser) as an, customer(browser) as stranger:
        order, other = shop.open_order(), shop.open_order()
        reference = shop.start_momo(order["id"])
        mai.open(order)
        an.open(order)
        stranger.open(other)
        for one in (mai, an, stranger):
            one.waits_for(connection="live")
        answer = stranger.page.request.get(f"{shop.url}/checkout/{order['id']}")
        assert answer.status == 404
        shop.phone(reference)
        mai.waits_for(status="paid")
        an.waits_for(status="paid")
        assert stranger.status() == "pending"


def test_a_push_is_acknowledged_and_staff_see_that_it_was_seen(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai, customer(browser) as clerk:
        order = shop.open_order()
        reference = shop.start_momo(order["id"])
        mai.open(order)
        mai.waits_for(connection="live")
        sign_in(clerk, shop, "clerk@demo.test")
        clerk.page.goto(f"{shop.url}/staff/")
        clerk.page.wait_for_selector('#today[data-connection="live"]', state="attached")
        shop.phone(reference)
        mai.waits_for(status="paid")
        clerk.page.wait_for_selector(f"#order-{order['id']}:has-text('Shows PAID')", timeout=5000)
        clerk.page.goto(f"{shop.url}/staff/orders/{order['id']}")
        assert "screen shows" in clerk.page.inner_text("main")
