"""Pay2S's pretended gateway: what it takes and refuses, its page, and its notice."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox.bank.gateway import SIGNED_CREATE, SIGNED_RESULT, sign

from .bank_world import CODE, GATEWAY, MEMO, BankWorld, bank_opened
from .world import PATIENCE_SECONDS, Json

VECTORS = Path(__file__).parents[1] / "vectors"
RESULT = (
    *("accessKey", "amount", "extraData", "message", "orderId", "orderInfo", "orderType"),
    *("partnerCode", "payType", "requestId", "responseTime", "resultCode", "transId"),
)


@pytest.fixture
def bank() -> Iterator[BankWorld]:
    with bank_opened() as world:
        yield world


def signature(asked: Json, secret: str = GATEWAY.secret_key) -> str:
    """As Pay2S's sample app signs a create call."""
    names = (
        *("accessKey", "amount", "bankAccounts", "ipnUrl", "orderId", "orderInfo"),
        *("partnerCode", "redirectUrl", "requestId", "requestType"),
    )
    text = "&".join(
        f"{name}={'Array' if name == 'bankAccounts' else asked[name]}" for name in names
    )
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def order(bank: BankWorld, **changes: Any) -> Json:
    asked: Json = {
        "accessKey": GATEWAY.access_key,
        "partnerCode": GATEWAY.partner_code,
        "partnerName": "Salon Mai",
        "requestId": MEMO,
        "amount": 420_000,
        "orderId": MEMO,
        "orderInfo": MEMO,
        "orderType": "pay2s",
        "bankAccounts": [{"account_number": "0011002233445", "bank_id": "vcb"}],
        "redirectUrl": f"{bank.shop.url}/return?shop=1",
        "ipnUrl": f"{bank.shop.url}/callbacks/pay2s-gateway",
        "requestType": "pay2s",
        **changes,
    }
    return {"signature": signature(asked), **asked} if "signature" not in changes else asked


def create(bank: BankWorld, asked: Any) -> requests.Response:
    return bank.post("/pay2s/v1/gateway/api/create", json=asked)


def page_of(bank: BankWorld, **changes: Any) -> str:
    """The path of Pay2S's page of a new order."""
    told = create(bank, order(bank, **changes)).json()
    return str(told["payUrl"]).removeprefix("http://phone.test/sandbox")


def is_signed(told: Json) -> bool:
    signed = {**told, "accessKey": GATEWAY.access_key}
    text = "&".join(f"{name}={signed[name]}" for name in RESULT)
    digest = hmac.new(GATEWAY.secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return bool(told["m2signature"] == digest)


@pytest.mark.parametrize(
    ("call", "fields", "name"),
    [("create", SIGNED_CREATE, "signature"), ("ipn", SIGNED_RESULT, "m2signature")],
)
def test_the_signer_agrees_with_what_an_integrator_has_pinned(
    call: str, fields: tuple[str, ...], name: str
) -> None:
    (vector,) = json.loads((VECTORS / "pay2s.json").read_text())["pay2s"][call]
    values = dict(pair.split("=", 1) for pair in vector["raw"].split("&"))
    assert tuple(values) == fields
    assert sign(vector["secretKey"], fields, values) == vector[name]


def test_an_order_is_taken_and_has_a_page_with_the_code(bank: BankWorld) -> None:
    answer = create(bank, order(bank))
    told = answer.json()
    assert (answer.status_code, told["resultCode"], told["amount"]) == (200, 0, "420000")
    assert told["qrList"][0]["account_number"] == "0011002233445"
    path = told["payUrl"].removeprefix("http://phone.test/sandbox")
    page = bank.get(path)
    for words in ("Salon Mai", "420,000 ₫", "0011002233445", MEMO, "TEST"):
        assert words in page.text
    picture = bank.get(f"{path}/code.svg")
    assert picture.headers["Content-Type"] == "image/svg+xml"


def test_amounts_may_come_as_text(bank: BankWorld) -> None:
    assert create(bank, order(bank, amount="420000")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signature": "0" * 64}, 13),
        ({"signature": None}, 20),
        ({"partnerCode": "OTHER"}, 13),
        ({"accessKey": "other"}, 13),
        ({"orderInfo": "TOOSHORT9"}, 20),
        ({"orderInfo": "A" * 33}, 20),
        ({"orderInfo": "with a space"}, 20),
        ({"orderId": "with a space"}, 20),
        ({"requestId": "R" * 51}, 20),
        ({"amount": 0}, 22),
        ({"amount": 500_000_000}, 22),
        ({"amount": 1.5}, 20),
        ({"amount": "1e3"}, 20),
        ({"bankAccounts": []}, 20),
        ({"bankAccounts": [{"account_number": "1 2", "bank_id": "vcb"}]}, 20),
        ({"bankAccounts": [{"account_number": "1", "bank_id": "nobank"}]}, 20),
        ({"redirectUrl": "javascript:alert(1)"}, 20),
        ({"ipnUrl": "http://[broken"}, 20),
        ({"requestType": "captureWallet"}, 20),
        ({"orderType": "momo"}, 20),
    ],
    ids=str,
)
def test_what_pay2s_would_not_take_is_refused(bank: BankWorld, changes: Json, code: int) -> None:
    answer = create(bank, order(bank, **changes))
    assert (answer.status_code, answer.json()["resultCode"]) == (400, code)
    assert answer.json()["status"] is False
    assert create(bank, order(bank)).status_code == 200, "and nothing of it was kept"


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a": NaN}', b"\xff", b"x" * 70_000])
def test_what_is_no_order_is_refused(bank: BankWorld, raw: bytes) -> None:
    answer = bank.post("/pay2s/v1/gateway/api/create", data=raw)
    assert answer.status_code == 400


