"""The pretended PAYable's API, held against PAYable's documents and its own package's vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sandbox import PayableKeys
from sandbox.payable import cards, check, wire

from .payable_world import (
    KEYS,
    MERCHANT_ID,
    VECTORS,
    PayableWorld,
    check_value,
    payable_world,
    webhook_value,
)
from .world import Json


@pytest.fixture
def ipg() -> Iterator[PayableWorld]:
    with payable_world() as one:
        yield one


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda v: v["kind"])
def test_the_check_value_agrees_with_payables_own_package(vector: Json) -> None:
    values = [vector[name] for name in ("merchantKey", "invoiceId", "amount", "currencyCode")]
    values += [vector["customerRefNo"]] if vector["isSaveCard"] == "1" else []
    assert wire.check_value(vector["merchantToken"], values) == vector["checkValue"]


def test_a_bill_is_answered_as_documented_and_opens_its_page(ipg: PayableWorld) -> None:
    told = ipg.open(ipg.bill())
    assert set(told) == {"status", "uid", "statusIndicator", "paymentPage"}
    assert told["status"] == "PENDING"
    assert told["paymentPage"] == f"http://ipg.test/sandbox/payable/ipg/sandbox/?uid={told['uid']}"
    page = ipg.get(f"/ipg/sandbox/?uid={told['uid']}")
    assert page.status_code == 200
    assert "Ceylon tea" in page.text
    assert ipg.get(f"/ipg/pro/?uid={told['uid']}").status_code == 404
    assert ipg.get("/ipg/sandbox/?uid=another").status_code == 404


@pytest.mark.parametrize("missing", check.NEEDED)
def test_a_bill_without_a_demanded_field_is_refused_naming_it(
    ipg: PayableWorld, missing: str
) -> None:
    body = ipg.bill()
    del body[missing]
    answer = ipg.post("/ipg/sandbox", body)
    assert answer.status_code == 400
    assert missing in answer.json()["errors"]
    assert ipg.get("/payments/INV1").status_code == 404


@pytest.mark.parametrize(
    "changes",
    [
        *({"amount": "235"}, {"amount": "235.0"}, {"amount": "0.00"}, {"amount": "-1.00"}),
        *({"currencyCode": "VND"}, {"paymentType": "2"}, {"customerEmail": "nobody"}),
        *({"returnUrl": "javascript:alert(1)"}, {"webhookUrl": "http://shop.test/a\r\nb: c"}),
        *({"orderDescription": "x" * 256}, {"invoiceId": "i" * 65}, {"amount": ["235.00"]}),
    ],
)
def test_a_malformed_field_is_named(ipg: PayableWorld, changes: Json) -> None:
    answer = ipg.post("/ipg/sandbox", ipg.bill(**changes))
    assert answer.status_code == 400
    assert set(changes) & set(answer.json()["errors"])


def test_a_wrong_check_value_or_merchant_is_refused_as_such(ipg: PayableWorld) -> None:
    wrong = ipg.post("/ipg/sandbox", ipg.bill(checkValue="0" * 128))
    assert (wrong.status_code, wrong.json()["error"]) == (
        400,
        {"err-message": "invalid Authentication"},
    )
    altered = {**ipg.bill(), "amount": "235.01"}
    assert ipg.post("/ipg/sandbox", altered).json()["error"]
    stranger = ipg.post("/ipg/sandbox", ipg.bill(merchantKey="ANOTHER"))
    assert (stranger.status_code, stranger.json()["status"]) == (403, 403)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"a": NaN}', b"[" * 30_000])
@pytest.mark.parametrize(
    "path",
    [
        *("/ipg/sandbox", "/ipg/pro/check-status", "/ipg/v2/auth/tokenize"),
        *("/ipg/v2/tokenize/listCard", "/ipg/v2/tokenize/deleteCard", "/ipg/v2/tokenize/pay"),
        "/ipg/v2/tokenize/editCard",
    ],
)
def test_what_is_no_json_object_is_the_callers_fault(
    ipg: PayableWorld, path: str, raw: bytes
) -> None:
    answer = requests.post(f"{ipg.url}/payable{path}", data=raw, timeout=10)
    assert answer.status_code in {400, 401, 404}


def test_the_same_bill_again_is_the_same_page_until_it_is_decided(ipg: PayableWorld) -> None:
    assert ipg.open(ipg.bill()) == ipg.open(ipg.bill())
    assert "invoiceId" in ipg.post("/ipg/sandbox", ipg.bill(amount="9.00")).json()["errors"]
    ipg.decide("pay")
    assert "invoiceId" in ipg.post("/ipg/sandbox", ipg.bill()).json()["errors"]


def test_a_question_is_answered_pending_and_then_with_what_the_webhook_says(
    ipg: PayableWorld,
) -> None:
    opened = ipg.open(ipg.bill())
    waiting = ipg.status(opened)
    assert (waiting.status_code, waiting.json()) == (
        404,
        {"status": 404, "error": {"err-message": "PENDING"}},
    )
    assert ipg.status({**opened, "statusIndicator": "another"}).status_code == 404
    ipg.decide("pay")
    ipg.settled()
    told = ipg.status(opened).json()
    assert told == {"status": 200, "data": ipg.merchant.heard[0]}


def test_a_card_is_kept_with_its_payment_and_listed_to_whoever_proves_it(
    ipg: PayableWorld,
) -> None:
    customer = ipg.kept()
    (told,) = ipg.merchant.heard
    assert (told["merchantId"], told["customerRefNo"]) == (MERCHANT_ID, "CUST1")
    (card,) = ipg.cards(customer)
    assert set(card) == {
        *("tokenId", "maskedCardNo", "exp", "reference", "nickname", "cardScheme", "tokenStatus"),
    }
    assert (card["maskedCardNo"], card["cardScheme"]) == ("411111xxxxxx1111", "VISA")
    asked = {"merchantId": MERCHANT_ID, "customerId": customer, "checkValue": "0" * 128}
    assert ipg.post("/ipg/v2/tokenize/listCard", asked).status_code == 404


def test_the_same_customer_keeps_several_cards_and_each_once(ipg: PayableWorld) -> None:
    customer = ipg.kept("A")
    assert ipg.kept("B", card="mastercard") == customer
    assert ipg.kept("C") == customer
    assert [card["cardScheme"] for card in ipg.cards(customer)] == ["VISA", "MASTERCARD"]
    other = ipg.kept("D", customer="CUST2")
    assert other != customer
    assert len(ipg.cards(other)) == 1


def test_a_declined_card_is_not_kept(ipg: PayableWorld) -> None:
    ipg.open(ipg.keeping())
    ipg.decide("decline")
    ipg.settled()
    assert "customerId" not in ipg.merchant.heard[0]


def test_a_kept_card_pays_and_the_webhook_tells(ipg: PayableWorld) -> None:
    customer = ipg.kept()
    token = ipg.cards(customer)[0]["tokenId"]
    assert ipg.charge(customer, token).json()["status"] == "PENDING"
    ipg.settled("INV9")
    told = ipg.merchant.heard[-1]
    assert (told["invoiceNo"], told["payableAmount"], told["statusCode"]) == ("INV9", "150.00", 1)
    assert told["checkValue"] == webhook_value(told)
    assert "invoiceId" in ipg.charge(customer, token).json()["errors"]


def test_a_kept_card_may_be_declined_later(ipg: PayableWorld) -> None:
    customer = ipg.kept(card="later")
    ipg.charge(customer, ipg.cards(customer)[0]["tokenId"])
    ipg.settled("INV9")
    assert ipg.merchant.heard[-1]["statusCode"] == 0


def test_another_customers_card_pays_nothing_and_is_not_removed(ipg: PayableWorld) -> None:
    mine, others = ipg.kept("A"), ipg.kept("B", customer="CUST2")
    token = ipg.cards(others)[0]["tokenId"]
    assert ipg.charge(mine, token).status_code == 404
    body = {"merchantId": MERCHANT_ID, "customerId": mine, "tokenId": token}
    value = check_value(MERCHANT_ID, mine, token)
    removed = ipg.post("/ipg/v2/tokenize/deleteCard", {**body, "checkValue": value})
    assert (removed.status_code, removed.json()["error"]) == (404, "Invalid authentication")
    assert len(ipg.cards(others)) == 1


def test_a_kept_card_is_named_by_who_has_the_bearer(ipg: PayableWorld) -> None:
    customer, others = ipg.kept("A"), ipg.kept("B", customer="CUST2")
    token = ipg.cards(customer)[0]["tokenId"]
    right = f"Bearer {ipg.bearer().json()['accessToken']}"

    def named(whose: str, bearer: str = right, **changed: object) -> int:
        body = {"merchantId": MERCHANT_ID, "customerId": whose, "tokenId": token}
        value = check_value(MERCHANT_ID, whose, token)
        more = {"nickName": "For the shop", "isDefaultCard": "0", "checkValue": value, **changed}
        asked = {**body, **more}
        return ipg.post("/ipg/v2/tokenize/editCard", asked, Authorization=bearer).status_code

    assert named(customer, "Bearer none") == 401
    assert named(others) == 404
    assert named(customer, checkValue="0" * 128) == 404
    assert named(customer, nickName="x" * 51) == named(customer, isDefaultCard="yes") == 400
    assert ipg.cards(customer)[0]["nickname"] == ""
    assert named(customer) == 200
    assert ipg.cards(customer)[0]["nickname"] == "For the shop"
    assert ipg.cards(others)[0]["nickname"] == ""


def test_a_removed_card_is_gone(ipg: PayableWorld) -> None:
    customer = ipg.kept()
    token = ipg.cards(customer)[0]["tokenId"]
    body = {"merchantId": MERCHANT_ID, "customerId": customer, "tokenId": token}
    value = check_value(MERCHANT_ID, customer, token)
    answer = ipg.post("/ipg/v2/tokenize/deleteCard", {**body, "checkValue": value})
    assert (answer.status_code, answer.json()["tokenId"]) == (200, token)
    assert ipg.cards(customer) == []
    assert ipg.charge(customer, token).status_code == 404


@pytest.mark.parametrize("pair", ["BUSINESS:wrong", "another:business-token", "", ":"])
def test_only_the_business_key_opens_the_payments_by_kept_cards(
    ipg: PayableWorld, pair: str
) -> None:
    assert ipg.bearer(pair).status_code == 404
    good = ipg.bearer()
    assert set(good.json()) == {"accessToken", "tokenType", "expiresIn"}
    for header in ("", "Bearer ", "Bearer 9999999999.0", good.json()["accessToken"], "Bearer é.x"):
        answer = requests.post(
            f"{ipg.url}/payable/ipg/v2/tokenize/pay",
            json={},
            headers={"Authorization": header.encode()},
            timeout=10,
        )
        assert answer.status_code == 401


def test_while_a_token_is_rotated_both_are_taken_and_the_first_signs() -> None:
    keys = PayableKeys(KEYS.merchant_key, f"a new token, {KEYS.merchant_token}")
    with payable_world(keys=keys) as ipg:
        ipg.open(ipg.bill())
        ipg.decide("pay")
        ipg.settled()
        told = ipg.merchant.heard[0]
        assert told["checkValue"] == webhook_value(told, "a new token")


def test_payments_and_cards_outlive_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.sqlite3")
    with payable_world(path) as before:
        customer = before.kept()
        opened = before.open(before.bill("INV2"))
    with payable_world(path) as after:
        assert len(after.cards(customer)) == 1
        assert after.status(opened).status_code == 404
        after.decide("pay", "INV2")
        assert after.status(opened).json()["data"]["statusCode"] == 1


def test_the_number_of_a_card_is_read_and_never_kept(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite3"
    with payable_world(str(path)) as ipg:
        opened = ipg.open(ipg.keeping())
        form = {"number": "4111 1111 1111 1111", "expiry": "12/30", "code": "987", "result": "pay"}
        ipg_page = f"{ipg.url}/payable/pages/{opened['uid']}"
        answer = requests.post(ipg_page, data=form, timeout=10, allow_redirects=False)
        assert answer.status_code == 303
        ipg.settled()
        files = b"".join(one.read_bytes() for one in tmp_path.iterdir())
        assert b"411111xxxxxx1111" in files
        for card in cards.CARDS.values():
            assert card.number.encode() not in files
            assert card.spaced.encode() not in files
