"""A wallet's page in real browsers: every tab of its person flips, and nobody else's does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, StorageState

from tests.e2e.shop import Customer, Shop, customer, sign_in
from tests.e2e.test_payable import mai_id

MAI = "mai@demo.test"
LIVE = '#wallet[data-connection="live"]'


class Mai:
    """The customer in a browser of hers, and what she does elsewhere, as in the shop's own app."""

    def __init__(self, shop: Shop, browser: Customer) -> None:
        self.shop, self.browser = shop, browser

    def call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer = self.browser.context.request.fetch(
            f"{self.shop.url}/api/v1{path}",
            method="GET" if body is None else "POST",
            data=body,
            headers={"Origin": self.shop.url},
        )
        assert answer.ok, f"{answer.status} {answer.text()}"
        found: dict[str, Any] = answer.json()
        return found

    def deposit(self, amount: int = 100_000) -> str:
        made = self.call("/payment/deposit", {"amount": amount, "provider": "momo"})
        return str(made["transactionId"])

    def tops_up(self, amount: int = 100_000) -> str:
        reference = self.deposit(amount)
        self.shop.phone(reference)
        wait_until(lambda: self.completed(reference))
        return reference

    def completed(self, reference: str) -> bool:
        events = self.call("/wallet/events?after=0")["events"]
        return any(
            (one.get("transaction_id"), one["event"]) == (reference, "wallet.deposited")
            for one in events
        )

    def balance(self) -> int:
        found = self.call("/wallet")["balances"]
        return next((int(one["amount"]) for one in found if one["currency"] == "VND"), 0)

    def order(self, amount: int = 30_000) -> dict[str, Any]:
        return self.shop.open_order(amount, customer={"id": mai_id(self.shop)})

    def tab(self, path: str = "/wallet?lang=en") -> Customer:
        """Another tab of the same browser, whose console is listened to."""
        opened = Customer(self.browser.context)
        opened.page.goto(self.shop.url + path)
        return opened


