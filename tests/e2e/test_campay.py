"""A customer in Douala pays by a prompt on the phone, whatever CamPay does meanwhile."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from tests.e2e.shop import MORE, Customer, Shop, customer

PRICE = 4_500


def mangoes(shop: Shop) -> dict[str, Any]:
    return shop.open_order(PRICE, currency="XAF", description="Mangoes, 5 kg")


def chooses(mai: Customer, phone: str) -> None:
    mai.page.fill('[name="phone"]', phone)
    mai.page.click('button[value="campay"]')


def answers(shop: Shop, order: dict[str, Any], result: str = "pay", **switches: Any) -> None:
    """The payer decides on the simulated phone; `switches` make CamPay misbehave."""
    reference = shop.order(order["id"])["payment"]["provider_transaction_id"]
    answer = requests.post(
        f"{shop.url}/sandbox/campay/transactions/{reference}/decide",
        json={"result": result, **switches},
        timeout=20,
    )
    assert answer.ok, answer.text


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_a_customer_pays_by_the_prompt_and_the_page_flips(
    browser: Browser, shop: Shop, scheme: str
) -> None:
    small: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "color_scheme": scheme}
    with customer(browser, **small) as mai, customer(browser, **small) as phone:
        order = mangoes(shop)
        mai.open(order)
        mai.waits_for(connection="live", status="pending")
        chooses(mai, "+237 677 12 34 56")
        mai.waits_for(connection="live", status="pending")
        assert mai.page.inner_text("#number") == "6 77 12 34 56"
        assert mai.page.get_attribute("#dial", "href") == "tel:%2A126%23"
        assert mai.page.evaluate("document.documentElement.scrollWidth") <= 320
        before = mai.navigations

        phone.page.goto(f"{shop.url}/sandbox/campay/?still=1")
        phone.page.click("a.main-action")
        assert "4,500 FCFA" in phone.page.inner_text("main")
        phone.page.click('button[value="pay"]')

        mai.waits_for(status="paid", connection="live")
        assert mai.navigations == before, "the page flips in place"
        assert "4,500" in mai.page.inner_text("#payment")
        assert mai.console == []
        assert mai.hosts == {f"127.0.0.1:{shop.server.port}"}
        assert shop.order(order["id"])["status"] == "paid"
        assert "right" in shop.server.flask("ledger", "verify")


def test_without_javascript_the_form_works_and_says_what_is_wrong(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser, java_script_enabled=False) as mai:
        order = mangoes(shop)
        mai.open(order)
        chooses(mai, "+33 6 12 34 56 78")
        assert mai.page.input_value('[name="phone"]') == "+33 6 12 34 56 78"
        assert "Cameroon" in mai.page.inner_text("#campay-phone-error")
        chooses(mai, "699 12 34 56")
        assert mai.page.inner_text("#number") == "6 99 12 34 56"
        assert "#150*50#" in mai.page.inner_text("#dial")
        answers(shop, order)
        mai.waits_for(12, status="paid")


def test_a_declined_prompt_says_why_and_can_be_sent_again(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = mangoes(shop)
        mai.open(order)
        chooses(mai, "677123456")
        mai.waits_for(connection="live")
        answers(shop, order, "no_money")
        mai.waits_for(status="failed")
        assert "not enough money" in mai.page.inner_text("#payment")
        chooses(mai, "677123457")
        mai.waits_for(status="pending", connection="live")
        answers(shop, order)
        mai.waits_for(status="paid")


@pytest.mark.parametrize(
    "switches",
    [
        *({"reorder": True}, {"late": 2}, {"lying": True}, {"wrong_amount": True}),
        *({"silent": True}, *map(MORE, ({"twice": True}, {"by_get": True}, {"forged": True}))),
    ],
    ids=lambda switches: next(iter(switches)),
)
def test_however_campay_calls_the_page_becomes_right(
    browser: Browser, shop: Shop, switches: dict[str, Any]
) -> None:
    with customer(browser) as mai:
        order = mangoes(shop)
        mai.open(order)
        chooses(mai, "677123456")
        mai.waits_for(connection="live")
        answers(shop, order, **switches)
        mai.waits_for(25, status="paid")
        time.sleep(1)
        assert mai.status() == "paid"
        found = shop.order(order["id"])
        assert (found["amount_paid"], found["excess"]) == (PRICE, 0)


def test_money_goes_back_to_the_payers_number(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = mangoes(shop)
        mai.open(order)
        chooses(mai, "677123456")
        mai.waits_for(connection="live")
        answers(shop, order)
        mai.waits_for(status="paid")
        path = f"/api/v1/orders/{order['id']}/refunds"
        made = shop.call("POST", path, {"reason": "They were bruised"})["data"]
        assert [one["status"] for one in made] == ["requested"]
        mai.waits_for(15, status="refunded")
        assert "right" in shop.server.flask("ledger", "verify")
