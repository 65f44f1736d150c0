"""payOS: its own package decides what is signed; only what is signed may say that money came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payos import PayOS
from payos._core.exceptions import WebhookError
from payos._crypto import CryptoProvider

from payments.domain.errors import BadCallback, BadSignature, MalformedCallback
from payments.providers.payos import Payos, signed_text
from payments.providers.signatures import hmac_sha256_hex
from payments.settings import load
from tests.feeds import PAYOS_KEY, Transfer, each, payos, written
from tests.signing import JSON

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "payos.json").read_text())["payos"]
MEMO = "P23456789ABCDEF"
WRONG: list[Any] = ["x", 7, False, [], {}]
LINE = Transfer(f"CS7A {MEMO}", 50_000, 1_042, "FT26305112233")


def shop(*keys: str) -> Payos:
    return Payos(
        load(
            {
                "APP_ENV": "test",
                "SECRET_KEY": "a secret of the tests",
                "PAYOS_CLIENT_ID": "client",
                "PAYOS_API_KEY": "api-key",
                "PAYOS_CHECKSUM_KEY": ",".join(keys or (PAYOS_KEY,)),
            }
        )
    )


def around(data: dict[str, Any], signature: str, **more: Any) -> bytes:
    message = {"code": "00", "desc": "success", "success": True, "data": data}
    return written(message | {"signature": signature} | more)


def signed(data: dict[str, Any], **more: Any) -> bytes:
    signature = CryptoProvider().create_signature_from_object(data, PAYOS_KEY)
    assert signature is not None
    return around(data, signature, **more)


@pytest.mark.parametrize("vector", VECTORS["webhook"], ids=lambda v: v["data"]["orderCode"])
def test_what_payos_documents_is_believed(vector: dict[str, Any]) -> None:
    assert signed_text(vector["data"]) == vector["raw"]
    shop(vector["checksum_key"]).verify(JSON, around(vector["data"], vector["signature"]))


def test_payos_own_package_believes_what_we_believe() -> None:
    package = PayOS(client_id="c", api_key="a", checksum_key=PAYOS_KEY)
    vector = VECTORS["webhook"][1]
    whole = signed(vector["data"])
    shop().verify(JSON, whole)
    assert package.webhooks.verify(whole).amount == vector["data"]["amount"]
    changed = json.loads(whole)
    changed["data"]["amount"] += 1
    with pytest.raises(WebhookError):
        package.webhooks.verify(written(changed))
    with pytest.raises(BadSignature):
        shop().verify(JSON, written(changed))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20),
    st.sampled_from(["null", "undefined", "", "00"]),
    st.lists(
        st.one_of(
            st.integers(0, 99),
            st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
            st.text('xyzé/"', max_size=4),
        ),
        max_size=3,
    ),
)


@given(st.dictionaries(st.from_regex(r"[A-Za-z]{1,12}", fullmatch=True), VALUES, max_size=8))
def test_whatever_keys_come_the_package_signs_the_same_text(data: dict[str, Any]) -> None:
    theirs = CryptoProvider().create_signature_from_object(data, PAYOS_KEY)
    assert hmac_sha256_hex(PAYOS_KEY, signed_text(data)) == theirs


def test_a_transfer_is_read() -> None:
    told = payos(LINE)
    shop().verify(told.headers, told.body)
    (notice,) = shop().read(told.headers, told.body)
    assert (notice.event_id, notice.transaction_id) == ("FT26305112233", "payos:FT26305112233")
    assert (notice.amount, notice.currency) == (50_000, "VND")
    assert (notice.memos, notice.evidence) == ((MEMO,), ("FT26305112233",))


def test_the_memo_may_stand_in_the_reference() -> None:
    told = payos(Transfer("coffee", 50_000, number=MEMO))
    (notice,) = shop().read(told.headers, told.body)
    assert notice.memos == (MEMO,)


def test_a_key_that_nobody_knew_is_signed_as_well() -> None:
    told = payos(LINE, somethingNew="x")
    shop().verify(told.headers, told.body)
    message = json.loads(told.body)
    for change in ({"somethingNew": "y"}, {"oneMore": "z"}):
        with pytest.raises(BadSignature):
            shop().verify(JSON, written({**message, "data": {**message["data"], **change}}))
    del message["data"]["somethingNew"]
    with pytest.raises(BadSignature):
        shop().verify(JSON, written(message))


def test_each_changed_value_is_refused() -> None:
    told = payos(LINE)
    message = json.loads(told.body)
    for name, value in message["data"].items():
        for other in WRONG:
            if other == value:
                continue
            changed = {**message, "data": {**message["data"], name: other}}
            with pytest.raises(BadCallback):
                shop().verify(JSON, written(changed))


def test_the_sample_by_which_a_webhook_is_registered_is_welcome_and_brings_no_money() -> None:
    vector = VECTORS["webhook"][0]
    one = shop(vector["checksum_key"])
    whole = around(vector["data"], vector["signature"])
    one.verify(JSON, whole)
    assert list(one.read(JSON, whole)) == []


@pytest.mark.parametrize("around_it", [{"success": False}, {"code": "01"}, {"code": None}])
def test_what_is_not_signed_may_only_deny_it(around_it: dict[str, Any]) -> None:
    message = json.loads(payos(LINE).body)
    assert list(shop().read(JSON, written(message | around_it))) == []


def test_what_is_signed_has_to_say_that_it_was_paid() -> None:
    failed = json.loads(payos(LINE, code="01").body)
    assert list(shop().read(JSON, written(failed))) == []
    silent = json.loads(payos(LINE, code=None).body)
    with pytest.raises(MalformedCallback):
        shop().read(JSON, written(silent))


@pytest.mark.parametrize("wrong", ["", None, 7, [], "0" * 64, "é"])
def test_another_signature_is_refused(wrong: object) -> None:
    message = json.loads(payos(LINE).body)
    with pytest.raises(BadSignature):
        shop().verify(JSON, written(message | {"signature": wrong}))
    del message["signature"]
    with pytest.raises(BadSignature):
        shop().verify(JSON, written(message))


@pytest.mark.parametrize("data", [None, [], "x", 7])
def test_without_data_nothing_is_signed(data: object) -> None:
    with pytest.raises(BadSignature):
        shop().verify(JSON, written({"data": data, "signature": "0" * 64}))


def test_the_old_key_is_believed_only_while_it_is_rotated() -> None:
    told = payos(LINE, key="the old one")
    shop(PAYOS_KEY, "the old one").verify(told.headers, told.body)
    with pytest.raises(BadSignature):
        shop().verify(told.headers, told.body)


@pytest.mark.parametrize(
    "changed",
    [
        *each("amount", None, "x", 5.5, True, 10**12),
        *each("currency", "vnd", "XXXX", 704, "DOGE"),
        *each("reference", "é", "x" * 81),
    ],
)
def test_what_makes_no_sense_is_malformed(changed: dict[str, Any]) -> None:
    with pytest.raises(MalformedCallback):
        shop().read(JSON, payos(LINE, **changed).body)


def test_a_transfer_without_a_number_is_named_by_what_is_signed() -> None:
    one, same, other = (
        shop().read(JSON, payos(Transfer("x", amount, 5)).body)[0]
        for amount in (50_000, 50_000, 50_001)
    )
    assert one.event_id == same.event_id != other.event_id
    assert one.evidence == ()
