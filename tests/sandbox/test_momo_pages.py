"""The pretended MoMo's pages, as a person with a browser meets them."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sandbox import create_sandbox

from .world import KEYS, Json, Merchant, World, result_signature, served

SCRIPT = "<script>alert(1)</script>"


def carried(url: str) -> Json:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def test_the_hosted_page_names_the_shop_the_purpose_and_the_amount(world: World) -> None:
    world.create(storeName="Salon Mai")
    page = world.get(world.page()).text
    for words in ("Salon Mai", "Thanh toán đơn hàng DH1042", "250,000 ₫", "TEST", "Decline"):
        assert words in page


def test_a_link_with_a_wrong_seal_is_not_found(world: World) -> None:
    world.create()
    good = world.page()
    altered = good[:-1] + ("0" if good[-1] != "0" else "1")
    for path in (altered, good.replace("?t=", "?t=A"), "/momo/v2/gateway/pay", f"{good}é"):
        assert world.get(path).status_code == 404


def test_who_pays_by_form_returns_to_the_shop_with_the_signed_result(world: World) -> None:
    world.create()
    answer = world.post("/momo/payments/DH1042/decide", data={"result": "pay", "late": "0"})
    assert answer.status_code == 303
    back = carried(answer.headers["Location"])
    assert answer.headers["Location"].startswith(f"{world.merchant.url}/return?shop=1&")
    assert (back["shop"], back["resultCode"], back["payType"]) == ("1", "0", "web")
    world.settled()
    (told,) = world.merchant.heard
    assert {name: str(value) for name, value in told.items()} == {
        name: value for name, value in back.items() if name != "shop"
    }
    assert back["signature"] == result_signature(back)


def test_what_the_browser_carries_stays_true_while_the_notice_lies(world: World) -> None:
    world.create()
    switches = {"result": "pay", "wrong_amount": "1", "forged": "1"}
    answer = world.post("/momo/payments/DH1042/decide", data=switches)
    back = carried(answer.headers["Location"])
    assert (back["amount"], back["signature"]) == ("250000", result_signature(back))


def test_who_leaves_returns_to_the_shop_with_nothing(world: World) -> None:
    world.create()
    answer = world.post("/momo/payments/DH1042/decide", data={"result": "leave"})
    assert answer.headers["Location"] == f"{world.merchant.url}/return?shop=1"
    assert "You left this payment before" in world.get(world.page()).text


def test_a_second_click_returns_to_the_shop_too_and_tells_nothing_twice(world: World) -> None:
    world.create()
    first, second = (
        world.post("/momo/payments/DH1042/decide", data={"result": "pay"}) for _ in range(2)
    )
    assert first.headers["Location"] == second.headers["Location"]
    declined = world.post("/momo/payments/DH1042/decide", data={"result": "decline"})
    assert "/momo/v2/gateway/pay?" in declined.headers["Location"]
    world.settled()
    assert len(world.merchant.heard) == 1


def test_after_the_decision_the_page_shows_what_was_sent(world: World) -> None:
    world.create()
    world.merchant.answers = [204, 401]
    world.decide("pay", twice=True)
    world.settled()
    page = world.get(world.page()).text
    for words in ("Paid to", "the same again", "401", "204", "resultCode"):
        assert words in page


def test_the_phone_lists_payments_with_their_notices_and_looks_again(world: World) -> None:
    world.create("DH1", orderInfo="first")
    world.create("DH2", orderInfo="second")
    world.merchant.answers = [503] * 5
    world.decide("decline", "DH2")
    world.settled("DH2")
    moving, still = world.get("/momo/"), world.get("/momo/?still=1")
    assert moving.headers["Refresh"] == "3"
    assert "Refresh" not in still.headers
    assert moving.text.index("second") < moving.text.index("first")
    for words in ("Waiting", "Declined", "503", "5 tries", "Send again"):
        assert words in moving.text


def test_what_others_wrote_is_shown_as_text(world: World) -> None:
    world.create(orderInfo=SCRIPT, storeName=SCRIPT)
    world.decide("pay")
    world.settled()
    for path in ("/momo/", world.page()):
        page = world.get(path).text
        assert SCRIPT not in page
        assert "&lt;script&gt;" in page


@pytest.mark.parametrize("path", ["/", "/momo/", "/momo/?still", "/nowhere", "/static/sandbox.css"])
def test_no_page_may_run_a_script_or_be_framed_by_strangers(world: World, path: str) -> None:
    headers = world.get(path, headers={"Accept": "text/html"}).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'; script-src 'none'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.fixture
def mounted() -> Iterator[World]:
    """Below /sandbox, as the application mounts it; the merchant is another host to the browser."""
    merchant = Merchant()
    outer = Flask("outer")
    with served(merchant.app()) as merchant.url, served(outer) as url:
        app = create_sandbox(f"{url}/sandbox", None, [KEYS])
        outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/sandbox": app})  # type: ignore[method-assign]
        yield World(app, f"{url}/sandbox", merchant)


def test_a_browser_without_scripts_pays_and_lands_at_the_shop(
    mounted: World, browser: Browser
) -> None:
    link = mounted.create()["payUrl"]
    page = browser.new_context(java_script_enabled=False).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(link)
    page.get_by_label("Twice").check()
    page.get_by_role("button", name="Pay 250,000 ₫").click()
    page.wait_for_url(f"{mounted.merchant.url}/return?**")
    mounted.settled()
    assert len(mounted.merchant.heard) == 2
    assert said == []


def test_in_the_app_one_stays_in_the_app(mounted: World, browser: Browser) -> None:
    mounted.create()
    page = browser.new_page()
    page.goto(f"{mounted.url}/momo/")
    page.get_by_role("link", name="Open payment DH1042").click()
    page.get_by_role("button", name="Decline").click()
    page.get_by_text("Declined for").wait_for()
    assert page.url.startswith(f"{mounted.url}/momo/")
    mounted.settled()
    page.goto(f"{mounted.url}/momo/?still=1")
    page.get_by_role("button", name="Send again").click()
    page.wait_for_url(f"{mounted.url}/momo/")
    mounted.settled()
    assert [one["resultCode"] for one in mounted.merchant.heard] == [1006, 1006]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_phone_needs_no_sideways_scrolling(
    mounted: World, browser: Browser, scheme: str
) -> None:
    words = {"orderInfo": "l" * 255, "storeName": "s" * 255}
    links = [mounted.create(letter * 200, requestId=letter, **words)["payUrl"] for letter in "DE"]
    mounted.decide("pay", "E" * 200)
    mounted.settled("E" * 200)
    context = browser.new_context(
        viewport={"width": 320, "height": 568},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    for link in (*links, f"{mounted.url}/momo/?still=1", f"{mounted.url}/"):
        page.goto(link)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        sizes = "[...document.querySelectorAll('a, button, select, summary, label')]"
        assert page.evaluate(f"Math.min(...{sizes}.map(e => e.offsetHeight))") >= 44
