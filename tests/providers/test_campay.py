"""CamPay's token proves its sender alone; numbers, amounts and words come in many forms."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest

from payments.domain.errors import (
    BadSignature,
    InvalidInput,
    MalformedCallback,
    WrongMediaType,
)
from payments.domain.states import Kind
from payments.providers import campay_wire as wire
from payments.providers.campay import Campay
from payments.providers.campay_token import check_token
from payments.settings import load

HERE = Path(__file__).parent
VECTORS = json.loads((HERE.parent / "vectors" / "campay.json").read_text())["campay_jwt"]
KEY = VECTORS[0]["webhook_key"]
NOW = 1_795_000_000.0
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
THEIRS = "bcedde9b-62a7-4421-96ac-2e6179552a1a"
OURS = "P23456789ABCDEF"


def campay(*webhook_keys: str) -> Campay:
    return Campay(
        load(
            {
                "APP_ENV": "test",
                "SECRET_KEY": "a secret of the tests",
                "CAMPAY_PERMANENT_ACCESS_TOKEN": "token",
                "CAMPAY_WEBHOOK_KEY": ",".join(webhook_keys),
            }
        )
    )


def answer(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (HERE / "samples" / "campay" / "answers" / f"{name}.json").read_text()
    )
    return found


def signed(algorithm: str = "HS256", key: str = KEY, **claims: Any) -> str:
    """By PyJWT, which we do not verify with."""
    return jwt.encode(claims, key, algorithm=algorithm)


def callback(**changes: Any) -> dict[str, Any]:
    fields = {
        "status": "SUCCESSFUL",
        "reference": THEIRS,
        "amount": "5.00",
        "currency": "XAF",
        "external_reference": OURS,
        "endpoint": "collect",
        "signature": VECTORS[0]["jwt"],
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


# ---- The token ----


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: ",".join(v["claims"]))
def test_what_pyjwt_signed_is_believed(vector: dict[str, Any]) -> None:
    check_token(vector["jwt"], [vector["webhook_key"]], NOW)
    shop = campay(vector["webhook_key"])
    body = json.dumps(callback(signature=vector["jwt"])).encode()
    shop.verify(JSON, body)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: ",".join(v["claims"]))
def test_each_changed_bit_of_the_tokens_text_is_refused(vector: dict[str, Any]) -> None:
    """The last letter too, whose lowest bits stand for nothing in base64."""
    token = vector["jwt"].encode()
    for bit in range(len(token) * 8):
        changed = bytearray(token)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadSignature):
            check_token(changed.decode("latin-1"), [vector["webhook_key"]], NOW)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_another_algorithm_with_the_right_key_is_refused(algorithm: str) -> None:
    key = KEY * 2
    with pytest.raises(BadSignature):
        check_token(signed(algorithm, key, iat=int(NOW)), [key], NOW)


def test_a_token_that_says_it_is_not_signed_is_refused() -> None:
    unsigned = jwt.encode({"iat": int(NOW)}, None, algorithm="none")
    for token in (unsigned, unsigned.rstrip("."), f"{unsigned}AAAA"):
        with pytest.raises(BadSignature):
            check_token(token, [KEY], NOW)


def test_a_header_that_lies_about_its_algorithm_is_refused() -> None:
    """HS256 by its signature, another thing by its name."""
    for name, believed in (("none", False), ("HS512", False), ("hs256", False), ("HS256", True)):
        head = base64.urlsafe_b64encode(json.dumps({"alg": name}).encode()).rstrip(b"=")
        text = b".".join([head, signed(iat=int(NOW)).split(".")[1].encode()])
        mac = base64.urlsafe_b64encode(hmac.digest(KEY.encode(), text, "sha256")).rstrip(b"=")
        token = b".".join([text, mac]).decode()
        if believed:
            check_token(token, [KEY], NOW)
        else:
            with pytest.raises(BadSignature):
                check_token(token, [KEY], NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"iat": int(NOW)},
        {"source": "CamPay", "iat": int(NOW), "exp": int(NOW) + 600},
        {"iat": int(NOW) + 299, "nbf": int(NOW) + 299, "exp": int(NOW) + 600},
        {"iat": NOW - 0.5, "exp": NOW + 0.5},
    ],
    ids=["none", "iat", "source", "a clock ahead", "fractions"],
)
def test_whatever_claims_campay_sends_are_taken_while_they_are_good(
    claims: dict[str, Any],
) -> None:
    check_token(signed(**claims), [KEY], NOW)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(NOW)},
        {"exp": int(NOW) - 1},
        {"iat": int(NOW) + 301},
        {"nbf": int(NOW) + 86_400},
        {"exp": str(int(NOW) + 60)},
        {"exp": True},
        {"exp": [4102444800]},
    ],
    ids=["now", "expired", "iat ahead", "a day ahead", "text", "true", "list"],
)
def test_a_token_out_of_its_time_is_refused(claims: dict[str, Any]) -> None:
    token = jwt.api_jws.encode(json.dumps(claims).encode(), KEY, algorithm="HS256")
    with pytest.raises(BadSignature):
        check_token(token, [KEY], NOW)


@pytest.mark.parametrize(
    "token", [None, "", 7, ["x"], {"a": 1}, "a.b", "a.b.c.d", "..", "é.é.é", "x" * 10_000]
)
def test_what_is_no_token_is_no_signature(token: object) -> None:
    with pytest.raises(BadSignature):
        check_token(token, [KEY], NOW)


def test_both_keys_verify_while_one_is_rotated_and_the_old_one_not_after() -> None:
    body = json.dumps(callback()).encode()
    campay("the new webhook key", KEY).verify(JSON, body)
    with pytest.raises(BadSignature):
        campay("the new webhook key").verify(JSON, body)


def test_a_shop_without_a_webhook_key_believes_nobody() -> None:
    for key in (KEY, ""):
        token = jwt.api_jws.encode(b"{}", key.ljust(32), algorithm="HS256")
        with pytest.raises(BadSignature):
            campay().verify(JSON, json.dumps(callback(signature=token)).encode())


# ---- The callback ----


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8"])
def test_a_callback_only_rings(media: str) -> None:
    """Its status is anybody's: a token that was seen once signs every other callback."""
    for status in ("SUCCESSFUL", "FAILED", "PENDING", "REVERSED"):
        body = json.dumps(callback(status=status)).encode()
        campay(KEY).verify({"Content-Type": media}, body)
        (notice,) = campay(KEY).read({"Content-Type": media}, body)
        assert not notice.proven
        assert (notice.kind, notice.amount) == (Kind.PROCESSING, None)
        assert (notice.reference, notice.transaction_id, notice.refund) == (OURS, THEIRS, None)


