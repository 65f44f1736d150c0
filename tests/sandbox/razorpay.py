"""The pretended Razorpay on a port of its own, and a merchant that hears what it tells."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from flask import Flask, request
from flask.testing import FlaskClient

from sandbox import RazorpayKeys, UpiKeys, create_sandbox
from tests.sandbox.world import PATIENCE_SECONDS, Json, served

KEY_ID, KEY_SECRET = "rzp_test_key", "secret-of-the-razorpay-key"
WEBHOOK_SECRET = "secret-of-the-razorpay-webhook"
VPA = "shop@okbank"


@dataclass
class Merchant:
    """Hears events as they come. `answers` are given one after the other; then it is always 200."""

    url: str = ""
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.post("/callbacks/razorpay")
        def hear() -> tuple[str, int]:
            self.heard.append((dict(request.headers.items()), request.get_data()))
            return "", self.answers.pop(0) if self.answers else 200

        return app

    @property
    def events(self) -> list[str]:
        return [json.loads(body)["event"] for _, body in self.heard]

    def hand_over(self, client: FlaskClient) -> list[int]:
        """What was heard so far, given to the application in the same order; what it answered."""
        answers = []
        for headers, body in self.heard:
            kept = {k: v for k, v in headers.items() if k.startswith("X-Razorpay")}
            kept["Content-Type"] = headers["Content-Type"]
            answer = client.post("/callbacks/razorpay", data=body, headers=kept)
            answers.append(answer.status_code)
        self.heard.clear()
        return answers


@dataclass
class RazorpayWorld:
    app: Flask
    url: str
    merchant: Merchant

    @property
    def api(self) -> str:
        return f"{self.url}/razorpay/v1"

    def call(
        self, method: str, path: str, body: Any = None, key: str = KEY_SECRET, **headers: str
    ) -> requests.Response:
        return requests.request(
            method,
            f"{self.api}{path}",
            json=body,
            auth=(KEY_ID, key),
            headers=headers,
            timeout=10,
        )

    def code(self, name: str = "P1", **changes: Any) -> Json:
        return self.done(self.call("POST", "/payments/qr_codes", code_body(name, **changes)))

    def link(self, name: str = "P1", **changes: Any) -> Json:
        return self.done(self.call("POST", "/payment_links", link_body(name, **changes)))

    def order(self, name: str = "P1", **changes: Any) -> Json:
        return self.done(self.call("POST", "/orders", order_body(name, **changes)))

    def brings(self, order: Json, **changes: Any) -> requests.Response:
        """A browser opens the hosted page of this order."""
        form = {**hosted_form(order), **changes}
        return requests.post(f"{self.api}/checkout/embedded", data=form, timeout=10)

    def leads(self, name: str, result: str, **switches: Any) -> requests.Response:
        """What a browser is answered that decides on the page."""
        return requests.post(
            f"{self.url}/razorpay/asks/{name}/decide",
            data={"result": result, **switches},
            timeout=10,
            allow_redirects=False,
        )

    def refund(self, payment_id: str, amount: int, name: str = "R123456789") -> requests.Response:
        body = {"amount": amount, "speed": "normal", "receipt": name, "notes": {"refund": name}}
        headers = {"X-Refund-Idempotency": name}
        return self.call("POST", f"/payments/{payment_id}/refund", body, **headers)

    def press(self, name: str, result: str, **switches: Any) -> requests.Response:
        return requests.post(
            f"{self.url}/razorpay/asks/{name}/decide",
            json={"result": result, **switches},
            timeout=10,
        )

    def decide(self, name: str, result: str = "pay", **switches: Any) -> Json:
        told = self.done(self.press(name, result, **switches))
        self.settled(name)
        return told

    def shown(self, name: str) -> Json:
        return self.done(requests.get(f"{self.url}/razorpay/asks/{name}", timeout=10))

    def account(self, **settings: str) -> None:
        answer = requests.post(
            f"{self.url}/razorpay/account", data=settings, timeout=10, allow_redirects=False
        )
        assert answer.status_code == 303, answer.text

    def settled(self, name: str) -> list[Json]:
        """The log of events, once each has been answered or given up."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            log: list[Json] = self.shown(name)["events"]
            if all(one["state"] != "waiting" for one in log):
                return log
            time.sleep(0.01)
        raise AssertionError(f"still sending: {self.shown(name)}")

    @staticmethod
    def done(answer: requests.Response) -> Json:
        told: Json = answer.json()
        assert answer.status_code == 200, told
        return told


def code_body(name: str, **changes: Any) -> Json:
    return {
        "type": "upi_qr",
        "name": "Shop",
        "usage": "single_use",
        "fixed_amount": True,
        "payment_amount": 64_900,
        "description": "Box of spices",
        "close_by": int(time.time()) + 1_000,
        "notes": {"reference": name},
        **changes,
    }


def link_body(name: str, **changes: Any) -> Json:
    return {
        "upi_link": True,
        "amount": 64_900,
        "currency": "INR",
        "accept_partial": False,
        "reference_id": name,
        "description": "Box of spices",
        "callback_url": "https://shop.test/back?a=1",
        "callback_method": "get",
        "expire_by": int(time.time()) + 1_000,
        "notes": {"reference": name},
        **changes,
    }


def order_body(name: str, **changes: Any) -> Json:
    return {
        "amount": 64_900,
        "currency": "INR",
        "receipt": name,
        "notes": {"reference": name},
        **changes,
    }


def hosted_form(order: Json) -> dict[str, str]:
    return {
        "key_id": KEY_ID,
        "order_id": order["id"],
        "amount": str(order["amount"]),
        "currency": order["currency"],
        "name": "Shop",
        "description": "Box of spices",
        "callback_url": "https://shop.test/back?a=1",
        "cancel_url": "https://shop.test/left",
    }


@contextmanager
def opened_razorpay(state_path: str | None = None) -> Iterator[RazorpayWorld]:
    """A sandbox whose tries follow each other quickly, and its merchant."""
    merchant = Merchant()
    with ExitStack() as stack:
        merchant.url = stack.enter_context(served(merchant.app()))
        address = f"{merchant.url}/callbacks/razorpay"
        keys = RazorpayKeys(KEY_ID, KEY_SECRET, WEBHOOK_SECRET, address, "Spice Shop")
        app = create_sandbox("http://phone.test/sandbox/", state_path, [keys, UpiKeys(VPA)], seed=7)
        app.config["IPN_BACKOFF_SECONDS"] = 0.01
        yield RazorpayWorld(app, stack.enter_context(served(app)), merchant)
