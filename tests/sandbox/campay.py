"""The pretended CamPay on a port of its own, a merchant that hears by GET and by POST, a caller."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from flask import Flask, request

from sandbox import CampayKeys, create_sandbox
from tests.sandbox.world import PATIENCE_SECONDS, Json, served

TOKEN = "a-permanent-access-token-of-the-tests"
WEBHOOK_KEY = "webhook-key-of-the-tests-of-32-bytes-or-more"
LOGIN = ("app-username", "app-password")
MTN, ORANGE = "237677123456", "237699123456"


@dataclass
class Heard:
    """One callback as it came: `target` is the path with its query string."""

    method: str
    target: str
    body: bytes
    content_type: str | None
    fields: Json


@dataclass
class Merchant:
    """`answers` are given one after the other; then it is always 200."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.route("/callbacks/campay", methods=["GET", "POST"])
        def hear() -> tuple[str, int]:
            body = request.get_data()
            fields = request.get_json() if body else request.args.to_dict()
            self.heard.append(
                Heard(request.method, request.full_path, body, request.content_type, fields)
            )
            return "", self.answers.pop(0) if self.answers else 200

        return app


@dataclass
class CampayWorld:
    app: Flask
    url: str
    merchant: Merchant

    @property
    def api(self) -> str:
        return f"{self.url}/campay/api"

    def call(
        self, method: str, path: str, body: Any = None, authorization: str | None = f"Token {TOKEN}"
    ) -> requests.Response:
        headers = {"Authorization": authorization} if authorization else {}
        return requests.request(method, f"{self.api}{path}", json=body, headers=headers, timeout=10)

    def collect(self, name: str = "P1", **changes: Any) -> Json:
        asked = {
            "amount": "4500",
            "currency": "XAF",
            "from": MTN,
            "description": f"Mangoes {name}",
            "external_reference": name,
            **changes,
        }
        return self.done(self.call("POST", "/collect/", asked))

    def withdraw(self, name: str = "R1", **changes: Any) -> Json:
        asked = {
            "amount": "1000",
            "currency": "XAF",
            "to": MTN,
            "description": f"Refund {name}",
            "external_reference": name,
            **changes,
        }
        return self.done(self.call("POST", "/withdraw/", asked))

    def transaction(self, reference: str) -> Json:
        return self.done(self.call("GET", f"/transaction/{reference}/"))

    def press(self, reference: str, result: str, **switches: Any) -> requests.Response:
        return requests.post(
            f"{self.url}/campay/transactions/{reference}/decide",
            json={"result": result, **switches},
            timeout=10,
        )

    def decide(self, reference: str, result: str = "pay", **switches: Any) -> Json:
        return self.done(self.press(reference, result, **switches))

    def shown(self, reference: str) -> Json:
        answer = requests.get(f"{self.url}/campay/transactions/{reference}", timeout=10)
        return self.done(answer)

    def settled(self, reference: str) -> list[Json]:
        """The log of callbacks, once each has been answered or given up."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            log: list[Json] = self.shown(reference)["callbacks"]
            if all(one["state"] != "waiting" for one in log):
                return log
            time.sleep(0.01)
        raise AssertionError(f"still sending: {self.shown(reference)}")

    def sent(self, endpoint: str) -> list[Json]:
        """All that the merchant has asked for, oldest first, as the history tells it."""
        span = {"start_date": "2020-01-01", "end_date": "2099-01-01"}
        rows = self.done(self.call("POST", "/history/", span))["data"]
        return [row for row in rows if bool(row["credit"]) is (endpoint == "collect")]

    @staticmethod
    def done(answer: requests.Response) -> Json:
        told: Json = answer.json()
        assert answer.status_code == 200, told
        return told


@contextmanager
def opened_campay(state_path: str | None = None) -> Iterator[CampayWorld]:
    """A sandbox whose tries follow each other quickly, and its merchant."""
    merchant = Merchant()
    with ExitStack() as stack:
        merchant.url = stack.enter_context(served(merchant.app()))
        address = f"{merchant.url}/callbacks/campay"
        keys = CampayKeys(TOKEN, *LOGIN, WEBHOOK_KEY, address, "Marché Central")
        app = create_sandbox("http://phone.test/sandbox/", state_path, [keys], seed=7)
        app.config.update(IPN_BACKOFF_SECONDS=0.01, CAMPAY_PAYOUT_SECONDS=0)
        yield CampayWorld(app, stack.enter_context(served(app)), merchant)