def test_a_callback_in_an_address_is_read_like_one_in_a_body() -> None:
    shop, body = campay(KEY), urlencode(callback()).encode()
    shop.verify(FORM, body)
    (notice,) = shop.read(FORM, body)
    assert (notice.reference, notice.transaction_id) == (OURS, THEIRS)


def test_the_same_callback_is_the_same_event_and_another_is_another() -> None:
    shop = campay(KEY)
    ids = [
        shop.read(JSON, json.dumps(callback(status=status)).encode())[0].event_id
        for status in ("PENDING", "PENDING", "SUCCESSFUL")
    ]
    assert ids[0] == ids[1] != ids[2]
    assert all(one.startswith(f"rung:{THEIRS}:") for one in ids)


def test_a_callback_about_money_sent_is_about_a_refund() -> None:
    body = json.dumps(callback(endpoint="withdraw", external_reference="R1")).encode()
    (notice,) = campay(KEY).read(JSON, body)
    assert (notice.refund, notice.reference, notice.transaction_id) == ("R1", None, THEIRS)
    nameless = json.dumps(callback(endpoint="withdraw", external_reference="None")).encode()
    (notice,) = campay(KEY).read(JSON, nameless)
    assert (notice.refund, notice.transaction_id) == (THEIRS, THEIRS)