def test_an_order_is_taken_once(bank: BankWorld) -> None:
    create(bank, order(bank))
    assert create(bank, order(bank)).json()["resultCode"] == 41
    other = {"orderId": "ANOTHERORDER"}
    assert create(bank, order(bank, **other)).json()["resultCode"] == 41, "the same requestId"


def test_who_pays_by_the_app_is_told_of_by_the_gateway(bank: BankWorld) -> None:
    path = page_of(bank)
    told = bank.pay(feed="pay2s-gateway", noise="bank")
    (heard,) = bank.shop.heard
    result = heard.json
    assert heard.feed == "pay2s-gateway"
    assert is_signed(result)
    assert (result["resultCode"], result["amount"]) == (0, 420_000)
    assert (result["orderId"], result["orderInfo"]) == (MEMO, MEMO)
    assert result["requestId"] != MEMO, "its own number"
    assert result["transId"] == told["lines"][0]["id"]
    assert len(result["responseTime"]) == 14
    page = bank.get(path).text
    assert "Paid to" in page
    back = parse_qs(urlsplit(page.split('href="')[-1].split('"')[0].replace("&amp;", "&")).query)
    assert back["resultCode"] == ["0"]


def test_the_gateway_tells_what_really_came(bank: BankWorld) -> None:
    page_of(bank)
    bank.pay(feed="pay2s-gateway", amount="400.000")
    assert bank.shop.heard[0].json["amount"] == 400_000
    assert is_signed(bank.shop.heard[0].json)


def test_the_gateway_knows_only_its_own_orders(bank: BankWorld) -> None:
    assert bank.ask(feed="pay2s-gateway").status_code == 400
    page_of(bank)
    assert bank.ask(feed="pay2s-gateway", noise="lost").status_code == 400
    assert bank.get("/bank/").text.count("No transfers yet") == 1, "and no line was left behind"


def test_forged_twice_and_out_of_order(bank: BankWorld) -> None:
    page_of(bank)
    bank.pay(feed="pay2s-gateway", forged=True)
    bank.pay(feed="pay2s-gateway", twice=True, reorder=True)
    forged, *told = bank.shop.heard
    assert not is_signed(forged.json)
    assert all(is_signed(one.json) for one in told)
    assert [one.json["resultCode"] for one in told] == [0, 9000, 0, 9000]


def test_who_cancels_goes_back_and_the_shop_is_told(bank: BankWorld) -> None:
    path = page_of(bank)
    answer = bank.post(f"{path}/cancel")
    assert answer.status_code == 303
    back = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert (back["shop"], back["resultCode"]) == (["1"], ["1006"])
    bank.post(f"{path}/cancel")
    end = time.monotonic() + PATIENCE_SECONDS
    while not bank.shop.heard and time.monotonic() < end:
        time.sleep(0.01)
    (heard,) = bank.shop.heard
    assert (heard.json["resultCode"], is_signed(heard.json)) == (1006, True)
    assert "Cancelled" in bank.get(path).text


def test_a_page_that_nobody_was_given_is_not_found(bank: BankWorld) -> None:
    path = page_of(bank)
    for wrong in (f"{path}x", "/pay2s/checkout/x", f"{path}x/code.svg"):
        assert bank.get(wrong).status_code == 404


def test_the_code_on_its_page_is_the_one_that_a_bank_reads(bank: BankWorld) -> None:
    page = bank.get(page_of(bank)).text
    link = page.split("/bank/pay?")[1].split('"')[0].replace("&amp;", "&")
    assert parse_qs(link) == {"qr": [CODE], "feed": ["pay2s-gateway"]}
