"""A provider more, made up for this test, passes the contract that all the others pass."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask, request

from payments.domain.order import Payment
from payments.domain.ports import Payer
from payments.domain.states import Kind
from payments.providers.registry import CALLBACK, FETCH, PROVIDERS, START, Adapter, Spec
from payments.services import checkout
from payments.services.reconcile import reconcile_once
from payments.store import orders
from payments.store.db import now
from tests.outside import attempt_of
from tests.people import People
from tests.providers import sixth
from tests.providers.case import Call, Case, Json, Proof, Said
from tests.providers.contract import Contract
from tests.sandbox.world import served
from tests.signing import JSON, SHOP_SECRET

STATES = {Kind.SUCCEEDED: "paid", Kind.FAILED: "declined", Kind.PROCESSING: "open"}


@pytest.fixture(autouse=True)
def row(monkeypatch: pytest.MonkeyPatch) -> None:
    """It borrows the setting of the shop's own webhook: a real one has one of its own."""
    able = frozenset({START, FETCH, CALLBACK})
    adapter = Adapter("tests.providers.sixth:Sixth", "generic_secrets", able)
    monkeypatch.setitem(PROVIDERS, "sixth", Spec("Sixth", (adapter,), {"EUR": (100, 100_000)}))


def call(said: Said) -> Call:
    message = {
        "id": f"s-{said.serial}",
        "ours": said.reference,
        "state": STATES[said.outcome],
        "cents": said.amount,
        "currency": said.currency,
    }
    body = json.dumps(message).encode()
    signature = hmac.new(SHOP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return Call(JSON | {"X-Sixth-Signature": signature}, body)


CASE = Case(
    key="sixth",
    rail="sixth",
    currency="EUR",
    price=1_250,
    settings=lambda _url: {"GENERIC_WEBHOOK_SECRET": SHOP_SECRET},
    call=call,
    proof=Proof(header="X-Sixth-Signature"),
)


class TestASixthProvider(Contract):
    samples = False

    @pytest.fixture
    def case(self) -> Case:
        return CASE


class TestItsQuestions:
    """What the contract does not know of: the calls out."""

    @pytest.fixture
    def theirs(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Json]]:
        """Their payments, by their id, behind a server of theirs."""
        app, payments = Flask(__name__), dict[str, Json]()

        @app.post("/payments")
        def begin() -> Json:
            asked = request.get_json()
            payments["s-1"] = asked | {"id": "s-1", "currency": "EUR", "state": "open"}
            return {"id": "s-1", "page": "https://sixth.example/pay/s-1"}

        @app.get("/payments/<theirs>")
        def tell(theirs: str) -> Json:
            return payments[theirs]

        with served(app) as url:
            monkeypatch.setattr(sixth, "API_URL", url)
            yield payments

    def begun(self, people: People) -> Payment:
        order = people.order(1_250, "EUR")
        rails = people.house.rails
        people.in_app(
            checkout.start_payment,
            *(rails, people.shop, order.id, "sixth", Payer(), "http://localhost/back", "en"),
        )
        return attempt_of(people, order.id)

    def test_a_payer_is_led_there_and_what_they_did_is_found_by_asking(
        self, people: People, theirs: dict[str, Json]
    ) -> None:
        attempt = self.begun(people)
        assert attempt.action == {"type": "redirect", "url": "https://sixth.example/pay/s-1"}
        assert theirs["s-1"]["tell"] == "http://localhost/callbacks/sixth"
        theirs["s-1"]["state"] = "paid"
        soon = now() + timedelta(seconds=15)
        assert people.in_app(reconcile_once, people.house.rails, "sixth", soon) == 1
        found = people.in_app(orders.find, attempt.order_id)
        assert found is not None
        assert found.status.value == "paid"
