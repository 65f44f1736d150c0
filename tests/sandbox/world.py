"""The sandbox and a merchant, each served on a port of its own, and a signer of the tests' own."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from flask import Flask, request
from werkzeug.serving import make_server

from sandbox import MomoKeys, create_sandbox

KEYS = MomoKeys("MOMO", "F8BBA842ECF85", "K951B6PE1waDMi640xX08PD3vg6EkVlz")
SIGNED_RESULT = (
    *("amount", "extraData", "message", "orderId", "orderInfo", "orderType", "partnerCode"),
    *("payType", "requestId", "responseTime", "resultCode", "transId"),
)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "momo.json").read_text())["momo"]
PATIENCE_SECONDS = 10

Json = dict[str, Any]


def signature(fields: Json, secret: str = KEYS.secret_key) -> str:
    """MoMo's formula: the keys sorted, the access key among them, values as they are."""
    signed = {**fields, "accessKey": KEYS.access_key}
    text = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def result_signature(told: Json) -> str:
    return signature({name: told[name] for name in SIGNED_RESULT})


@dataclass
class Merchant:
    """Hears notices. `answers` are given one after the other; then it is always 204."""

    url: str = ""
    heard: list[Json] = field(default_factory=list)
    heard_at: list[float] = field(default_factory=list)
    content_types: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.post("/ipn")
        def ipn() -> tuple[str, int, dict[str, str]]:
            self.content_types.append(request.content_type or "")
            self.heard_at.append(time.monotonic())
            self.heard.append(json.loads(request.get_data()))
            status = self.answers.pop(0) if self.answers else 204
            return "", status, {"Location": "/return"} if 300 <= status < 400 else {}

        @app.get("/return")
        def back() -> str:
            return "<title>The shop</title>"

        return app


@dataclass
class World:
    app: Flask
    url: str
    merchant: Merchant

    def call(self, name: str, body: Any) -> requests.Response:
        return self.post(f"/momo/v2/gateway/api/{name}", json=body)

    def order(self, order_id: str = "DH1042", **changes: Any) -> Json:
        """A signed create body."""
        signed = {
            "partnerCode": KEYS.partner_code,
            "requestId": f"{order_id}-1",
            "amount": 250_000,
            "orderId": order_id,
            "orderInfo": "Thanh toán đơn hàng DH1042",
            "redirectUrl": f"{self.merchant.url}/return?shop=1",
            "ipnUrl": f"{self.merchant.url}/ipn",
            "extraData": "",
            "requestType": "captureWallet",
        }
        unsigned = {name: value for name, value in changes.items() if name not in signed}
        signed |= {name: value for name, value in changes.items() if name in signed}
        return {**signed, "lang": "en", "signature": signature(signed), **unsigned}

    def create(self, order_id: str = "DH1042", **changes: Any) -> Json:
        answer = self.call("create", self.order(order_id, **changes))
        told: Json = answer.json()
        assert answer.status_code == 200, told
        return told

    def query(self, order_id: str = "DH1042") -> Json:
        asked = {"partnerCode": "MOMO", "requestId": "q-1", "orderId": order_id}
        told: Json = self.call(
            "query", {**asked, "lang": "en", "signature": signature(asked)}
        ).json()
        return told

    def refund(self, trans_id: int, amount: Any, order_id: str = "RF1", **changes: Any) -> Json:
        asked = {
            "partnerCode": "MOMO",
            "orderId": order_id,
            "requestId": f"{order_id}-1",
            "amount": amount,
            "transId": trans_id,
            "description": "",
            **changes,
        }
        told: Json = self.call("refund", {**asked, "signature": signature(asked)}).json()
        return told

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=10, allow_redirects=False, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return requests.post(f"{self.url}{path}", timeout=10, allow_redirects=False, **options)

    def press(self, result: str, order_id: str = "DH1042", **switches: Any) -> requests.Response:
        return self.post(f"/momo/payments/{order_id}/decide", json={"result": result, **switches})

    def resend(self, order_id: str = "DH1042") -> requests.Response:
        path = f"/momo/payments/{order_id}/resend"
        return self.post(path, headers={"Accept": "application/json"})

    def decide(self, result: str, order_id: str = "DH1042", **switches: Any) -> Json:
        answer = self.press(result, order_id, **switches)
        told: Json = answer.json()
        assert answer.status_code == 200, told
        return told

    def paid(self, order_id: str = "DH1042", **changes: Any) -> int:
        """A payment that was made without a word; its transId."""
        self.create(order_id, **changes)
        return int(self.decide("pay", order_id, silent=True)["transId"])

    def payment(self, order_id: str = "DH1042") -> Json:
        told: Json = self.get(f"/momo/payments/{order_id}").json()
        return told

    def page(self, order_id: str = "DH1042") -> str:
        """The path of the hosted page here; a browser gets there by the public address."""
        return str(self.payment(order_id)["payUrl"]).removeprefix("http://phone.test/sandbox")

    def settled(self, order_id: str = "DH1042") -> list[Json]:
        """The log of notices, once each has been answered or given up."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            log: list[Json] = self.payment(order_id)["ipns"]
            if all(one["state"] != "waiting" for one in log):
                return log
            time.sleep(0.01)
        raise AssertionError(f"still sending: {self.payment(order_id)}")


@contextmanager
def served(app: Flask, port: int = 0) -> Iterator[str]:
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def opened(
    state_path: str | None = None, seed: int | None = 7, keys: MomoKeys = KEYS
) -> Iterator[World]:
    """A sandbox whose tries follow each other quickly, and its merchant."""
    merchant = Merchant()
    with ExitStack() as stack:
        merchant.url = stack.enter_context(served(merchant.app()))
        app = create_sandbox("http://phone.test/sandbox/", state_path, [keys], seed)
        app.config["IPN_BACKOFF_SECONDS"] = 0.01
        yield World(app, stack.enter_context(served(app)), merchant)