def wait_until(true: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def shows(page: Page, amount: int, seconds: float = 5) -> None:
    """The balance, once it has stopped counting."""
    text = f"₫{amount:,}"
    page.wait_for_function(
        "([text, amount]) => { const one = document.querySelector('#balance-VND');"
        " return one && one.textContent === text && one.dataset.amount === amount; }",
        arg=[text, str(amount)],
        timeout=seconds * 1000,
    )


@pytest.fixture(scope="module")
def signed_in(shop: Shop, browser: Browser) -> StorageState:
    """Her cookies: signing in is limited, and she does it once."""
    with customer(browser) as her:
        sign_in(her, shop, MAI)
        return her.context.storage_state()


@pytest.fixture
def hers(shop: Shop, browser: Browser, signed_in: StorageState) -> Callable[..., Any]:
    """A browser of hers with these options."""

    @contextmanager
    def opened(**options: Any) -> Iterator[Mai]:
        with customer(browser, storage_state=signed_in, **options) as her:
            yield Mai(shop, her)

    return opened


@pytest.fixture
def mai(hers: Callable[..., Any]) -> Iterator[Mai]:
    with hers() as her:
        yield her


def test_two_tabs_flip_on_a_deposit_a_payment_and_a_withdrawal_and_a_strangers_does_not(
    browser: Browser, shop: Shop, mai: Mai
) -> None:
    before = mai.balance()
    first, second = mai.tab(), mai.tab()
    with customer(browser) as stranger:
        sign_in(stranger, shop, "manager@demo.test")
        heard: list[str] = []
        stranger.page.on(
            "websocket", lambda ws: ws.on("framereceived", lambda text: heard.append(str(text)))
        )
        stranger.page.goto(f"{shop.url}/wallet?lang=en")
        tabs = (first, second)
        for one in (*tabs, stranger):
            one.page.wait_for_selector(LIVE, state="attached")
        still = stranger.page.inner_text("#wallet")
        opened = [one.navigations for one in tabs]

        reference = mai.deposit(100_000)
        for one in tabs:
            one.page.wait_for_selector(f'#doing-{reference}[data-status="pending"]')
        shop.phone(reference)
        for one in tabs:
            one.page.wait_for_selector(f'#doing-{reference}[data-status="completed"]')
            shows(one.page, before + 100_000)

        order = mai.order(30_000)
        mai.call(f"/orders/{order['id']}/payments", {"provider": "wallet"})
        for one in tabs:
            shows(one.page, before + 70_000)
            assert "Paid ₫30,000 from your balance" in one.page.inner_text("#wallet")

        elsewhere = mai.tab("/wallet?do=withdraw&currency=VND&lang=en")
        elsewhere.page.fill("#withdraw-amount", "20000")
        elsewhere.page.fill("#withdraw-destination", "0901234567")
        elsewhere.page.click("#send-withdraw")
        for one in tabs:
            shows(one.page, before + 50_000)
            one.page.wait_for_selector('[data-kind="withdrawal"][data-status="pending"]')

        assert [one.navigations for one in tabs] == opened, "they flip in place"
        assert stranger.page.inner_text("#wallet") == still
        assert not any("100000" in text or reference in text for text in heard), heard
        assert any("42[" in text or "43" in text for text in heard), "its socket was open"
        assert [*first.console, *second.console, *stranger.console] == []
        assert first.hosts == {f"127.0.0.1:{shop.server.port}"}
    assert "right" in shop.server.flask("ledger", "verify")


def test_the_balance_counts_up_and_ends_on_the_servers_own_words(hers: Callable[..., Any]) -> None:
    with hers(reduced_motion="no-preference") as mai:
        mai.tops_up(50_000)
        before = mai.balance()
        page = mai.tab().page
        page.wait_for_selector(LIVE, state="attached")
        page.evaluate(
            "() => { window.texts = []; new MutationObserver(() => {"
            " const one = document.querySelector('#balance-VND');"
            " if (one) window.texts.push(one.textContent); })"
            ".observe(document.querySelector('#wallet'), {childList: true, subtree: true}); }"
        )
        mai.tops_up(100_000)
        shows(page, before + 100_000)
        page.wait_for_timeout(1200)
        texts = page.evaluate("() => window.texts")
        seen = [int("".join(filter(str.isdigit, one))) for one in texts]
        assert len(set(seen)) > 3, "it counts"
        assert seen[-1] == before + 100_000
        assert all(before <= one <= before + 100_000 for one in seen)


def test_whoever_wants_no_motion_sees_none(hers: Callable[..., Any]) -> None:
    with hers(reduced_motion="reduce") as mai:
        mai.tops_up(50_000)
        before = mai.balance()
        page = mai.tab().page
        page.wait_for_selector(LIVE, state="attached")
        page.evaluate(
            "() => { window.texts = new Set(); new MutationObserver(() =>"
            " window.texts.add(document.querySelector('#balance-VND').textContent))"
            ".observe(document.querySelector('#wallet'), {childList: true, subtree: true}); }"
        )
        mai.tops_up(100_000)
        shows(page, before + 100_000)
        page.wait_for_timeout(500)
        ends = {f"₫{before:,}", f"₫{before + 100_000:,}"}
        assert set(page.evaluate("() => [...window.texts]")) <= ends


def test_a_change_is_said_once_and_the_figures_never_speak(mai: Mai) -> None:
    page = mai.tab().page
    page.wait_for_selector(LIVE, state="attached")
    page.evaluate(
        "() => { window.said = []; new MutationObserver((changes) => changes.forEach((one) =>"
        " one.addedNodes.forEach((node) => { const near = node.closest ? node : node.parentElement;"
        " if (near.closest('[aria-live]').getAttribute('aria-live') === 'polite')"
        " window.said.push(node.textContent.trim()); })))"
        ".observe(document.querySelector('#wallet'), {childList: true, subtree: true}); }"
    )
    before = mai.balance()
    reference = mai.deposit(100_000)
    page.wait_for_selector(f'#doing-{reference}[data-status="pending"]')
    mai.shop.phone(reference)
    shows(page, before + 100_000)
    page.wait_for_timeout(1000)
    said = [" ".join(one.split()) for one in page.evaluate("() => window.said")]
    assert len(said) == 2, said
    assert said[0].startswith("Waiting for your top-up of ₫100,000. Balance:")
    assert said[1] == f"Topped up with ₫100,000. Balance: ₫{before + 100_000:,}."


def test_with_sockets_blocked_it_is_right_within_five_seconds(hers: Callable[..., Any]) -> None:
    with hers() as mai:
        tab = Customer(mai.browser.context)
        tab.block_sockets()
        tab.page.goto(f"{mai.shop.url}/wallet?lang=en")
        tab.page.wait_for_selector('#wallet[data-connection="polling"]', state="attached")
        before = mai.balance()
        mai.tops_up(100_000)
        shows(tab.page, before + 100_000, seconds=5)


def test_what_somebody_types_stays_while_the_rest_flips(mai: Mai) -> None:
    page = mai.tab("/wallet?do=withdraw&currency=VND&lang=en").page
    mai.tops_up(100_000)
    page.reload()
    page.wait_for_selector(LIVE, state="attached")
    page.fill("#withdraw-amount", "12345")
    page.focus("#withdraw-destination")
    page.keyboard.type("090")
    before = mai.balance()
    mai.tops_up(100_000)
    shows(page, before + 100_000)
    page.keyboard.type("123")
    assert page.input_value("#withdraw-amount") == "12345"
    assert page.input_value("#withdraw-destination") == "090123"


def test_a_top_up_from_the_page_to_the_phone_and_back(shop: Shop, mai: Mai) -> None:
    before = mai.balance()
    watching, tab = mai.tab(), mai.tab("/wallet?currency=VND&lang=en")
    watching.page.wait_for_selector(LIVE, state="attached")
    tab.page.fill("#top-up-amount", "75000")
    tab.page.check('input[value="momo"]')
    tab.page.click("#send-top-up")
    tab.waits_for(connection="live", status="pending")
    reference = tab.page.get_attribute("#payment", "data-order-id")
    assert reference is not None
    assert tab.page.locator(".qr img").count() == 1
    shop.phone(reference)
    tab.waits_for(status="paid")
    assert "Topped up" in tab.page.inner_text("#payment")
    shows(watching.page, before + 75_000)
    tab.page.click("#to-wallet")
    tab.page.wait_for_url("**/wallet*")
    shows(tab.page, before + 75_000)
    assert tab.console == []


def test_an_order_is_paid_from_the_balance_and_its_other_tab_flips(mai: Mai) -> None:
    mai.tops_up(100_000)
    before, order = mai.balance(), mai.order(30_000)
    path = f"/checkout/{order['id']}?lang=en"
    tab, other, wallet = mai.tab(path), mai.tab(path), mai.tab()
    for one in (tab, other):
        one.waits_for(connection="live", status="pending")
    wallet.page.wait_for_selector(LIVE, state="attached")
    tab.page.click("#way-wallet")
    for one in (tab, other):
        one.waits_for(status="paid")
    assert "Balance" in other.page.inner_text("#payment .facts")
    shows(wallet.page, before - 30_000)


def test_a_card_that_is_kept_appears_is_named_and_removed_and_another_tab_follows(
    shop: Shop, mai: Mai
) -> None:
    wallet = mai.tab()
    wallet.page.wait_for_selector(LIVE, state="attached")
    order = shop.open_order(235_000, currency="LKR", customer={"id": mai_id(shop)})
    tab = mai.tab(f"/checkout/{order['id']}?lang=en")
    tab.page.check("#save-payable")
    tab.page.click("#way-payable")
    tab.page.click("#open")
    tab.page.fill('[name="number"]', "5123 4512 3451 2345")
    tab.page.click('button[value="pay"]')
    tab.page.wait_for_url("**/checkout/**")
    tab.waits_for(status="paid")
    wallet.page.wait_for_selector("text=Mastercard ending in 2345", timeout=15_000)
    assert "A card has been saved." in wallet.page.inner_text("#wallet > p")
    tab.page.goto(f"{shop.url}/wallet?lang=en")
    tab.page.get_by_role("link", name="Name: Mastercard ending in 2345").click()
    tab.page.fill("#name-card-nickname:focus", "For the shop")
    tab.page.keyboard.press("Enter")
    named = "text=For the shop ending in 2345"
    tab.page.wait_for_selector(named)
    wallet.page.wait_for_selector(named)
    wallet.page.click('button[form="forget-card"]')
    wallet.page.wait_for_selector(LIVE, state="attached")
    tab.page.wait_for_selector(named, state="detached")
    assert wallet.page.locator('button[form="forget-card"]').count() == 0
    assert wallet.console == []


def test_a_withdrawal_that_staff_settle_and_one_that_comes_back_flip_the_page(
    browser: Browser, mai: Mai
) -> None:
    mai.tops_up(100_000)
    before, shop = mai.balance(), mai.shop
    tab = mai.tab()
    tab.page.wait_for_selector(LIVE, state="attached")
    with customer(browser) as manager:
        sign_in(manager, shop, "manager@demo.test")
        asked = {"currency": "VND", "destination": "0901234567"}
        for amount, verb, body, status, left in (
            (30_000, "settle", {"evidence": f"FT {before}"}, "completed", before - 30_000),
            (40_000, "fail", {"reason": "No such number"}, "failed", before - 30_000),
        ):
            made = mai.call("/payment/withdraw", {"amount": amount, **asked})["transactionId"]
            tab.page.wait_for_selector(f'#doing-{made}[data-status="pending"]')
            answer = manager.context.request.post(
                f"{shop.url}/api/v1/withdrawals/{made}/{verb}",
                data=body,
                headers={"Origin": shop.url},
            )
            assert answer.ok, answer.text()
            tab.page.wait_for_selector(f'#doing-{made}[data-status="{status}"]')
            shows(tab.page, left)


def test_without_javascript_a_deposit_arrives_by_itself(
    shop: Shop, hers: Callable[..., Any]
) -> None:
    with hers(java_script_enabled=False) as mai:
        before = mai.balance()
        page = mai.tab("/wallet?do=top-up&currency=VND&lang=en").page
        page.fill("#top-up-amount", "60000")
        page.click("#send-top-up")
        reference = page.get_attribute("#payment", "data-order-id")
        assert reference is not None
        page.goto(f"{shop.url}/wallet?lang=en")
        assert page.locator(f'#doing-{reference}[data-status="pending"]').count() == 1
        assert not page.is_visible("#top-up-amount"), "a page that looks again holds no form"
        shop.phone(reference)
        page.wait_for_selector(f'#balance-VND[data-amount="{before + 60_000}"]', timeout=11_000)


def test_everything_is_reached_by_keyboard(mai: Mai) -> None:
    mai.tops_up(50_000)
    page = mai.tab("/wallet?do=withdraw&currency=VND&lang=en").page
    page.wait_for_selector(LIVE, state="attached")
    reached: list[str] = []
    for _step in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("() => document.activeElement.id || ''"))
    wanted = [
        *("go-top-up", "go-withdraw", "top-up-amount", "send-top-up"),
        *("withdraw-amount", "withdraw-destination", "send-withdraw", "statement"),
    ]
    assert [one for one in reached if one in wanted][: len(wanted)] == wanted


@pytest.mark.parametrize("language", ["en", "vi", "si"])
def test_it_fits_a_small_phone(hers: Callable[..., Any], language: str) -> None:
    with hers(viewport={"width": 320, "height": 640}) as mai:
        mai.tops_up(40_000_000)
        mai.deposit(50_000)
        page = mai.tab(f"/wallet?do=withdraw&currency=VND&lang={language}").page
        page.wait_for_selector(LIVE, state="attached")
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= 320
        small = page.evaluate(
            "() => [...document.querySelectorAll('main a, main button, main input, summary')]"
            ".map((one) => [one, (one.closest('.tick') || one).getBoundingClientRect()])"
            ".filter(([one, box]) => box.height && box.height < 43.5)"
            ".map(([one]) => one.outerHTML.slice(0, 100))"
        )
        assert small == []
