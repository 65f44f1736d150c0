"""The pretended PAYable and a merchant, each on a port of its own, and check values made apart."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from flask import Flask

from sandbox import PayableKeys, create_sandbox

from .world import PATIENCE_SECONDS, Json, Merchant, served

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "payable.json").read_text())[
    "payable"
]
KEYS = PayableKeys("MERCHANT", "merchant-token", "BUSINESS", "business-token")
MERCHANT_ID = "mid-MERCHANT"
ENVIRONMENT = {
    "PAYABLE_MERCHANT_KEY": KEYS.merchant_key,
    "PAYABLE_MERCHANT_TOKEN": KEYS.merchant_token,
    "PAYABLE_BUSINESS_KEY": KEYS.business_key,
    "PAYABLE_BUSINESS_TOKEN": KEYS.business_token,
}
"""The settings of a shop that has these keys, less the address."""


def upper_sha512(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest().upper()


def check_value(*values: str, token: str = KEYS.merchant_token) -> str:
    return upper_sha512("|".join([*values, upper_sha512(token)]))


def webhook_value(told: Json, token: str = KEYS.merchant_token) -> str:
    names = [
        *("merchantKey", "payableOrderId", "payableTransactionId", "payableAmount"),
        *("payableCurrency", "invoiceNo", "statusCode"),
    ]
    names += ["customerRefNo"] if "customerRefNo" in told else []
    return check_value(*(str(told[name]) for name in names), token=token)


@dataclass
class PayableWorld:
    app: Flask
    url: str
    merchant: Merchant

    def post(self, path: str, body: Any, **headers: str) -> requests.Response:
        url = f"{self.url}/payable{path}"
        return requests.post(url, json=body, headers=headers, timeout=10, allow_redirects=False)

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}/payable{path}", timeout=10, allow_redirects=False)

    def bill(self, invoice: str = "INV1", **changes: Any) -> Json:
        """A body that opens a page, with its check value."""
        body: Json = {
            "merchantKey": KEYS.merchant_key,
            "paymentType": "1",
            "invoiceId": invoice,
            "amount": "235.00",
            "currencyCode": "LKR",
            "orderDescription": "Ceylon tea",
            "logoUrl": "https://shop.test/logo.png",
            "returnUrl": f"{self.merchant.url}/return?shop=1",
            "webhookUrl": f"{self.merchant.url}/ipn",
            "customerFirstName": "Nimal",
            "customerLastName": "Perera",
            "customerMobilePhone": "0771234567",
            "customerEmail": "nimal@shop.test",
            "billingAddressStreet": "Main street",
            "billingAddressCity": "Vavuniya",
            "billingAddressCountry": "LKA",
            "billingAddressPostcodeZip": "0000",
            **changes,
        }
        signed = [str(body[n]) for n in ("merchantKey", "invoiceId", "amount", "currencyCode")]
        if body.get("isSaveCard") == "1":
            signed.append(str(body.get("customerRefNo")))
        return {"checkValue": check_value(*signed), **body}

    def keeping(self, invoice: str = "INV1", customer: str = "CUST1", **changes: Any) -> Json:
        kept = {"isSaveCard": "1", "doFirstPayment": "1", "customerRefNo": customer}
        return self.bill(invoice, **{"paymentType": "3", **kept, **changes})

    def open(self, body: Json, environment: str = "sandbox") -> Json:
        answer = self.post(f"/ipg/{environment}", body)
        told: Json = answer.json()
        assert answer.status_code == 200, told
        return told

    def status(self, opened: Json) -> requests.Response:
        asked = {name: opened[name] for name in ("uid", "statusIndicator")}
        return self.post("/ipg/sandbox/check-status", asked)

    def decide(self, result: str, invoice: str = "INV1", **more: Any) -> Json:
        answer = self.post(f"/payments/{invoice}/decide", {"result": result, **more})
        told: Json = answer.json()
        assert answer.status_code == 200, told
        return told

    def settled(self, invoice: str = "INV1") -> list[Json]:
        """The log of webhooks, once each has been answered or given up."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            log: list[Json] = self.get(f"/payments/{invoice}").json()["webhooks"]
            if all(one["state"] != "waiting" for one in log):
                return log
            time.sleep(0.01)
        raise AssertionError("still sending")

    def kept(self, invoice: str = "INV1", customer: str = "CUST1", card: str = "visa") -> str:
        """The customerId of somebody who has just had a card kept."""
        self.open(self.keeping(invoice, customer))
        self.decide("pay", invoice, card=card)
        self.settled(invoice)
        return str(self.merchant.heard[-1]["customerId"])

    def cards(self, customer: str) -> list[Json]:
        body = {"merchantId": MERCHANT_ID, "customerId": customer}
        signed = {**body, "checkValue": check_value(MERCHANT_ID, customer)}
        listed: list[Json] = self.post("/ipg/v2/tokenize/listCard", signed).json()[
            "tokenizedCardList"
        ]
        return listed

    def bearer(self, pair: str = "BUSINESS:business-token") -> requests.Response:
        key = base64.b64encode(pair.encode()).decode()
        asked = {"grant_type": "client_credentials"}
        return self.post("/ipg/v2/auth/tokenize", asked, Authorization=key)

    def charge(self, customer: str, token: str, invoice: str = "INV9") -> requests.Response:
        body = {
            "merchantId": MERCHANT_ID,
            "customerId": customer,
            "tokenId": token,
            "invoiceId": invoice,
            "amount": "150.00",
            "currencyCode": "LKR",
            "webhookUrl": f"{self.merchant.url}/ipn",
        }
        value = check_value(MERCHANT_ID, invoice, "150.00", "LKR", customer, token)
        bearer = self.bearer().json()["accessToken"]
        return self.post(
            "/ipg/v2/tokenize/pay",
            {**body, "checkValue": value},
            Authorization=f"Bearer {bearer}",
        )


@contextmanager
def payable_world(
    state_path: str | None = None, keys: PayableKeys = KEYS
) -> Iterator[PayableWorld]:
    """A pretended PAYable whose tries follow each other quickly, and its merchant."""
    merchant = Merchant()
    with ExitStack() as stack:
        merchant.url = stack.enter_context(served(merchant.app()))
        app = create_sandbox("http://ipg.test/sandbox", state_path, [keys], 7)
        app.config["IPN_BACKOFF_SECONDS"] = 0.01
        yield PayableWorld(app, stack.enter_context(served(app)), merchant)
