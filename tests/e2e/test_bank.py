"""A customer pays by bank transfer: the code on the screen, the app, part of it, the rest."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, Page

from payments.providers.vietqr import Transfer, read_payload
from tests.e2e.codes import SCREENS, codes_in, codes_shown
from tests.e2e.shop import Customer, Shop, customer

PRICE = 420_000


def choose_bank(mai: Customer) -> None:
    mai.waits_for(connection="live")
    mai.page.click('button[value="bank"]')
    mai.waits_for(connection="live")
    mai.page.wait_for_selector(".qr img")


def last_code(shop: Shop, order_id: str) -> str:
    return str(shop.order(order_id)["payment"]["action"]["qr"])


def app_of(mai: Customer) -> Page:
    """The bank's app, opened by the page's own link."""
    with mai.context.expect_page() as opened:
        mai.page.click("#pretended")
    app = opened.value
    app.wait_for_load_state()
    return app


@SCREENS
def test_the_code_on_the_screen_is_the_transfer_we_ask_for(
    browser: Browser, shop: Shop, scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 900}
    with customer(browser, color_scheme=scheme, viewport=viewport) as mai:
        order = shop.open_order(PRICE)
        mai.open(order)
        choose_bank(mai)
        found = codes_shown(mai.page)
        reference = shop.order(order["id"])["payment"]["reference"]
        assert found == [last_code(shop, order["id"])]
        assert read_payload(found[0]) == Transfer("970436", "0011002233445", PRICE, reference)
        assert mai.page.evaluate("document.documentElement.scrollWidth") <= width
        for copied in ("Vietcombank", "0011002233445", "PAYCHIME DEMO SHOP", str(PRICE), reference):
            assert mai.page.locator(f'[data-copy="{copied}"]').is_visible()
        assert mai.console == []


def test_the_code_survives_printing_and_saving(browser: Browser, shop: Shop) -> None:
    with customer(browser, color_scheme="dark") as mai:
        order = shop.open_order(PRICE)
        mai.open(order)
        choose_bank(mai)
        mai.page.emulate_media(media="print")
        assert codes_shown(mai.page) == [last_code(shop, order["id"])]
        mai.page.emulate_media(media="screen")
        with mai.page.expect_download() as saved:
            mai.page.click("#save-qr")
        assert codes_in(saved.value.path().read_bytes()) == [last_code(shop, order["id"])]


def test_a_customer_pays_part_then_the_rest_and_gets_a_receipt(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai:
        order = shop.open_order(PRICE)
        mai.open(order)
        choose_bank(mai)
        before = mai.navigations
        first = last_code(shop, order["id"])

        app = app_of(mai)
        assert parse_qs(urlsplit(app.url).query)["qr"] == [first]
        app.get_by_label("Amount in dong").fill("400000")
        app.get_by_label("The memo arrives").select_option("bank")
        app.get_by_role("button", name="Pay").click()

        mai.waits_for(status="partially_paid")
        assert mai.navigations == before, "the page flips in place"
        assert "20,000" in mai.page.inner_text("#payment .amount")
        choose_bank(mai)
        (rest,) = codes_shown(mai.page)
        assert rest != first
        assert read_payload(rest).amount == 20_000

        app = app_of(mai)
        app.get_by_role("button", name="Pay").click()
        mai.waits_for(status="paid")
        words = mai.page.inner_text("#payment")
        assert "420,000" in words
        assert "VietQR" in words
        assert str(read_payload(rest).memo) in words
        assert mai.page.locator("#print").is_visible()
        assert mai.console == []
        found = shop.order(order["id"])
        assert (found["status"], found["amount_paid"], found["excess"]) == ("paid", PRICE, 0)
        assert "right" in shop.server.flask("ledger", "verify")


def test_a_customer_pays_on_the_page_of_pay2s_and_comes_back(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = shop.open_order(PRICE)
        mai.open(order)
        choose_bank(mai)
        mai.page.click("#open")
        mai.page.wait_for_url("**/sandbox/pay2s/checkout/**")
        assert codes_shown(mai.page) == [last_code(shop, order["id"])]
        mai.page.get_by_role("link", name="Open in the bank app").click()
        assert mai.page.get_by_label("Told by").input_value() == "pay2s-gateway"
        mai.page.get_by_label("Late").select_option("2")
        mai.page.get_by_role("button", name="Pay").click()
        mai.page.get_by_role("link", name="Back to Pay2S's page").click()
        mai.page.get_by_role("link", name="Back to the shop").click()
        mai.page.wait_for_url("**/checkout/**")
        mai.waits_for(status="paid")


def test_without_a_script_the_customer_can_type_everything_by_hand(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser, java_script_enabled=False) as mai:
        order = shop.open_order(PRICE)
        mai.open(order)
        mai.page.click('button[value="bank"]')
        words = mai.page.inner_text("#payment")
        reference = shop.order(order["id"])["payment"]["reference"]
        for typed in ("Vietcombank", "0011002233445", "PAYCHIME DEMO SHOP", "420,000", reference):
            assert typed in words
        app = app_of(mai)
        app.get_by_role("button", name="Pay").click()
        mai.waits_for(12, status="paid")
