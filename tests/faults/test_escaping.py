"""Row 25: script and SQL wherever somebody may write a text, on pages and in what is pushed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import BrowserContext
from playwright.sync_api import Page as Tab

from payments.store import inbox
from tests import feeds
from tests.e2e.browser import chromium
from tests.faults.conftest import OpenShop
from tests.faults.harness import AMOUNT, KINDS, Shop
from tests.faults.report import Outcome
from tests.faults.test_staff import Desk
from tests.outside import SQL, Page
from tests.people import PASSWORD

SCRIPT = "<script>window.hit=1</script>\"'><img src=x onerror=window.hit=1>"
TEXTS = (SCRIPT, SQL, "{{7*7}}${7*7}", "javascript:window.hit=1", "‮gnp.exe", "%s%n%(x)s")
BANK = feeds.SETTINGS
LEADS = {"href", "src", "action", "formaction", "data", "srcdoc", "content"}
ANSWERS = {303, 400, 409, 422}
"""Taken, or refused in words: some of these texts are no reason and no evidence."""


def hostile_order(shop: Shop, text: str) -> dict[str, Any]:
    """An order with this text wherever a shop may write one."""
    asked = {
        "amount": AMOUNT,
        "currency": "VND",
        "description": text,
        "customer": {"id": text[:64], "name": text, "email": text},
        "salon_id": text[:64],
        "metadata": {text: text},
    }
    return shop.call("POST", "/api/v1/orders", asked)


def hostile_line(shop: Shop, text: str, number: int) -> None:
    """Money by bank with this for a memo: nobody knows whose it is."""
    told = feeds.pay2s(feeds.Transfer(text, 1_000 + number, number, f"{text[:40]}{number}"))
    said = requests.post(
        f"{shop.servers[0].url}/callbacks/pay2s", data=told.body, headers=told.headers, timeout=20
    )
    assert said.status_code == 200, said.text


def do_everything(shop: Shop, desk: Desk, text: str, order_id: str) -> None:
    """Reason, evidence, note and search, each with this text in it."""
    path = f"/staff/orders/{order_id}"
    words = {"reason": text, "evidence": f"{text[:60]} {order_id}"}
    assert desk.post(f"{path}/confirm", {"amount": "100", **words}).status_code in ANSWERS
    refund = {"amount": "1", "reason": text}
    assert desk.post(f"{path}/refund", refund).status_code in ANSWERS
    # What is wrong comes back in its form.
    again = desk.post(f"{path}/confirm", {"amount": text, **words})
    assert again.status_code in ANSWERS - {303}
    check_page(again.text, again.headers["Content-Security-Policy"])
    assert desk.post(f"{path}/cancel", {"reason": text}).status_code in ANSWERS


def runs(page: Page) -> Iterator[str]:
    """What would run: a text in a field or a copy button is only shown."""
    for one in page.inline():
        name = one.split("=")[0].split(" ")[-1]
        if name in LEADS or name.startswith("on") or name in {"script", "style"}:
            yield one


def check_page(html: str, policy: str) -> Page:
    page = Page(html)
    assert list(runs(page)) == []
    assert not [one for one in page.all("img") if one.get("onerror") or one.get("src") == "x"]
    allowed = dict(part.strip().partition(" ")[::2] for part in policy.split(";") if part.strip())
    scripts = allowed.get("script-src", allowed["default-src"])
    assert "unsafe" not in scripts
    assert "*" not in scripts
    assert "data:" not in scripts
    return page


def pages_of(shop: Shop, order_ids: list[str]) -> list[str]:
    entries = shop.books.read(lambda: [one.id for one in inbox.unresolved()])
    return [
        *("/staff/", "/staff/orders", "/staff/parked", "/staff/unmatched", "/wallet"),
        *(f"/staff/callbacks/{entry}" for entry in entries),
        *(f"/staff/unmatched/{entry}" for entry in entries),
        *(f"/staff/orders/{one}{part}" for one in order_ids for part in ("", "/fragment", "/show")),
        *(f"/checkout/{one}" for one in order_ids),
        *(f"/staff/orders?search={quote(text)}" for text in TEXTS),
    ]


@pytest.mark.fault(25)
@pytest.mark.parametrize("kind", KINDS)
def test_what_anybody_wrote_stands_on_a_page_as_text(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind, **BANK)
    desk = Desk(shop, "manager")
    order_ids = []
    for number, text in enumerate(TEXTS, 1):
        order_ids.append(hostile_order(shop, text)["id"])
        hostile_line(shop, text, number)
        do_everything(shop, desk, text, order_ids[-1])
    looked, shown = 0, set()
    for path in pages_of(shop, order_ids):
        said = desk.browser.get(desk.url + path, timeout=20)
        assert said.status_code in {200, 404}, (path, said.status_code)
        if said.headers["Content-Type"].startswith("text/html"):
            page = check_page(said.text, said.headers["Content-Security-Policy"])
            seen = page.text + " ".join(one.get("value") or "" for one in page.elements)
            shown |= {text for text in TEXTS if text in seen}
            assert "49$49" not in seen, "a template was run"
            looked += 1
    desk.browser.close()
    assert shown == set(TEXTS), "the test means something only where they are shown"
    assert "Traceback" not in "".join(one.log() for one in shop.servers)
    assert shop.books.read(lambda: [one.id for one in inbox.unresolved()]), "the tables are there"
    figures.note(f"{len(TEXTS)} texts on {looked} pages: none runs, no inline script is allowed")


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    with chromium() as browser:
        opened = browser.new_context()
        yield opened
        opened.close()


def watched(context: BrowserContext, said: list[str]) -> Tab:
    tab = context.new_page()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("dialog", lambda dialog: said.append(dialog.message))
    return tab


@pytest.mark.fault(25)
@pytest.mark.parametrize("kind", ["sqlite"])
def test_what_anybody_wrote_is_pushed_as_text(
    open_shop: OpenShop, kind: str, context: BrowserContext, figures: Outcome
) -> None:
    """In a real browser: the customer's page and staff's flip while they are open."""
    shop = open_shop(kind, **BANK)
    desk = Desk(shop, "clerk")
    order = hostile_order(shop, SCRIPT)
    said: list[str] = []
    customer, clerk = watched(context, said), watched(context, said)
    customer.goto(order["checkout_url"])
    clerk.goto(f"{desk.url}/login")
    clerk.fill('[name="email"]', "clerk0@people.test")
    clerk.fill('[name="password"]', PASSWORD)
    clerk.click("main button")
    clerk.wait_for_url(lambda url: "/login" not in url)
    clerk.goto(f"{desk.url}/staff/orders/{order['id']}")
    customer.wait_for_selector('#payment[data-connection="live"]', timeout=10_000)
    paid = {"amount": str(AMOUNT), "reason": SCRIPT, "evidence": SCRIPT}
    assert desk.post(f"/staff/orders/{order['id']}/confirm", paid).status_code == 303
    desk.browser.close()
    customer.wait_for_selector('#payment[data-status="paid"]', timeout=10_000)
    clerk.wait_for_function(
        "words => document.body.innerText.includes(words)", arg=SCRIPT[:28], timeout=10_000
    )
    time.sleep(0.5)
    for tab in (customer, clerk):
        assert tab.evaluate("window.hit") is None
        assert tab.evaluate("document.querySelectorAll('img[src=x]').length") == 0
        assert SCRIPT[:28] in tab.inner_text("body")
    assert said == [], said
    body = json.dumps(shop.call("GET", f"/api/v1/orders/{order['id']}"))
    assert json.dumps(SCRIPT)[1:-1] in body, "the API tells it as it was written"
    figures.note("Chromium: two open pages flipped, nothing ran, the console is silent")
