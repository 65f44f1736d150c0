"""A bank transfer begins with our own code; Pay2S's page is an extra that nothing rests on."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask, Response, request

from payments.domain.errors import InvalidInput
from payments.domain.order import Payment
from payments.domain.ports import Addresses, Payer
from payments.domain.states import PaymentStatus
from payments.providers.bank import Bank
from payments.providers.pay2s_gateway import CREATE_FIELDS, QUICKLINK, m2signature, quicklink
from payments.providers.vietqr import Transfer, read_payload
from payments.services import checkout
from payments.settings import load
from payments.settings.rails import BankSettings
from tests.conftest import ENVIRONMENT
from tests.outside import ON_SQLITE, attempt_of
from tests.people import People
from tests.sandbox.world import served

HERE = Path(__file__).parent
SAMPLES = HERE / "samples" / "bank"
VECTORS = json.loads((HERE.parent / "vectors" / "pay2s_create.json").read_text())

ACCOUNT = {
    "BANK_BIN": "970436",
    "BANK_ACCOUNT": "0011002233445",
    "BANK_ACCOUNT_NAME": "NGUYEN THI MAI",
}
SECRETS = ("the new secret of the gateway", "the old secret of the gateway")
GATEWAY = {
    "PAY2S_PARTNER_CODE": "PARTNER",
    "PAY2S_ACCESS_KEY": "an access key",
    "PAY2S_SECRET_KEY": ", ".join(SECRETS),
}

PATIENCE_SECONDS = 20
"""How late an answer is that nobody should wait for."""

Json = dict[str, Any]


def sample(name: str) -> Json:
    told: Json = json.loads((SAMPLES / f"{name}.json").read_text())
    return told


@dataclass
class Pay2s:
    """Pay2S's create call; `answers` are given as they are, `silent` answers too late."""

    url: str = ""
    body: Any = field(default_factory=lambda: sample("create")["body"])
    status: int = 200
    silent: threading.Event | None = None
    asked: list[Json] = field(default_factory=list)
    path: str = ""

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.post("/<path:path>")
        def create(path: str) -> Response:
            self.path = path
            self.asked.append(json.loads(request.get_data()))
            if self.silent is not None:
                self.silent.wait(PATIENCE_SECONDS)
            text = self.body if isinstance(self.body, str) else json.dumps(self.body)
            return Response(text, self.status, content_type="application/json")

        return app


@pytest.fixture
def pay2s() -> Iterator[Pay2s]:
    one = Pay2s()
    with served(one.app()) as one.url:
        yield one