@pytest.mark.parametrize("absent", [None, "", "None"])
def test_a_callback_without_their_reference_is_about_ours(absent: str | None) -> None:
    (notice,) = campay(KEY).read(JSON, json.dumps(callback(reference=absent)).encode())
    assert (notice.reference, notice.transaction_id) == (OURS, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": None, "external_reference": None},
        {"reference": "../../balance", "external_reference": OURS},
        {"reference": 7},
        {"reference": ["x"]},
        {"reference": "x" * 65},
    ],
)
def test_a_callback_that_names_nothing_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedCallback):
        campay(KEY).read(JSON, json.dumps(callback(**changes)).encode())


@pytest.mark.parametrize(
    "body",
    [b"reference=a&reference=b", b"a=%ff", b"\xff\xfe", b"a=%00", b"&".join([b"a=1"] * 51)],
    ids=["twice", "no UTF-8", "no UTF-8 either", "NUL", "too many"],
)
def test_a_form_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedCallback):
        campay(KEY).verify(FORM, body)


@pytest.mark.parametrize("media", ["text/plain", "multipart/form-data; boundary=x", ""])
def test_a_callback_of_another_type_is_the_wrong_type(media: str) -> None:
    with pytest.raises(WrongMediaType):
        campay(KEY).verify({"Content-Type": media}, json.dumps(callback()).encode())


# ---- Numbers ----


@pytest.mark.parametrize(
    "typed",
    [
        *("677123456", "6 77 12 34 56", "677-12-34-56", "+237677123456", "+237 677 12 34 56"),
        *("237677123456", "00237677123456", "(+237) 677.12.34.56", " 677123456\t"),
        *("+237\u00a0677\u00a012\u00a034\u00a056", "677\u201112\u201134\u201156"),
    ],
)
def test_a_number_is_taken_as_people_of_cameroon_write_it(typed: str) -> None:
    assert wire.number_of(typed) == "237677123456"
    assert wire.local_form("237677123456") == "6 77 12 34 56"


@pytest.mark.parametrize(
    "typed",
    [
        *(None, "", " ", "+", "67712345", "6771234567", "222123456", "+23722123456"),
        *("+33677123456", "+84 677 123 456", "0677123456", "+237 0677123456", "237237677123456"),
        *("६७७१२३४५६", "677l23456", "677123456; DROP", "tel:677123456", "6" * 10_000),
    ],
)
def test_a_number_of_elsewhere_is_refused_before_anybody_is_asked(typed: str | None) -> None:
    with pytest.raises(InvalidInput) as refused:
        wire.number_of(typed)
    assert (refused.value.code, refused.value.field) == ("invalid_phone", "phone")


@pytest.mark.parametrize(
    ("number", "said", "operator"),
    [
        ("237677123456", "MTN", "MTN"),
        ("237677123456", "mtn", "MTN"),
        ("237677123456", "mtn or orange", "MTN"),
        ("237655123456", None, "ORANGE"),
        ("237699123456", "", "ORANGE"),
        ("237620123456", "mtn or orange", None),
        ("237677123456", "Orange", "ORANGE"),
    ],
)
def test_whose_number_it_is(number: str, said: str | None, operator: str | None) -> None:
    assert wire.operator_of(number, said) == operator


@pytest.mark.parametrize(
    ("said", "operator", "code"),
    [
        ("*126#", "MTN", "*126#"),
        ("#150*50#", None, "#150*50#"),
        (answer("collect")["body"]["ussd_code"], "MTN", "*126#"),
        (answer("collect")["body"]["ussd_code"], "ORANGE", "#150*50#"),
        (answer("collect")["body"]["ussd_code"], None, None),
        (answer("collect_demo")["body"]["ussd_code"], "MTN", "*126#"),
        ("Look at your phone", "MTN", None),
        (None, "MTN", None),
        (["*126#"], "MTN", None),
    ],
)
def test_the_code_to_dial_is_the_payers_operators(
    said: object, operator: str | None, code: str | None
) -> None:
    assert wire.code_to_dial(said, operator) == code


