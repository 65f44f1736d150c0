"""The statement in a browser: on a narrow phone, without JavaScript, as a file, and on paper."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jwt
import pytest
import requests
from playwright.sync_api import Browser, Page

from payments.services.demo import PASSWORD
from tests.e2e.shop import Shop, customer, sign_in
from tests.e2e.test_axe import SMALL, TARGET_PX, faults_of
from tests.frontends.pages import install

PAYMENTS = 24
MAI = "mai@demo.test"


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """Mai has topped up, and has spent it in small parts."""
    with Shop() as running:
        session = requests.Session()
        who = {"email": MAI, "password": PASSWORD}
        signed = session.post(f"{running.url}/api/v1/auth/token", json=who, timeout=20)
        token = signed.json()["token"]
        session.headers["Authorization"] = f"Bearer {token}"

        def call(path: str, body: dict[str, Any]) -> dict[str, Any]:
            answer = session.post(f"{running.url}/api/v1{path}", json=body, timeout=20)
            assert answer.ok, answer.text
            return dict(answer.json())

        deposit = {"amount": 1_000_000, "provider": "momo"}
        transaction = call("/payment/deposit", deposit)["transactionId"]
        running.phone(transaction)
        deadline = time.monotonic() + 10
        while running.order(transaction)["status"] != "paid":
            assert time.monotonic() < deadline, "the pretended MoMo has not called"
        name = "A long list of coffee beans from Buôn Ma Thuột"
        owner = jwt.decode(token, options={"verify_signature": False})["sub"]
        order = running.open_order(500_000, description=name, customer={"id": owner})
        for _ in range(PAYMENTS):
            call(f"/orders/{order['id']}/payments", {"provider": "wallet", "amount": 1_000})
        yield running


def widths(page: Page) -> tuple[int, int]:
    inner: int = page.evaluate("document.documentElement.scrollWidth")
    return inner, int(page.evaluate("document.documentElement.clientWidth"))


PAGES = ("/wallet/statement", "/wallet/statement?from=2020-01-01&kind=x", "/wallet/statement/print")


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_it_is_for_everybodys_eyes_and_hands(
    browser: Browser, shop: Shop, scheme: Literal["light", "dark"]
) -> None:
    install()
    with customer(browser, color_scheme=scheme, viewport={"width": 320, "height": 640}) as mai:
        sign_in(mai, shop, MAI)
        for path in PAGES:
            mai.page.goto(f"{shop.url}{path}")
            assert faults_of(mai.page) == [], path
            assert mai.page.evaluate(SMALL, TARGET_PX) == [], path


@pytest.mark.parametrize("language", ["en", "vi", "si"])
def test_it_fits_a_narrow_phone(browser: Browser, shop: Shop, language: str) -> None:
    with customer(browser, viewport={"width": 320, "height": 640}) as mai:
        sign_in(mai, shop, MAI)
        for path in ("/wallet/statement", "/wallet/statement/print"):
            mai.page.goto(f"{shop.url}{path}?lang={language}")
            assert mai.page.locator("main time").count() >= PAYMENTS + 1
            inner, outer = widths(mai.page)
            assert inner <= outer, path
        assert mai.console == []


def test_it_is_filtered_and_saved_without_javascript(
    browser: Browser, shop: Shop, tmp_path: Path
) -> None:
    with customer(browser, java_script_enabled=False, accept_downloads=True) as mai:
        sign_in(mai, shop, MAI)
        page = mai.page
        page.goto(f"{shop.url}/wallet/statement?lang=en")
        page.select_option("#kind", "deposit")
        page.click("form.asked button")
        page.wait_for_url("**kind=deposit**")
        assert page.locator("tbody time").count() == 1
        assert "+₫1,000,000" in page.inner_text("tbody")
        with page.expect_download() as saved:
            page.click("a[download]")
        assert saved.value.suggested_filename == "statement.csv"
        saved.value.save_as(tmp_path / "statement.csv")
        content = (tmp_path / "statement.csv").read_text(encoding="utf-8-sig")
        assert [line.split(",")[1] for line in content.splitlines()] == ["kind", "deposit"]


def test_on_paper_each_sheet_says_whose_it_is(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        sign_in(mai, shop, MAI)
        page = mai.page
        page.goto(f"{shop.url}/wallet/statement/print?lang=en")
        assert not page.is_visible(".running")
        page.emulate_media(media="print")
        assert page.is_visible(".running")
        display = "getComputedStyle(document.querySelector('thead')).display"
        assert page.evaluate(display) == "table-header-group"
        for gone in (".top form", ".foot", ".actions"):
            assert not page.is_visible(gone), gone
        text = page.inner_text("main")
        assert re.search(r"Balance before\s+₫0", text)
        assert re.search(r"Balance after\s+₫976,000", text)
