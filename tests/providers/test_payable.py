"""PAYable: what its check value covers decides, and nothing else does; nothing is asked in vain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from payments.domain.cards import CardHolder
from payments.domain.errors import (
    BadSignature,
    InvalidInput,
    MalformedCallback,
    ProviderRefused,
    ProviderUnavailable,
    WrongMediaType,
)
from payments.domain.order import Order, Payment, begun
from payments.domain.ports import Addresses, Payer
from payments.domain.states import Kind, OrderStatus
from payments.providers import payable_wire
from payments.providers.payable import UNKNOWN, Payable
from payments.providers.payable_wire import check_value, environment
from payments.providers.registry import CARDS, REFUND, Rails
from payments.settings import Settings, load
from payments.store.db import now
from tests.sandbox.world import Json, served

HERE = Path(__file__).parent
VECTORS = json.loads((HERE.parent / "vectors" / "payable.json").read_text())["payable"]
SAMPLES = HERE / "samples" / "payable"
JSON = {"Content-Type": "application/json"}
KEY, TOKEN = "KEY0001", "TOKEN0001"
REFERENCE = "P2222222222222A"
SIGNED = (
    *("merchantKey", "payableOrderId", "payableTransactionId", "payableAmount"),
    *("payableCurrency", "invoiceNo", "statusCode", "checkValue"),
)


def settings(url: str = "https://ipgpayment.payable.lk", **more: str) -> Settings:
    return load(
        {
            "APP_ENV": "test",
            "SECRET_KEY": "a secret of the tests",
            "PUBLIC_URL": "https://pay.shop.test",
            "PAYABLE_MERCHANT_KEY": KEY,
            "PAYABLE_MERCHANT_TOKEN": TOKEN,
            "PAYABLE_BUSINESS_KEY": "BUSINESS",
            "PAYABLE_BUSINESS_TOKEN": "business-token",
            "PAYABLE_API_URL": url,
            **more,
        }
    )


def sample(name: str) -> Json:
    found: Json = json.loads((SAMPLES / f"{name}.json").read_text())
    return found


def body_of(message: Json) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


@pytest.fixture
def shop() -> Payable:
    return Payable(settings())


# ---- Check values ----


@pytest.mark.parametrize("vector", VECTORS["requests"], ids=lambda v: v["kind"])
def test_our_bills_are_hashed_as_payables_own_package_hashes_them(vector: Json) -> None:
    values = [vector[name] for name in ("merchantKey", "invoiceId", "amount", "currencyCode")]
    values += [vector["customerRefNo"]] if vector["isSaveCard"] == "1" else []
    assert check_value(vector["merchantToken"], *values) == vector["checkValue"]


@pytest.mark.parametrize("vector", VECTORS["webhooks_formula_only"], ids=lambda v: v["kind"])
def test_the_other_formulas_are_the_documented_ones(vector: Json) -> None:
    values = [str(vector[name]) for name in vector["order"][:-1]]
    assert check_value(vector["merchantToken"], *values) == vector["checkValue"]


# ---- Callbacks ----


@pytest.mark.parametrize("name", ["paid", "declined", "card_kept", "card_kept_signed_plainly"])
def test_what_payable_signed_is_believed_and_read(shop: Payable, name: str) -> None:
    message = sample(name)["body"]
    shop.verify(JSON, body_of(message))
    (notice,) = shop.read(JSON, body_of(message))
    assert notice.reference == REFERENCE
    assert (notice.amount, notice.currency) == (100_060, "LKR")
    assert notice.kind is (Kind.FAILED if name == "declined" else Kind.SUCCEEDED)
    assert notice.event_id == f"{message['payableTransactionId']}:{message['statusCode']}"
    assert notice.signed is not None
    assert TOKEN.encode() not in notice.signed
    assert (notice.kept_card is not None) is name.startswith("card_kept")


def test_each_changed_character_of_what_is_signed_is_refused(shop: Payable) -> None:
    message, tried = sample("card_kept")["body"], 0
    for name in (*SIGNED, "customerRefNo"):
        text = str(message[name])
        for place in range(len(text)):
            changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
            with pytest.raises((BadSignature, MalformedCallback)):
                shop.verify(JSON, body_of({**message, name: changed}))
            tried += 1
    assert tried > 250


def test_the_message_in_words_decides_nothing(shop: Payable) -> None:
    lie = {**sample("declined")["body"], "statusMessage": "SUCCESS", "statusMessage2": "PAID"}
    shop.verify(JSON, body_of(lie))
    (notice,) = shop.read(JSON, body_of(lie))
    assert (notice.kind, notice.reason_code) == (Kind.FAILED, "card_declined")


@pytest.mark.parametrize("code", [0, 2, -1, 11, "0", "01", "", "1 "])
def test_whatever_is_not_the_documented_success_is_none(shop: Payable, code: object) -> None:
    (notice,) = shop.read(JSON, body_of({**sample("paid")["body"], "statusCode": code}))
    assert notice.kind is Kind.FAILED


@pytest.mark.parametrize(
    "name", ["payableOrderId", "payableTransactionId", "invoiceNo", "statusCode", "customerRefNo"]
)
def test_no_field_may_pass_for_two(shop: Payable, name: str) -> None:
    """`1|H22..` as the code of a payment without a card would be hashed like the two apart."""
    with pytest.raises(MalformedCallback):
        shop.verify(JSON, body_of({**sample("card_kept")["body"], name: "1|H2"}))


def test_a_kept_cards_callback_is_not_a_plain_one_with_a_longer_code(shop: Payable) -> None:
    message = sample("card_kept")["body"]
    holder = message.pop("customerRefNo")
    with pytest.raises(MalformedCallback):
        shop.verify(JSON, body_of({**message, "statusCode": f"1|{holder}"}))


def test_the_shorter_formula_of_kept_cards_can_be_closed(
    shop: Payable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payable_wire, "TOKENISED_MAY_BE_SIGNED_PLAINLY", False)
    shop.verify(JSON, body_of(sample("card_kept")["body"]))
    with pytest.raises(BadSignature):
        shop.verify(JSON, body_of(sample("card_kept_signed_plainly")["body"]))


@pytest.mark.parametrize(
    "changed",
    [
        *({"payableAmount": one} for one in ("1000.6", "1000", "1,000.60", "1e3", 1000.6, None)),
        *({"payableCurrency": one} for one in ("lkr", "RUPEES", None, 144)),
        *({"invoiceNo": one} for one in ("", "x" * 65, None, ["P"], "a b")),
        *({"statusCode": one} for one in (None, True, 1.0, [1])),
        {"payableTransactionId": "t" * 129},
    ],
)
def test_what_has_another_form_is_malformed(shop: Payable, changed: Json) -> None:
    with pytest.raises(MalformedCallback):
        shop.read(JSON, body_of({**sample("paid")["body"], **changed}))


@pytest.mark.parametrize("given", [None, "", 7, ["x"], "0" * 128])
def test_a_missing_check_value_is_none(shop: Payable, given: object) -> None:
    with pytest.raises(BadSignature):
        shop.verify(JSON, body_of({**sample("paid")["body"], "checkValue": given}))


def test_another_merchants_callback_is_not_ours() -> None:
    other = Payable(settings(PAYABLE_MERCHANT_KEY="ANOTHER"))
    with pytest.raises(BadSignature):
        other.verify(JSON, body_of(sample("paid")["body"]))


def test_both_tokens_verify_while_one_is_rotated_and_the_first_signs() -> None:
    inside = Payable(settings(PAYABLE_MERCHANT_TOKEN=f"the new one,{TOKEN}"))
    inside.verify(JSON, body_of(sample("paid")["body"]))
    body = inside._request(a_payment(), an_order(), Payer(), TO)
    assert body["checkValue"] == check_value("the new one", KEY, REFERENCE, "2350.00", "LKR")
    with pytest.raises(BadSignature):
        Payable(settings(PAYABLE_MERCHANT_TOKEN="the new one")).verify(
            JSON, body_of(sample("paid")["body"])
        )


def test_a_callback_that_is_not_json_is_the_wrong_type(shop: Payable) -> None:
    with pytest.raises(WrongMediaType):
        shop.verify({"Content-Type": "text/plain"}, body_of(sample("paid")["body"]))


# ---- Our calls ----

TO = Addresses("https://pay.shop.test/return", "https://pay.shop.test/callbacks/payable")
HOLDER = CardHolder(
    "payable", "U1", "H2222222222222222", {"merchant_id": "mid-0001", "customer_id": "cid-0001"}
)


def an_order(**changes: Any) -> Order:
    made = Order(
        id="O1",
        status=OrderStatus.PENDING,
        version=1,
        amount=235_000,
        currency="LKR",
        amount_paid=0,
        amount_excess=0,
        amount_refunded=0,
        amount_credited=0,
        purpose="sale",
        description="Ceylon tea",
        late=False,
        customer_id=None,
        customer_email=None,
        customer_name=None,
        salon_id=None,
        return_url=None,
        metadata={},
        created_by="key:shop",
        created_at=now(),
        expires_at=now(),
        ended_at=None,
    )
    return replace(made, **changes)


def a_payment(**handle: str) -> Payment:
    return replace(begun(REFERENCE, an_order(), "payable", 235_000, now()), handle=handle or None)


class Ipg:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Json | str]] = {}
        self.asked: list[tuple[str, Json, str | None]] = []
        self.url = ""

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.post("/<path:path>")
        def answer(path: str) -> tuple[Json | str, int]:
            self.asked.append((path, request.get_json(), request.headers.get("Authorization")))
            status, body = self.answers[path.rpartition("/")[2]]
            return body, status

        return app


@pytest.fixture
def ipg() -> Iterator[Ipg]:
    one = Ipg()
    with served(one.app()) as one.url:
        yield one


@pytest.mark.parametrize(
    ("url", "simulator", "name"),
    [
        ("https://sandboxipgpayment.payable.lk", None, "sandbox"),
        ("https://ipgpayment.payable.lk", None, "pro"),
        ("https://ipgpayment.payable.lk", "http://127.0.0.1:5000/sandbox/payable", "pro"),
        (
            "http://127.0.0.1:5000/sandbox/payable",
            "http://127.0.0.1:5000/sandbox/payable",
            "sandbox",
        ),
        ("https://pay.test/sandbox", None, "pro"),
    ],
)
def test_the_address_names_its_environment(url: str, simulator: str | None, name: str) -> None:
    assert environment(url, simulator) == name


def test_a_bill_holds_what_is_known_and_nothing_empty(shop: Payable) -> None:
    order = an_order(customer_name="Nimal Kumara Perera", customer_email="nimal@shop.test")
    payer = shop.check(order, Payer(phone="077 123-4567"))
    body = shop._request(a_payment(), order, payer, TO)
    assert (body["customerFirstName"], body["customerLastName"]) == ("Nimal", "Kumara Perera")
    assert (body["customerEmail"], body["customerMobilePhone"]) == ("nimal@shop.test", "0771234567")
    assert (body["amount"], body["currencyCode"], body["paymentType"]) == ("2350.00", "LKR", "1")
    assert body["webhookUrl"] == TO.callback_url
    assert "customerRefNo" not in body
    assert all(body.values())
    nobody = shop._request(a_payment(), an_order(), shop.check(an_order(), Payer()), TO)
    assert {name: nobody[name] for name in UNKNOWN} == UNKNOWN


def test_a_bill_that_keeps_the_card_is_hashed_with_its_holder(shop: Payable) -> None:
    body = shop._request(a_payment(), an_order(), Payer(save_card=True, card_holder=HOLDER), TO)
    assert (body["paymentType"], body["isSaveCard"], body["doFirstPayment"]) == ("3", "1", "1")
    signed = (KEY, REFERENCE, "2350.00", "LKR", HOLDER.reference)
    assert body["checkValue"] == check_value(TOKEN, *signed)


@pytest.mark.parametrize(
    ("payer", "field"),
    [
        (Payer(email="nobody"), "email"),
        (Payer(email="a@b"), "email"),
        (Payer(email="a b@c.lk"), "email"),
        (Payer(phone="call me"), "phone"),
        (Payer(phone="12"), "phone"),
        (Payer(save_card=True), "save_card"),
    ],
)
def test_what_payable_would_refuse_is_refused_before_it_is_asked(
    shop: Payable, payer: Payer, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        shop.check(an_order(), payer)
    assert refused.value.field == field


def test_the_payer_is_sent_to_the_page_and_the_page_is_remembered(ipg: Ipg) -> None:
    ipg.answers["pro"] = 200, sample("answers/init_answer")
    started = Payable(settings(ipg.url)).start(a_payment(), an_order(), Payer(), TO)
    assert started.action.type == "redirect"
    assert started.action.url == sample("answers/init_answer")["paymentPage"]
    assert set(started.handle) == {"uid", "status_indicator"}
    assert started.transaction_id is None
    assert ipg.asked[0][0] == "ipg/pro"


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ((400, "answers/init_refused_fields"), ProviderRefused, "invalid_email"),
        ((200, "answers/init_refused_fields"), ProviderRefused, "invalid_email"),
        ((400, "answers/init_refused_keys"), ProviderUnavailable, "provider_unavailable"),
        ((200, "answers/status_pending"), ProviderUnavailable, "provider_unavailable"),
    ],
)
def test_a_refusal_is_final_where_a_field_is_wrong_and_passing_where_not(
    ipg: Ipg, answer: tuple[int, str], error: type[ProviderRefused], code: str
) -> None:
    ipg.answers["pro"] = answer[0], sample(answer[1])
    with pytest.raises(error) as refused:
        Payable(settings(ipg.url)).start(a_payment(), an_order(), Payer(), TO)
    assert refused.value.code == code
    assert TOKEN not in refused.value.message


@pytest.mark.parametrize(
    "page", ["javascript:alert(1)", "", 7, None, "data:text/html,x", "//payable.lk"]
)
def test_a_page_that_is_no_web_address_is_not_followed(ipg: Ipg, page: object) -> None:
    ipg.answers["pro"] = 200, {**sample("answers/init_answer"), "paymentPage": page}
    with pytest.raises(ProviderUnavailable):
        Payable(settings(ipg.url)).start(a_payment(), an_order(), Payer(), TO)


def test_a_question_is_answered_by_what_the_callback_would_say(ipg: Ipg) -> None:
    shop = Payable(settings(ipg.url))
    asked = a_payment(uid="u-1", status_indicator="s-1")
    ipg.answers["check-status"] = 404, sample("answers/status_pending")
    assert shop.fetch(asked).notices == ()
    ipg.answers["check-status"] = 200, sample("answers/status_paid")
    (notice,) = shop.fetch(asked).notices
    assert (notice.kind, notice.reference, notice.amount) == (Kind.SUCCEEDED, REFERENCE, 100_060)
    assert ipg.asked[-1][:2] == (
        "ipg/pro/check-status",
        {"uid": "u-1", "statusIndicator": "s-1"},
    )


def test_an_answer_about_another_payment_says_nothing(ipg: Ipg) -> None:
    told = sample("answers/status_paid")
    ipg.answers["check-status"] = 200, {**told, "data": {**told["data"], "invoiceNo": "ANOTHER"}}
    asked = a_payment(uid="u-1", status_indicator="s-1")
    assert Payable(settings(ipg.url)).fetch(asked).notices == ()


def test_a_payment_without_a_page_is_not_asked_about(ipg: Ipg) -> None:
    assert Payable(settings(ipg.url)).fetch(a_payment()).notices == ()
    assert ipg.asked == []


def test_an_answer_that_makes_no_sense_is_none(ipg: Ipg) -> None:
    told = sample("answers/status_paid")
    ipg.answers["check-status"] = 200, {**told, "data": {**told["data"], "payableAmount": "much"}}
    with pytest.raises(ProviderUnavailable):
        Payable(settings(ipg.url)).fetch(a_payment(uid="u-1", status_indicator="s-1"))


# ---- Kept cards ----


def test_cards_are_listed_as_payable_gives_them(ipg: Ipg) -> None:
    ipg.answers["listCard"] = 200, sample("answers/cards")
    (card,) = Payable(settings(ipg.url)).cards(HOLDER)
    assert card.as_dict() == {
        "token_id": "tok-0001",
        "masked_number": "512345xxxxxx0008",
        "scheme": "MASTERCARD",
        "expiry": "12/30",
        "nickname": "",
    }
    path, body, _ = ipg.asked[0]
    assert path == "ipg/v2/tokenize/listCard"
    assert body["checkValue"] == check_value(TOKEN, "mid-0001", "cid-0001")


@pytest.mark.parametrize(
    "answer",
    [
        (404, {"status": 404, "error": "Invalid authentication"}),
        (200, {"tokenizedCardList": "none"}),
        (200, {"tokenizedCardList": [], "customerRefNo": "H3333333333333333"}),
        (200, {"tokenizedCardList": []}),
    ],
)
def test_a_list_that_is_not_proved_to_be_this_persons_is_not_shown(
    ipg: Ipg, answer: tuple[int, Json]
) -> None:
    ipg.answers["listCard"] = answer
    with pytest.raises(ProviderUnavailable):
        Payable(settings(ipg.url)).cards(HOLDER)


def test_a_card_is_named_with_a_fresh_bearer(ipg: Ipg) -> None:
    ipg.answers["tokenize"] = 200, {"accessToken": "bearer-1", "expiresIn": "300"}
    ipg.answers["editCard"] = 200, {"tokenId": "tok-0001", "tokenStatus": "ACTIVE"}
    shop = Payable(settings(ipg.url))
    shop.name_card(HOLDER, "tok-0001", "For the shop")
    path, body, bearer = ipg.asked[-1]
    assert (path, bearer) == ("ipg/v2/tokenize/editCard", "Bearer bearer-1")
    assert body == {
        "merchantId": "mid-0001",
        "customerId": "cid-0001",
        "tokenId": "tok-0001",
        "nickName": "For the shop",
        "isDefaultCard": "0",
        "checkValue": check_value(TOKEN, "mid-0001", "cid-0001", "tok-0001"),
    }
    for refusal in ((404, {"status": 404}), (200, {"status": 400, "errors": {}})):
        ipg.answers["editCard"] = refusal
        with pytest.raises(ProviderRefused) as refused:
            shop.name_card(HOLDER, "tok-0001", "For the shop")
        assert refused.value.code == "card_not_named"


def test_a_card_is_removed_by_its_token(ipg: Ipg) -> None:
    ipg.answers["deleteCard"] = 200, {"tokenId": "tok-0001", "tokenStatus": "DELETED"}
    shop = Payable(settings(ipg.url))
    shop.remove_card(HOLDER, "tok-0001")
    assert ipg.asked[0][1]["checkValue"] == check_value(TOKEN, "mid-0001", "cid-0001", "tok-0001")
    ipg.answers["deleteCard"] = 404, {"status": 404, "error": "Invalid authentication"}
    with pytest.raises(ProviderRefused):
        shop.remove_card(HOLDER, "tok-0001")


BY_CARD = Payer(token_id="tok-0001", card_holder=HOLDER)


def test_a_kept_card_is_charged_once_with_a_fresh_bearer(ipg: Ipg) -> None:
    ipg.answers["tokenize"] = 200, {"accessToken": "bearer-1", "expiresIn": "300"}
    ipg.answers["pay"] = 200, {"status": "PENDING", "uid": "u-1", "statusIndicator": "s-1"}
    started = Payable(settings(ipg.url)).start(a_payment(), an_order(), BY_CARD, TO)
    assert started.action.as_dict() == {"type": "none"}
    assert started.handle == {"uid": "u-1", "status_indicator": "s-1"}
    (_, grant, key), (_, body, bearer) = ipg.asked
    assert (grant, key) == (
        {"grant_type": "client_credentials"},
        "QlVTSU5FU1M6YnVzaW5lc3MtdG9rZW4=",
    )
    assert bearer == "Bearer bearer-1"
    signed = ("mid-0001", REFERENCE, "2350.00", "LKR", "cid-0001", "tok-0001")
    assert body["checkValue"] == check_value(TOKEN, *signed)
    assert body["webhookUrl"] == TO.callback_url


@pytest.mark.parametrize("answer", [(500, {}), (503, {}), (429, {}), (200, "no JSON")])
def test_a_charge_that_may_have_been_taken_is_not_sent_again_and_not_called_failed(
    ipg: Ipg, answer: tuple[int, Json | str]
) -> None:
    ipg.answers["tokenize"] = 200, {"accessToken": "bearer-1"}
    ipg.answers["pay"] = answer
    started = Payable(settings(ipg.url)).start(a_payment(), an_order(), BY_CARD, TO)
    assert (started.action.type, started.handle) == ("none", {})
    assert [path.rpartition("/")[2] for path, _, _ in ipg.asked] == ["tokenize", "pay"]


@pytest.mark.parametrize("answer", [(400, {"status": 400}), (200, {"status": 404}), (401, {})])
def test_a_charge_that_was_refused_has_failed(ipg: Ipg, answer: tuple[int, Json]) -> None:
    ipg.answers["tokenize"] = 200, {"accessToken": "bearer-1"}
    ipg.answers["pay"] = answer
    with pytest.raises(ProviderRefused) as refused:
        Payable(settings(ipg.url)).start(a_payment(), an_order(), BY_CARD, TO)
    assert refused.value.code == "card_declined"


@pytest.mark.parametrize("answer", [(404, {}), (200, {}), (200, {"accessToken": "é"})])
def test_without_a_bearer_nothing_is_charged(ipg: Ipg, answer: tuple[int, Json]) -> None:
    ipg.answers["tokenize"] = answer
    with pytest.raises(ProviderUnavailable):
        Payable(settings(ipg.url)).start(a_payment(), an_order(), BY_CARD, TO)
    assert len(ipg.asked) == 1


def test_cards_are_kept_only_with_a_business_key_and_nothing_is_refunded() -> None:
    whole = Rails(settings())
    assert whole.keeping_cards() == ["payable"]
    plain = Rails(settings(PAYABLE_BUSINESS_KEY="", PAYABLE_BUSINESS_TOKEN=""))
    assert plain.offers("payable")
    assert plain.keeping_cards() == []
    assert not any(one.able("payable", REFUND) for one in (whole, plain))
    assert whole.able("payable", CARDS)