def test_what_the_payer_reads_has_letters_that_every_operator_takes() -> None:
    assert wire.plain("Thé d'Éva, 5 kg", "P1") == "The d Eva, 5 kg P1"
    assert wire.plain("Cà phê <b>", "P1") == "Ca phe b P1"
    assert wire.plain("चाय", "P1") == "P1"
    long = wire.plain("x" * 500, OURS)
    assert len(long) == wire.MOST_DESCRIPTION
    assert long.endswith(f" {OURS}")


# ---- Answers ----


@pytest.mark.parametrize(
    ("value", "francs"), [("5.00", 5), ("5", 5), (5, 5), (5.0, 5), ("4500.", 4500), ("0.00", 0)]
)
def test_an_amount_is_whole_francs_in_any_form(value: object, francs: int) -> None:
    assert wire.whole(value) == francs


@pytest.mark.parametrize(
    "value",
    [
        "5.50",
        5.5,
        "-5",
        -5,
        True,
        None,
        "",
        "5,00",
        "1e3",
        1e22,
        "\u0665",
        [5],
        " 5",
        "5\n",
        "9" * 16,
    ],
)
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="amount"):
        wire.whole(value)


@pytest.mark.parametrize("name", ["transaction", "transaction_older"])
def test_the_recorded_transactions_are_read(name: str) -> None:
    found = wire.transaction_of(answer(name)["body"])
    assert (found.reference, found.kind, found.amount, found.currency) == (
        THEIRS,
        Kind.SUCCEEDED,
        5,
        "XAF",
    )
    assert found.external in {OURS, None}
    assert found.reason is None


@pytest.mark.parametrize("refusal", answer("refused")["bodies"])
def test_the_error_code_is_found_wherever_it_stands(refusal: dict[str, Any]) -> None:
    assert wire.error_of(json.dumps(refusal).encode()) == "invalid_phone"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("NOT_ENOUGH_FUNDS", "no_funds"),
        ("Not enough funds", "no_funds"),
        ("APPROVAL_REJECTED", "declined_by_payer"),
        ("Expired.", "timed_out"),
        ("ER301: Insufficient balance", "balance_too_low"),
        ("refused (ER102)", "carrier_not_taken"),
        ("ER999", "unknown"),
        ("SUPERER101", "unknown"),
        ("None", "unknown"),
        (None, "unknown"),
        (["EXPIRED"], "unknown"),
    ],
)
def test_a_reason_becomes_one_that_customers_can_be_told(said: object, code: str) -> None:
    body = {**answer("transaction")["body"], "status": "FAILED", "reason": said}
    assert wire.transaction_of(body).reason == code


def test_an_unknown_status_says_nothing() -> None:
    body = {**answer("transaction")["body"], "status": "REVERSED"}
    assert wire.transaction_of(body).kind is Kind.PROCESSING


def test_the_vectors_have_not_run_out() -> None:
    """They were made to last: the tests above use a clock of their own, the contract the real."""
    assert all(vector["claims"]["exp"] > time.time() for vector in VECTORS)


def test_the_page_of_campay_tells_every_reason() -> None:
    page = (HERE.parents[1] / "docs" / "providers" / "campay.md").read_text()
    part = page.split("<!-- reasons: begin -->")[1].split("<!-- reasons: end -->")[0]
    told: dict[str, str] = {}
    for row in part.strip().splitlines()[2:-1]:
        theirs, ours, _ = (cell.strip() for cell in row.strip("|").split("|"))
        told |= {word: ours.strip("`") for word in re.findall(r"`(\w+)`", theirs)}
    assert told == wire.ERRORS | wire.REASONS
