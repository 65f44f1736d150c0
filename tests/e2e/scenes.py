"""Every page in every state that it can show, brought about in a shop that runs.

What must be true of all of them goes through this list (test_axe.py), and so do their pictures.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jwt
import requests
from playwright.sync_api import Browser, Page

from payments.services.demo import PASSWORD
from tests.e2e.shop import Customer, Shop, sign_in

Json = dict[str, Any]

PAYER, MANAGER, ADMIN, MAI, NOBODY = "payer", "manager", "clerk", "mai", "nobody"
RETURN = {"return_url": "https://shop.example/thanks"}


@dataclass(frozen=True)
class Scene:
    """`who` opens `path` and then does `deed` there; the page then says `shows`."""

    name: str
    who: str
    path: str
    shows: str
    deed: Callable[[Page], None] | None = None


CHECKOUTS = {
    "choose": "Choose how to pay",
    "momo": "Waiting for your payment",
    "bank": "PAYCHIME DEMO SHOP",
    "campay": "A request has been sent to",
    "upi": "Scan this code with any UPI app",
    "card": "Pay with PAYable",
    "failed": "The payment did not go through",
    "partly": "still",
    "overpaid": "too much",
    "paid": "The money has arrived",
    "refunded": "was sent back to you",
    "partly-refunded": "of your payment was sent back",
    "cancelled": "This order was cancelled",
    "expired": "The time to pay has run out",
}


class Stage:
    """A shop with an order in every state, and a browser for each of its people."""

    def __init__(self, shop: Shop, browser: Browser, database: Path) -> None:
        self.shop = shop
        self._browser = browser
        self._database = database
        self._people: dict[str, Customer] = {}
        self._manager = self._token("manager@demo.test")
        self._mai = self._token("mai@demo.test")
        self.orders: dict[str, Json] = {}
        self._listen()
        self._make_orders()
        self._lose_money()

    # ---- What has happened in the shop ----

    def _token(self, email: str) -> str:
        login = {"email": email, "password": PASSWORD}
        answer = requests.post(f"{self.shop.url}/api/v1/auth/token", json=login, timeout=20)
        return str(answer.json()["token"])

    def _call(self, token: str, path: str, body: Json) -> Json:
        answer = requests.post(
            f"{self.shop.url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        found: Json = answer.json()
        return found

    def _order(self, name: str, amount: int = 185_000, **more: Any) -> str:
        self.orders[name] = self.shop.open_order(amount, **{**RETURN, **more})
        return str(self.orders[name]["id"])

    def _begin(self, order_id: str, provider: str, **more: Any) -> Json:
        path = f"/api/v1/orders/{order_id}/payments"
        return self.shop.call("POST", path, {"provider": provider, **more})

    def _pretend(self, path: str, **said: Any) -> None:
        answer = requests.post(f"{self.shop.url}/sandbox/{path}", json=said, timeout=20)
        assert answer.ok, answer.text

    def _confirm(self, order_id: str, amount: int, evidence: str) -> None:
        seen = {"amount": amount, "reason": "Seen in the account", "evidence": evidence}
        self._call(self._manager, f"/orders/{order_id}/confirm", seen)

    def _waits(self, order_id: str, display: str) -> None:
        deadline = time.monotonic() + 20
        while self.shop.order(order_id)["display"] != display:
            assert time.monotonic() < deadline, (display, self.shop.order(order_id))
            time.sleep(0.05)

    def _paid(self, name: str, **more: Any) -> str:
        order = self._order(name, **more)
        self.shop.phone(self.shop.start_momo(order))
        self._waits(order, "paid")
        return order

    def _listen(self) -> None:
        """A system of the shop's that is away, and an administrator who sees that."""
        hook = {"url": "http://127.0.0.1:9/orders", "events": ["order.paid"]}
        self.shop.call("POST", "/api/v1/webhook-endpoints", hook)
        with closing(sqlite3.connect(self._database)) as records, records:
            records.execute(
                "UPDATE users SET role = 'admin' WHERE email = ?", (f"{ADMIN}@demo.test",)
            )

    def _make_orders(self) -> None:
        expired = self._order("expired", expires_in=5)
        self._order("claimed", expires_in=5)
        self._order("choose")
        self._begin(self._order("momo"), "momo")
        self._begin(self._order("bank", 420_000, description="Silk scarf"), "bank")
        mangoes = self._order("campay", 4_500, currency="XAF", description="Mangoes, 5 kg")
        self._begin(mangoes, "campay", phone="677123456")
        spices = self._order("upi", 649_00, currency="INR", description="Box of spices")
        self._begin(spices, "upi")
        tea = self._order("card", 2_350_00, currency="LKR", description="Ceylon tea, 400 g")
        self._begin(tea, "payable")
        self.shop.phone(self.shop.start_momo(self._order("failed")), "decline")
        self._confirm(self._order("partly"), 80_000, "receipt 1")
        self._pay_too_much(self._order("overpaid", description="Silk scarf"))
        self._paid("paid")
        back = self._paid("refunded")
        self.shop.call("POST", f"/api/v1/orders/{back}/refunds", {"reason": "Sent back"})
        some = {"reason": "One bag was torn", "amount": 50_000}
        part = self._paid("partly-refunded")
        self.shop.call("POST", f"/api/v1/orders/{part}/refunds", some)
        self.shop.call("POST", f"/api/v1/orders/{self._order('cancelled')}/cancel", {})
        self._confirm(self._order("held", 900_000, description="Tea set"), 900_000, "receipt 2")
        self._keep_card()
        self._fill_wallet()
        self._waits(back, "refunded")
        self._waits(part, "partially_refunded")
        self._waits(expired, "expired")
        old = self._paid("old")
        with closing(sqlite3.connect(self._database)) as records, records:
            records.execute(
                "UPDATE orders SET ended_at = '2020-01-01 00:00:00.000000' WHERE id = ?", (old,)
            )

    def _pay_too_much(self, order_id: str) -> None:
        code = self._begin(order_id, "bank")["action"]["qr"]
        self._pretend("bank/payments", qr=code, amount=200_000)
        self._waits(order_id, "paid")

    def _keep_card(self) -> None:
        """Mai has paid by card once and had it kept."""
        tea: Json = {"currency": "LKR", "description": "Ceylon tea, 400 g"}
        tea["customer"] = {"id": self._who(self._mai)}
        first = self._order("first card", 2_350_00, **tea)
        kept = {"provider": "payable", "save_card": True}
        made = self._call(self._mai, f"/orders/{first}/payments", kept)
        self._pretend(f"payable/payments/{made['reference']}/decide", result="pay")
        self._waits(first, "paid")
        self._order("saved-card", 2_350_00, **tea)

    def _fill_wallet(self) -> None:
        """Mai has topped up, has taken some of it out, and is topping up once more."""
        topping_up = {"amount": 300_000, "currency": "VND", "provider": "momo"}
        begun = self._call(self._mai, "/payment/deposit", topping_up)
        self.shop.phone(begun["transactionId"])
        deadline = time.monotonic() + 20
        while not self._balances():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        taken = {"amount": 120_000, "currency": "VND", "destination": "VCB 0011 2233 44"}
        self._call(self._mai, "/payment/withdraw", taken)
        begun = self._call(self._mai, "/payment/deposit", {**topping_up, "amount": 50_000})
        self.deposit = begun["transactionId"]
        self._order("balance", 150_000, customer={"id": self._who(self._mai)})

    def _balances(self) -> list[Json]:
        mine = {"Authorization": f"Bearer {self._mai}"}
        told = requests.get(f"{self.shop.url}/api/v1/wallet", headers=mine, timeout=20).json()
        return [one for one in told["balances"] if one["amount"]]

    def _who(self, token: str) -> str:
        return str(jwt.decode(token, options={"verify_signature": False})["sub"])

    def _lose_money(self) -> None:
        """A transfer that names no order, and a callback that fits none."""
        code = self.shop.order(self.orders["bank"]["id"])["payment"]["action"]["qr"]
        self._pretend("bank/payments", qr=code, amount=185_000, memo="tien ca phe")
        lie = self._order("lied to")
        self.shop.phone(self.shop.start_momo(lie), wrong_amount=True)

    # ---- Who looks ----

    def person(self, who: str) -> Customer:
        """This person's browser, with one page."""
        if who not in self._people:
            self._people[who] = person = Customer(
                self._browser.new_context(locale="en-GB", reduced_motion="reduce")
            )
            if who == PAYER:
                for order in self.orders.values():
                    person.open(order)
            elif who in {MANAGER, ADMIN, MAI}:
                sign_in(person, self.shop, f"{who}@demo.test")
        return self._people[who]

    def open(self, scene: Scene) -> Page:
        page = self.person(scene.who).page
        page.goto(self.shop.url + scene.path)
        if scene.deed:
            scene.deed(page)
        page.locator(f"body:has-text({json.dumps(scene.shows)})").wait_for(timeout=10_000)
        page.wait_for_load_state()  # the style comes after the words
        return page

    def close(self) -> None:
        for person in self._people.values():
            person.context.close()

    # ---- What there is to see ----

    def scenes(self) -> Iterator[Scene]:
        yield from self._checkout()
        yield from self._staff()
        yield from self._wallet()
        yield from self._others()
        yield from self._phones()
        yield from self._errors()

    def _checkout(self) -> Iterator[Scene]:
        def of(name: str, query: str = "") -> str:
            return f"/checkout/{self.orders[name]['id']}{query}"

        for state, words in CHECKOUTS.items():
            yield Scene(f"checkout-{state}", PAYER, of(state), words)
        yield Scene("checkout-saved-card", MAI, of("saved-card", "?lang=en"), "ending in 1111")
        confirming = of("momo", "?returned=1")
        yield Scene("checkout-confirming", PAYER, confirming, "Confirming your payment")
        yield Scene("checkout-claim", PAYER, of("expired", "?claim=1"), "Send to the shop")
        claimed = of("claimed", "?claim=1")
        yield Scene("checkout-claimed", PAYER, claimed, "Your note has reached the shop", _claim)
        yield Scene("checkout-wrong-number", PAYER, of("campay"), "nine digits", _mistype)

    def _staff(self) -> Iterator[Scene]:
        for state, words in (
            *(("paid", "Shows PAID"), ("partly-refunded", "One bag was torn")),
            *(("held", "another person has to approve"), ("claimed", "FT26325 88120")),
        ):
            yield Scene(f"staff-order-{state}", MANAGER, self._at_staff(state), words)
        partly = self._at_staff("partly")
        yield Scene("staff-order-form", MANAGER, partly, "Books the amount", _open_a_form)
        yield Scene("staff-today", MANAGER, "/staff/?lang=en", "Waiting for a second person")
        yield Scene("staff-today-empty", MANAGER, "/staff/?q=no+such+name", "No orders here yet")
        yield Scene("staff-show", MANAGER, f"{self._at_staff('choose')}/show", "Scan to pay")
        yield Scene("staff-new", MANAGER, "/staff/new", "Make the order")
        yield Scene("staff-new-refused", MANAGER, "/staff/new", "in digits", _order_for_nothing)
        yield Scene("staff-unmatched", MANAGER, "/staff/unmatched", "tien ca phe")
        yield Scene("staff-withdrawals", MANAGER, "/staff/withdrawals", "To send by hand")
        yield Scene("staff-hooks", ADMIN, "/staff/hooks", "127.0.0.1:9")
        yield Scene("staff-parked", MANAGER, "/staff/parked", "Another amount than asked for")
        yield Scene("staff-callback", MANAGER, "/staff/parked", "Verdict", _open_a_callback)

    def _at_staff(self, name: str) -> str:
        return f"/staff/orders/{self.orders[name]['id']}"

    def _wallet(self) -> Iterator[Scene]:
        yield Scene("wallet", MAI, "/wallet?lang=en", "180,000")
        yield Scene("wallet-empty", MANAGER, "/wallet?lang=en", "Top up")
        taking_out = "/wallet?do=withdraw&lang=en"
        yield Scene("wallet-withdraw", MAI, taking_out, "leaves your balance at once")
        yield Scene("wallet-refused", MAI, taking_out, "Your balance is only", _take_too_much)
        yield Scene("wallet-name-card", MAI, "/wallet?lang=en", "Do not type", _name_a_card)
        yield Scene("wallet-statement", MAI, "/wallet/statement?lang=en", "Top-up")
        yield Scene("wallet-sheet", MAI, "/wallet/statement/print?lang=en", "Balance before")
        yield Scene("checkout-top-up", MAI, f"/checkout/{self.deposit}?lang=en", "Waiting for")
        order = self.orders["balance"]["id"]
        yield Scene("checkout-balance", MAI, f"/checkout/{order}?lang=en", "Pay from your balance")

    def _others(self) -> Iterator[Scene]:
        yield Scene("home", NOBODY, "/", "Demo shop")
        yield Scene("login", NOBODY, "/login", "Password")
        yield Scene("login-refused", NOBODY, "/login", "is wrong", _sign_in_wrongly)
        yield Scene("api-docs", NOBODY, "/api/docs", "OpenAPI 3.1")
        yield Scene("sockets-test", NOBODY, "/websocket-test.html", "Vocabulary")
        yield Scene("payment-test", NOBODY, "/payment-test", "Start the payment")
        yield Scene("three-screens-choice", MANAGER, "/three-screens", "side by side")
        yield Scene("three-screens", MANAGER, "/three-screens", "The provider's phone", _buy)

    def _phones(self) -> Iterator[Scene]:
        yield Scene("phones", NOBODY, "/sandbox/", "Open one to hold its phone")
        for name, path in (
            *(("momo", "momo"), ("campay", "campay")),
            *(("card", "payable"), ("upi", "razorpay")),
        ):
            yield Scene(
                f"phone-{name}", NOBODY, f"/sandbox/{path}/?still=1", "Twice", _open_the_first
            )
        scarf = f"/checkout/{self.orders['bank']['id']}"
        yield Scene("phone-bank", PAYER, scarf, "Two transfers", _to_the_bank)

    def _errors(self) -> Iterator[Scene]:
        yield Scene("error-404", NOBODY, "/nothing", "There is nothing here")
        old = self.orders["old"]["checkout_url"].removeprefix(self.shop.url)
        yield Scene("error-410", NOBODY, old, "This link has run out")
        yield Scene("error-500", NOBODY, "/checkout/BREAKS", "Reference")
        yield Scene("error-503", NOBODY, "/checkout/AWAY", "Nothing is lost")
        # The last: from here on nobody of this address signs in.
        yield Scene("error-429", NOBODY, "/login", "Please wait", self._try_too_often)

    def _try_too_often(self, page: Page) -> None:
        where, login = f"{self.shop.url}/api/v1/auth/token", {"email": "nobody@demo.test"}
        limited = HTTPStatus.TOO_MANY_REQUESTS
        status = 0
        # On a slow machine a try may have become free again before the page takes it.
        while status != limited:
            while (
                requests.post(where, json=login | {"password": "x"}, timeout=20).status_code
                != limited
            ):
                pass
            with page.expect_response("**/login") as answer:
                _sign_in_wrongly(page)
            status = answer.value.status


