"""MoMo's own signatures decide: what its sandbox signed verifies, and one changed byte does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from payments.domain.errors import BadCallback, BadSignature, MalformedCallback, WrongMediaType
from payments.domain.states import Kind
from payments.providers.momo import CREATE, QUERY, REFUND, RESULTS, Momo
from payments.providers.signatures import hmac_sha256_hex
from payments.settings import load

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "momo.json").read_text())["momo"]
SIGNED = VECTORS["ipn_and_redirect"]
JSON = {"Content-Type": "application/json"}


def momo(access_key: str, *secret_keys: str, partner_code: str = "MOMO") -> Momo:
    return Momo(
        load(
            {
                "APP_ENV": "test",
                "SECRET_KEY": "a secret of the tests",
                "MOMO_PARTNER_CODE": partner_code,
                "MOMO_ACCESS_KEY": access_key,
                "MOMO_SECRET_KEY": ",".join(secret_keys),
            }
        )
    )


def the_shop_of(vector: dict[str, Any]) -> Momo:
    return momo(
        vector["accessKey"], vector["secretKey"], partner_code=vector["fields"]["partnerCode"]
    )


def body_of(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


@pytest.mark.parametrize("vector", SIGNED, ids=lambda v: v["fields"]["orderId"])
def test_what_momo_signed_is_believed_and_read(vector: dict[str, Any]) -> None:
    shop, body = the_shop_of(vector), body_of(vector["fields"])
    shop.verify(JSON, body)
    (notice,) = shop.read(JSON, body)
    fields = vector["fields"]
    assert notice.reference == fields["orderId"]
    assert (notice.amount, notice.currency) == (int(fields["amount"]), "VND")
    assert notice.kind is RESULTS.get(int(fields["resultCode"]), (Kind.PROCESSING, None))[0]
    assert notice.signed == vector["raw"].encode()


@pytest.mark.parametrize("vector", SIGNED, ids=lambda v: v["fields"]["orderId"])
def test_numbers_may_come_as_numbers(vector: dict[str, Any]) -> None:
    numbers = ("amount", "transId", "resultCode", "responseTime")
    fields = {k: int(v) if k in numbers else v for k, v in vector["fields"].items()}
    the_shop_of(vector).verify(JSON, body_of(fields))


@pytest.mark.parametrize("vector", SIGNED, ids=lambda v: v["fields"]["orderId"])
def test_each_changed_byte_of_a_signed_field_is_refused(vector: dict[str, Any]) -> None:
    shop, signed = the_shop_of(vector), vector["fields"]
    tried = 0
    for name, value in signed.items():
        for place in range(len(value)):
            changed = value[:place] + chr(ord(value[place]) ^ 1) + value[place + 1 :]
            with pytest.raises(BadCallback):
                shop.verify(JSON, body_of({**signed, name: changed}))
            tried += 1
    assert tried == sum(map(len, signed.values()))


def test_each_changed_bit_of_the_signature_is_refused() -> None:
    vector = SIGNED[0]
    shop, given = the_shop_of(vector), bytes.fromhex(vector["signature"])
    for bit in range(len(given) * 8):
        changed = bytearray(given)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadSignature):
            shop.verify(JSON, body_of({**vector["fields"], "signature": changed.hex()}))


@pytest.mark.parametrize("vector", VECTORS["ipn_negative"])
def test_the_negative_vectors_are_refused(vector: dict[str, Any]) -> None:
    assert hmac_sha256_hex(vector["secretKey"], vector["raw"]) != vector["claimed_signature"]


@pytest.mark.parametrize("missing", [None, "", 7, ["x"], {"a": 1}])
def test_a_missing_signature_is_no_signature(missing: object) -> None:
    vector = SIGNED[0]
    fields = {**vector["fields"], "signature": missing}
    with pytest.raises(BadSignature):
        the_shop_of(vector).verify(JSON, body_of(fields))
    fields.pop("signature")
    with pytest.raises(BadSignature):
        the_shop_of(vector).verify(JSON, body_of(fields))


def test_unsigned_fields_that_nobody_knows_are_ignored() -> None:
    vector = SIGNED[0]
    fields = {**vector["fields"], "paymentOption": "momo", "promotionInfo": [{"a": 1}]}
    the_shop_of(vector).verify(JSON, body_of(fields))


def test_another_shops_callback_is_not_ours() -> None:
    vector = SIGNED[0]
    other = momo(vector["accessKey"], vector["secretKey"], partner_code="ANOTHER")
    with pytest.raises(BadSignature):
        other.verify(JSON, body_of(vector["fields"]))


def test_both_secrets_verify_while_one_is_rotated_and_the_old_one_not_after() -> None:
    vector = SIGNED[0]
    partner = vector["fields"]["partnerCode"]
    inside = momo(vector["accessKey"], "the new one", vector["secretKey"], partner_code=partner)
    inside.verify(JSON, body_of(vector["fields"]))
    after = momo(vector["accessKey"], "the new one", partner_code=partner)
    with pytest.raises(BadSignature):
        after.verify(JSON, body_of(vector["fields"]))


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_callback_that_is_not_json_is_the_wrong_type(media: str) -> None:
    with pytest.raises(WrongMediaType):
        the_shop_of(SIGNED[0]).verify({"Content-Type": media}, body_of(SIGNED[0]["fields"]))


@pytest.mark.parametrize("wrong", [{}, [], 1.5, True, None])
def test_a_signed_field_of_the_wrong_type_is_malformed(wrong: object) -> None:
    with pytest.raises(MalformedCallback):
        the_shop_of(SIGNED[0]).verify(JSON, body_of({**SIGNED[0]["fields"], "amount": wrong}))


@pytest.mark.parametrize(
    ("call", "order"), [("create", CREATE), ("refund", REFUND)], ids=["create", "refund"]
)
def test_our_calls_are_signed_as_an_independent_package_signs_them(
    call: str, order: tuple[str, ...]
) -> None:
    for vector in VECTORS[call]:
        shop = momo(vector["accessKey"], vector["secretKey"])
        signed = shop._string(order, vector["body"])
        assert signed == vector["raw"]
        assert hmac_sha256_hex(vector["secretKey"], signed) == vector["signature"]


@pytest.mark.parametrize("vector", VECTORS["query"])
def test_our_questions_are_signed_in_the_documented_order(vector: dict[str, Any]) -> None:
    fields = dict(pair.split("=", 1) for pair in vector["raw"].split("&"))
    signed = momo(vector["accessKey"], vector["secretKey"])._string(QUERY, fields)
    assert (signed, hmac_sha256_hex(vector["secretKey"], signed)) == (
        vector["raw"],
        vector["signature"],
    )


FINAL_FAILURES = {
    *(98, 99, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1017, 1026, 2019, 4001, 4002, 4100)
}
"""The "final failure" row of MoMo's result code table."""


@pytest.mark.parametrize(
    "code", sorted({0, 9000, 1000, 7000, 7002, 8000, 10, 13, 49, 77777, *FINAL_FAILURES})
)
def test_a_result_code_means_what_momos_table_says(code: int) -> None:
    shop = momo("access", "secret")
    fields = {
        "partnerCode": "MOMO",
        "orderId": "P1",
        "requestId": "P1",
        "amount": 1000,
        "transId": 5,
        "resultCode": code,
    }
    (notice,) = shop.read(JSON, body_of(fields))
    expected = (
        Kind.SUCCEEDED
        if code in {0, 9000}
        else Kind.FAILED
        if code in FINAL_FAILURES
        else Kind.PROCESSING
    )
    assert notice.kind is expected, "an unknown code is not paid, and is asked about again"
