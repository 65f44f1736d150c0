"""The pretended bank and a shop that hears its feeds, each served on a port of its own."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from flask import Flask, request

from sandbox import BankKeys, GatewayKeys, create_sandbox

from .world import PATIENCE_SECONDS, Json, served

CODE = (
    "00020101021238570010A00000072701270006970436011300110022334450208QRIBFTTA"
    "530370454064200005802VN62190815P6QH8W4UN6VKWDR630454EE"
)
"""VietQR: Vietcombank 0011002233445, 420,000 dong, memo P6QH8W4UN6VKWDR."""

MEMO = "P6QH8W4UN6VKWDR"
GATEWAY = GatewayKeys("PARTNER", "an access key", "secret of the gateway")
SECRETS = {
    "pay2s_token": "token of pay2s",
    "sepay_secret": "secret of sepay",
    "casso_key": "key of casso",
    "payos_checksum_key": "checksum key of payos",
}


@dataclass(frozen=True)
class Heard:
    """One callback as it came."""

    feed: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Shop:
    """Hears callbacks; `answers` (status, body) come one after the other, then what all take."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.post("/callbacks/<feed>")
        def callback(feed: str) -> tuple[str, int]:
            self.heard.append(Heard(feed, dict(request.headers.items()), request.get_data()))
            status, body = self.answers.pop(0) if self.answers else (200, '{"success": true}')
            return body, status

        @app.get("/return")
        def back() -> str:
            return "<title>The shop</title>"

        return app


@dataclass
class BankWorld:
    app: Flask
    url: str
    shop: Shop

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=10, allow_redirects=False, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return requests.post(f"{self.url}{path}", timeout=10, allow_redirects=False, **options)

    def ask(self, **asked: Any) -> requests.Response:
        return self.post("/bank/payments", json={"qr": CODE, **asked})

    def pay(self, **asked: Any) -> Json:
        """A person pays, and the shop has been told; what the app says of it."""
        answer = self.ask(**asked)
        assert answer.status_code == 201, answer.text
        return self.settled(int(answer.json()["payment"]))

    def settled(self, payment: int) -> Json:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            told: Json = self.get(f"/bank/payments/{payment}").json()
            if all(one["state"] != "waiting" for one in told["callbacks"]):
                return told
            time.sleep(0.01)
        raise AssertionError(f"still sending: {told}")


@contextmanager
def bank_opened(seed: int | None = 7, **keys: Any) -> Iterator[BankWorld]:
    """A bank whose tries follow each other quickly. `keys` replaces what the shop registered."""
    shop = Shop()
    with ExitStack() as stack:
        shop.url = stack.enter_context(served(shop.app()))
        given = {"gateway": GATEWAY, **SECRETS, **keys}
        bank = BankKeys(f"{shop.url}/callbacks", **given)
        app = create_sandbox("http://phone.test/sandbox/", None, [bank], seed)
        app.config["IPN_BACKOFF_SECONDS"] = 0.01
        yield BankWorld(app, stack.enter_context(served(app)), shop)