def _claim(page: Page) -> None:
    if page.locator("#claim-reference").count():
        page.fill("#claim-reference", "FT26325 88120")
        page.fill("#claim-note", "Paid from my sister's account")
        page.click("#claim button")


def _mistype(page: Page) -> None:
    page.fill('[name="phone"]', "+33 6 12 34 56 78")
    page.click('button[value="campay"]')


def _open_a_form(page: Page) -> None:
    page.click("#confirm summary")


def _order_for_nothing(page: Page) -> None:
    page.fill('[name="amount"]', "a lot")
    page.fill('[name="description"]', "Tea")
    page.click("form.card button")


def _take_too_much(page: Page) -> None:
    form = page.locator("#withdraw form")
    form.locator('[name="amount"]').fill("5000000")
    form.locator('[name="destination"]').fill("0011223344")
    form.locator("button").click()


def _name_a_card(page: Page) -> None:
    page.get_by_role("link", name="Name: ").click()
    page.fill("#name-card-nickname", "4111 1111 1111 1111")
    page.click("#send-name")


def _open_a_callback(page: Page) -> None:
    page.locator("main a[href*='callbacks']").first.click()


def _sign_in_wrongly(page: Page) -> None:
    page.fill('[name="email"]', "clerk@demo.test")
    page.fill('[name="password"]', "not this one")
    page.click("main button")


def _buy(page: Page) -> None:
    page.locator("main form button").first.click()
    for frame in ("customer", "staff"):
        inside = page.frame_locator(f'[name="{frame}"]')
        inside.locator('[data-connection="live"][data-topic]').wait_for(state="attached")


def _open_the_first(page: Page) -> None:
    page.locator("a.main-action").first.click()


def _to_the_bank(page: Page) -> None:
    address = page.get_attribute("#pretended", "href")
    assert address
    page.goto(page.url.split("/checkout")[0] + address)


@contextmanager
def staged(browser: Browser, folder: Path) -> Iterator[Stage]:
    database = folder / "shop.db"
    settings = {"DATABASE_URL": f"sqlite:///{database}", "CONFIRM_LIMIT": "VND:500000"}
    with Shop(**settings) as shop:
        shop.server.terminate()
        shop.server.start("-m", "tests.e2e.breaks")
        stage = Stage(shop, browser, database)
        try:
            yield stage
        finally:
            stage.close()