class TestWithoutPay2s:
    pytestmark = ON_SQLITE

    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return ACCOUNT

    def test_a_payer_gets_a_code_and_what_to_type_by_hand(self, people: People) -> None:
        payment = start(people)
        action = payment.action or {}
        assert read_payload(action["qr"]) == Transfer(
            "970436", "0011002233445", 420_000, payment.reference
        )
        assert action["type"] == "qr"
        assert action["details"] == {
            "bank": "Vietcombank",
            "account": "0011002233445",
            "account_name": "NGUYEN THI MAI",
            "memo": payment.reference,
        }
        assert action.keys() == {"type", "qr", "details"}

    def test_each_attempt_has_a_memo_of_its_own(self, people: People) -> None:
        order = people.order(420_000)
        first, second = (start(people, order.id) for _ in range(2))
        assert first.reference != second.reference
        assert read_payload((second.action or {})["qr"]).memo == second.reference

    @pytest.mark.parametrize(
        ("amount", "currency"), [(500_000_000, "VND"), (5_000, "INR")], ids=["too much", "rupees"]
    )
    def test_what_a_transfer_cannot_carry_is_refused_at_once(
        self, people: People, amount: int, currency: str
    ) -> None:
        with pytest.raises(InvalidInput):
            start(people, people.order(amount, currency).id)

    def test_the_rest_of_an_order_can_be_as_little_as_one_dong(self, people: People) -> None:
        payment = start(people, people.order(1).id)
        assert read_payload((payment.action or {})["qr"]).amount == 1

    def test_the_checkout_shows_it_with_a_button_for_each(self, people: People) -> None:
        order = people.order(420_000)
        payment = start(people, order.id)
        page = people.browser(order).get(f"/checkout/{order.id}").get_data(as_text=True)
        for copied in ("Vietcombank", "0011002233445", "NGUYEN THI MAI", "420000"):
            assert f'data-copy="{copied}"' in page
        assert page.count(f'data-copy="{payment.reference}"') == 1
        assert "Scan this code with your bank's app" in unescape(page)
        assert "sandbox" not in page


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestWithTheGateway:
    @pytest.fixture
    def environment(self, pay2s: Pay2s) -> dict[str, str]:
        return ACCOUNT | GATEWAY | {"PAY2S_API_URL": pay2s.url, "PAY2S_WEBHOOK_TOKEN": "a token"}

    def test_its_page_is_offered_beside_our_code(self, people: People, pay2s: Pay2s) -> None:
        payment = start(people)
        action = payment.action or {}
        assert action["url"] == sample("create")["body"]["payUrl"]
        assert read_payload(action["qr"]).memo == payment.reference

    def test_it_is_asked_as_its_documentation_wants(self, people: People, pay2s: Pay2s) -> None:
        payment = start(people)
        (asked,) = pay2s.asked
        assert pay2s.path == "v1/gateway/api/create"
        assert asked == {
            "accessKey": "an access key",
            "partnerCode": "PARTNER",
            "partnerName": "Paychime",
            "requestId": payment.reference,
            "amount": 420_000,
            "orderId": payment.reference,
            "orderInfo": payment.reference,
            "orderType": "pay2s",
            "bankAccounts": [{"account_number": "0011002233445", "bank_id": "vcb"}],
            "redirectUrl": "http://localhost/back",
            "ipnUrl": "http://localhost/callbacks/pay2s-gateway",
            "requestType": "pay2s",
            "signature": signed(asked, SECRETS[0]),
        }
        assert 10 <= len(asked["orderInfo"]) <= 32
        assert asked["orderInfo"].isalnum()

    @pytest.mark.parametrize("code", [0, "0"])
    def test_its_success_may_be_a_number_or_a_text(
        self, people: People, pay2s: Pay2s, code: object
    ) -> None:
        pay2s.body["resultCode"] = code
        assert "url" in (start(people).action or {})

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (400, sample("refused")["body"]),
            (401, {"status": False}),
            (200, {**sample("create")["body"], "resultCode": 13}),
            (200, {**sample("create")["body"], "resultCode": None}),
            (200, {**sample("create")["body"], "payUrl": "javascript:alert(1)"}),
            (200, {**sample("create")["body"], "payUrl": 7}),
            (200, {**sample("create")["body"], "payUrl": "http://[broken"}),
            (200, []),
            (200, "not JSON"),
            (500, {}),
            (429, {}),
            (302, {}),
        ],
    )
    def test_whatever_it_answers_the_payer_can_pay_by_our_code(
        self,
        people: People,
        pay2s: Pay2s,
        status: int,
        body: object,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        pay2s.status, pay2s.body = status, body
        payment = start(people)
        assert (payment.status.value, len(pay2s.asked)) == ("pending", 1)
        assert (payment.action or {}).keys() == {"type", "qr", "details"}
        logged = capsys.readouterr().err
        assert "no page at Pay2S" in logged
        assert not [secret for secret in (*SECRETS, "an access key") if secret in logged]

    def test_a_gateway_that_is_silent_keeps_nobody_waiting(
        self, people: People, pay2s: Pay2s
    ) -> None:
        pay2s.silent = threading.Event()
        begun = time.monotonic()
        payment = start(people)
        assert time.monotonic() - begun < PATIENCE_SECONDS, "it waited for the answer"
        pay2s.silent.set()
        assert (payment.action or {}).keys() == {"type", "qr", "details"}

    def test_the_page_of_the_gateway_comes_after_the_code(self, people: People) -> None:
        order = people.order(420_000)
        start(people, order.id)
        page = people.browser(order).get(f"/checkout/{order.id}").get_data(as_text=True)
        assert page.index("<img src=") < page.index("https://payment.pay2s.vn/pay/")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_gateway_that_is_gone_costs_one_try(people: People, tmp_path: Path) -> None:
    with served(Flask(__name__)) as url:
        gone = url
    where = {"PAY2S_API_URL": gone, "INSTANCE_PATH": str(tmp_path)}
    bank = Bank(load(ENVIRONMENT | ACCOUNT | GATEWAY | where))
    payment, to = payment_of("PH7K2M9QXWT4RVB", 420_000), Addresses("http://localhost/back", "")
    begun = time.monotonic()
    action = bank.start(payment, people.order(), Payer(), to).action
    assert time.monotonic() - begun < PATIENCE_SECONDS
    assert (action.url, action.type) == (None, "qr")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestWithTheWebhookAlone:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return ACCOUNT | {"PAY2S_WEBHOOK_TOKEN": "the token of the webhook"}

    def test_the_quick_link_is_offered_with_our_callback_and_without_the_token(
        self, people: People
    ) -> None:
        payment = start(people)
        url = (payment.action or {})["url"]
        parts = urlsplit(url)
        assert url.startswith(f"{QUICKLINK}/VCB/0011002233445/NGUYEN%20THI%20MAI?")
        assert parse_qs(parts.query) == {
            "amount": ["420000"],
            "is_mask": ["0"],
            "bg": ["0"],
            "memo": [payment.reference],
            "callback": ["http://localhost/callbacks/pay2s"],
        }
        assert "token" not in url

    def test_what_comes_by_it_without_the_token_is_not_believed(self, people: People) -> None:
        payment = start(people)
        told = {"memo": payment.reference, "amount": 420_000}
        answer = people.app.test_client().post("/callbacks/pay2s", json=told)
        assert answer.status_code == 401
        assert attempt_of(people, payment.order_id).status.value == "pending"


def test_the_quick_link_has_the_form_that_integrators_use() -> None:
    theirs = urlsplit(VECTORS["quicklink"][0]["url"])
    bank = BankSettings(bin="970416", account="6318388", account_name="TRAN TAI")
    attempt = payment_of("DPMPBTDX8JY3PBG", 10_000)
    url = quicklink(bank, attempt, "https://shop.example/callbacks/pay2s")
    assert url is not None
    ours = urlsplit(url)
    assert ours[:3] == theirs[:3]
    theirs_said, ours_said = parse_qs(theirs.query), parse_qs(ours.query)
    assert ours_said.pop("callback") == ["https://shop.example/callbacks/pay2s"]
    assert ours_said == theirs_said | {"bg": ["0"]}


def test_an_account_name_cannot_leave_its_place_in_the_quick_link() -> None:
    bank = BankSettings(bin="970416", account="1", account_name="A/../B?x=1#é")
    url = quicklink(bank, payment_of("PH7K2M9QXWT4RVB", 1), "https://shop.example/?a=1&b=2")
    assert url is not None
    assert "/ACB/1/A%2F..%2FB%3Fx%3D1%23%C3%A9?" in url
    assert parse_qs(urlsplit(url).query)["callback"] == ["https://shop.example/?a=1&b=2"]


def test_a_bank_without_a_code_at_pay2s_has_no_quick_link() -> None:
    bank = BankSettings(bin="123456", account="1", account_name="A")
    assert quicklink(bank, payment_of("PH7K2M9QXWT4RVB", 1), "https://shop.example/") is None


@pytest.mark.parametrize("call", ["create", "cancel"])
def test_the_signature_is_the_one_that_an_integrator_has_pinned(call: str) -> None:
    (vector,) = VECTORS[call]
    fields = dict(pair.split("=", 1) for pair in vector["raw"].split("&"))
    assert m2signature(fields, vector["secretKey"]) == vector["signature"]
    if call == "create":
        assert tuple(fields) == CREATE_FIELDS
    for name in fields:
        assert m2signature({**fields, name: fields[name] + "x"}, "key") != vector["signature"]


def signed(asked: Json, secret: str) -> str:
    """As Pay2S's sample app signs, written out."""
    text = (
        f"accessKey={asked['accessKey']}&amount={asked['amount']}&bankAccounts=Array"
        f"&ipnUrl={asked['ipnUrl']}&orderId={asked['orderId']}&orderInfo={asked['orderInfo']}"
        f"&partnerCode={asked['partnerCode']}&redirectUrl={asked['redirectUrl']}"
        f"&requestId={asked['requestId']}&requestType={asked['requestType']}"
    )
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def start(people: People, order_id: str | None = None) -> Payment:
    return people.in_app(
        checkout.start_payment,
        people.house.rails,
        people.shop,
        order_id or people.order(420_000).id,
        "bank",
        Payer(),
        return_url="http://localhost/back",
        locale="en",
    )


def payment_of(reference: str, amount: int) -> Payment:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return Payment(
        reference=reference,
        order_id="O1",
        provider="bank",
        status=PaymentStatus.CREATED,
        amount=amount,
        currency="VND",
        amount_received=0,
        transaction_id=None,
        confirmed_by=None,
        action=None,
        failure_code=None,
        handle=None,
        asked=0,
        created_at=at,
        updated_at=at,
    )
