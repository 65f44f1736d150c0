"""Checkout without a mouse, and what a screen reader is told of it."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, Page

from tests.e2e.shop import Customer, Shop, customer

MOST_TABS = 40

# What would be spoken: new text inside of a region that is live and not off.
LISTEN = """() => {
  window.spoken = [];
  const live = (node) => {
    const element = node.nodeType === 1 ? node : node.parentElement;
    const region = element && element.closest(
      '[aria-live], [role=status], [role=alert], [role=timer]');
    if (!region || region.getAttribute('aria-live') === 'off') return null;
    return region.getAttribute('role') === 'timer' ? null : region;
  };
  new MutationObserver((records) => {
    for (const { type, target, addedNodes } of records) {
      const fresh = type === 'characterData' ? [target] : [...addedNodes];
      for (const node of fresh) {
        const text = node.textContent.trim().replace(/\\s+/g, ' ');
        if (text && live(node)) window.spoken.push(text);
      }
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


# A page that is being left answers no questions; it can still speak.
TELL_LATER = """() => document.addEventListener('submit', () => setTimeout(() => {
  const busy = document.querySelector('[aria-busy="true"]');
  console.log(`${busy && busy.value}: ${window.spoken}`);
}, 1500), { once: true })"""


def tabs_to(page: Page, selector: str) -> None:
    """Presses Tab until it has the focus, which can be seen."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("(it) => document.activeElement.matches(it)", selector):
            outline = "getComputedStyle(document.activeElement).outlineStyle"
            assert page.evaluate(outline) != "none", selector
            return
    raise AssertionError(f"{MOST_TABS} tabs do not lead to {selector}")


def presses(page: Page, selector: str, key: str = "Enter") -> None:
    tabs_to(page, selector)
    page.keyboard.press(key)


def opened(mai: Customer, shop: Shop, **more: Any) -> dict[str, Any]:
    order = shop.open_order(**more)
    mai.open(order)
    mai.waits_for(connection="live")
    return order


def test_a_customer_without_a_mouse_pays_and_prints_the_receipt(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai:
        page = mai.page
        opened(mai, shop, return_url=f"{shop.url}/login")
        page.evaluate("document.activeElement.blur()")
        presses(page, ".skip")
        assert page.evaluate("document.activeElement.id") == "main"
        presses(page, 'button[value="momo"]')
        page.wait_for_selector("#open")
        mai.waits_for(connection="live")
        presses(page, "#open")
        page.wait_for_url("**/sandbox/momo/**")
        presses(page, '[name="twice"]', "Space")
        presses(page, 'button[value="pay"]')
        page.wait_for_url("**/checkout/**")
        mai.waits_for(status="paid", connection="live")
        page.evaluate("window.print = () => { document.title = 'printed'; }")
        presses(page, "#print", "Space")
        assert page.title() == "printed"
        page.reload()
        presses(page, "#back")
        page.wait_for_url("**/login")


def test_a_customer_without_a_mouse_copies_fails_and_tries_again(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser, permissions=["clipboard-read", "clipboard-write"]) as mai:
        page = mai.page
        order = opened(mai, shop)
        presses(page, 'button[value="bank"]')
        page.wait_for_selector(".qr img")
        mai.waits_for(connection="live")
        presses(page, '[data-copy="0011002233445"]')
        page.wait_for_selector("#spoken:has-text('Copied')", state="attached")
        assert page.evaluate("navigator.clipboard.readText()") == "0011002233445"
        presses(page, 'button[value="momo"]')
        page.wait_for_selector("#open")
        mai.waits_for(connection="live")
        tabs_to(page, 'button[value="momo"]')
        shop.phone(shop.order(order["id"])["payment"]["reference"], "decline")
        mai.waits_for(status="failed")
        assert page.evaluate("document.activeElement.value") == "momo", "the focus stays"
        page.keyboard.press("Enter")
        mai.waits_for(status="pending", connection="live")


def test_a_customer_without_a_mouse_says_to_have_paid(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        opened(mai, shop, expires_in=5)
        mai.waits_for(15, status="expired")
        presses(mai.page, "#claim-link")
        mai.page.wait_for_selector("#claim-reference")
        tabs_to(mai.page, "#claim-reference")
        mai.page.keyboard.type("FT26325 88120")
        presses(mai.page, "#claim button")
        mai.page.wait_for_selector("text=Your note has reached the shop")


def test_a_screen_reader_says_a_change_once_and_a_clock_never(browser: Browser, shop: Shop) -> None:
    with customer(browser) as mai:
        order = opened(mai, shop)
        reference = shop.start_momo(order["id"])
        mai.page.wait_for_selector(".qr img")
        mai.page.evaluate(LISTEN)
        clock = mai.page.inner_text("[role=timer]")
        mai.page.wait_for_timeout(2500)
        assert mai.page.inner_text("[role=timer]") != clock, "it runs"
        assert mai.page.evaluate("window.spoken") == []
        shop.phone(reference, twice=True)
        mai.waits_for(status="paid")
        mai.page.wait_for_timeout(1500)
        assert mai.page.evaluate("window.spoken") == ["Paid Thank you. The money has arrived."]


def test_what_takes_long_is_shown_and_said_and_a_second_click_does_nothing(
    browser: Browser, shop: Shop
) -> None:
    with customer(browser) as mai:
        page = mai.page
        order = opened(mai, shop)
        asked: list[str] = []
        page.on("request", lambda it: asked.append(it.url) if it.method == "POST" else None)
        page.evaluate(LISTEN)
        page.evaluate(TELL_LATER)
        shop.server.pause()
        try:
            page.locator('button[value="momo"]').dblclick(no_wait_after=True)
            page.wait_for_timeout(2500)
            assert mai.console == ["momo: One moment, please"]
        finally:
            shop.server.resume()
        page.wait_for_selector(".qr img")
        assert len(asked) == 1
        assert shop.order(order["id"])["version"] == 2, "one attempt"
