"""A customer pays by card on the hosted page, is declined, tries again, pays with one tap."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
import requests
from playwright.sync_api import Browser

from payments.services.demo import PASSWORD
from tests.e2e.shop import MORE, Customer, Shop, customer, sign_in

MAI = "mai@demo.test"
CARD = 'button[name="provider"][value="payable"]'
TAP = 'button[name="token_id"].way'


def mai_id(shop: Shop) -> str:
    """Mai's own id, as her token says."""
    answer = requests.post(
        f"{shop.url}/api/v1/auth/token",
        json={"email": MAI, "password": PASSWORD},
        timeout=20,
    )
    claims = jwt.decode(answer.json()["token"], options={"verify_signature": False})
    return str(claims["sub"])


def tea(shop: Shop, **more: Any) -> dict[str, Any]:
    said = {"currency": "LKR", "description": "Ceylon tea", **more}
    return shop.open_order(235_000, **said)


def to_the_hosted_page(mai: Customer, order: dict[str, Any]) -> None:
    mai.open(order, lang="en")
    mai.waits_for(connection="live", status="pending")
    mai.page.click(CARD)
    mai.waits_for(connection="live", status="pending")
    mai.page.click("#open")
    mai.page.wait_for_url("**/sandbox/payable/ipg/**")


@pytest.mark.parametrize("mode", ["eventlet", pytest.param("threading", marks=pytest.mark.long)])
def test_a_customer_pays_by_card_on_the_hosted_page_and_gets_the_receipt(
    browser: Browser, mode: str
) -> None:
    with Shop(ASYNC_MODE=mode) as shop, customer(browser) as mai:
        order = tea(shop)
        to_the_hosted_page(mai, order)
        mai.page.select_option('[name="late"]', "10")
        came = mai.comes_back('button[value="pay"]')
        assert 'data-status="pending"' in came, "what the browser brings back is not believed"
        assert "Confirming" in came
        mai.waits_for(20, status="paid", connection="live")
        shown = mai.page.inner_text("#payment")
        assert "2,350.00" in shown
        assert "Card" in shown
        assert mai.console == []
        assert mai.hosts == {f"127.0.0.1:{shop.server.port}"}
        assert "right" in shop.server.flask("ledger", "verify")


def test_a_declined_card_is_told_and_another_one_pays(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = tea(shop)
        to_the_hosted_page(mai, order)
        mai.page.fill('[name="number"]', "4000 0000 0000 0002")
        mai.page.click('button[value="pay"]')
        mai.page.wait_for_url("**/checkout/**")
        mai.waits_for(status="failed")
        assert "The card was declined." in mai.page.inner_text("#payment")
        mai.page.click(CARD)
        mai.waits_for(status="pending")
        mai.page.click("#open")
        mai.page.fill('[name="number"]', "4000 0000 0000 3220")
        mai.page.click('button[value="pay"]')
        mai.page.click("text=Yes, pay")
        mai.page.wait_for_url("**/checkout/**")
        mai.waits_for(status="paid")
        assert shop.order(order["id"])["amount_paid"] == 235_000


def test_a_saved_card_pays_with_one_tap_and_is_removed_with_one_press(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai, customer(browser) as stranger:
        sign_in(mai, shop, MAI)
        mine = {"customer": {"id": mai_id(shop)}}
        mai.open(tea(shop, **mine), lang="en")
        mai.waits_for(connection="live")
        mai.page.check("#save-payable")
        mai.page.click(CARD)
        mai.page.click("#open")
        mai.page.fill('[name="number"]', "5123 4512 3451 2345")
        mai.page.click('button[value="pay"]')
        mai.page.wait_for_url("**/checkout/**")
        mai.waits_for(status="paid")

        order = tea(shop, **mine)
        mai.open(order, lang="en")
        mai.waits_for(connection="live")
        assert "Mastercard ending in 2345" in mai.page.inner_text(TAP)
        mai.page.click(TAP)
        mai.waits_for(status="paid")
        assert shop.order(order["id"])["payment"]["provider"] == "payable"

        last = tea(shop, **mine)
        stranger.open(last, lang="en")
        stranger.waits_for(connection="live")
        assert stranger.page.locator(TAP).count() == 0
        mai.open(last, lang="en")
        mai.page.click('button[aria-label^="Remove"]')
        mai.waits_for(connection="live")
        assert mai.page.locator(TAP).count() == 0
        assert mai.console == []


def test_without_javascript_a_card_pays_all_the_same(browser: Browser, shop: Shop) -> None:
    with customer(browser, java_script_enabled=False) as mai:
        order = tea(shop)
        mai.open(order, lang="en")
        mai.page.click(CARD)
        mai.page.click("#open")
        mai.page.click('button[value="pay"]')
        mai.page.wait_for_url("**/checkout/**")
        mai.waits_for(11, status="paid")


@pytest.mark.parametrize(
    "switches",
    [MORE({"twice": True}), {"reorder": True}, {"late": 2}],
    ids=["twice", "out of order", "late"],
)
def test_a_payable_that_misbehaves_ends_right(
    browser: Browser, shop: Shop, switches: dict[str, Any]
) -> None:
    with customer(browser) as mai:
        order, reference = begun(shop, mai)
        decide(shop, reference, **switches)
        mai.waits_for(status="paid")
        time.sleep(1)
        assert mai.status() == "paid"
        assert shop.order(order["id"])["amount_paid"] == 235_000


@pytest.mark.parametrize("switch", ["wrong_amount", MORE("forged"), "silent"])
def test_a_payable_that_lies_or_says_nothing_is_asked(
    browser: Browser, shop: Shop, switch: str
) -> None:
    with customer(browser) as mai:
        _, reference = begun(shop, mai)
        decide(shop, reference, **{switch: True})
        mai.waits_for(25, status="paid")


def begun(shop: Shop, mai: Customer) -> tuple[dict[str, Any], str]:
    """An order whose page is open and whose card payment waits for the hosted page."""
    order = tea(shop)
    path = f"/api/v1/orders/{order['id']}/payments"
    reference = shop.call("POST", path, {"provider": "payable"})["reference"]
    mai.open(order)
    mai.waits_for(connection="live", status="pending")
    return order, str(reference)


def decide(shop: Shop, reference: str, **switches: Any) -> None:
    address = f"{shop.url}/sandbox/payable/payments/{reference}/decide"
    answer = requests.post(address, json={"result": "pay", **switches}, timeout=20)
    assert answer.ok, answer.text
