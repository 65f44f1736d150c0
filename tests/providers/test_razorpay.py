"""Razorpay's webhooks: its own package signs, each bit counts, and each event means one thing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from razorpay.errors import SignatureVerificationError
from razorpay.utility import Utility

from payments.domain.errors import BadSignature, MalformedCallback, WrongMediaType
from payments.domain.notice import Notice
from payments.domain.states import Kind
from payments.front.words import FAILURES
from payments.providers.razorpay import Razorpay
from payments.providers.razorpay_events import (
    PAYMENT_EVENTS,
    REASONS,
    REFUND_EVENTS,
    of_link,
    of_payments,
)
from payments.providers.signatures import hmac_sha256_hex
from payments.settings import load

HERE = Path(__file__).parent
VECTORS = json.loads((HERE.parent / "vectors" / "razorpay.json").read_text())["razorpay"]
JSON = {"Content-Type": "application/json"}
SECRET = "sandbox-razorpay-webhook-secret"
REFERENCE = "P23456789ABCDEF"
Json = dict[str, Any]


def razorpay(*webhook_secrets: str) -> Razorpay:
    return Razorpay(
        load(
            {
                "APP_ENV": "test",
                "SECRET_KEY": "a secret of the tests",
                "RAZORPAY_KEY_ID": "rzp_test_key",
                "RAZORPAY_KEY_SECRET": "secret of the key",
                "RAZORPAY_WEBHOOK_SECRET": ",".join(webhook_secrets or (SECRET,)),
            }
        )
    )


def sample(name: str) -> Json:
    found: Json = json.loads((HERE / "samples" / "razorpay" / f"{name}.json").read_text())
    return found


def body_of(name: str) -> Json:
    body = sample(name)["body"]
    found: Json = json.loads(body) if isinstance(body, str) else body
    return found


def read(body: Json, event_id: str = "HO2fEpc9JeOQU5") -> list[Notice]:
    headers = {**JSON, "x-razorpay-event-id": event_id}
    return list(razorpay().read(headers, json.dumps(body).encode()))


def read_sample(name: str) -> Notice:
    (notice,) = read(body_of(name), sample(name)["headers"]["X-Razorpay-Event-Id"])
    return notice


def signed(vector: Json) -> dict[str, str]:
    return {**JSON, "X-Razorpay-Signature": vector["signature_hex"]}


# ---- The signature ----


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: json.loads(v["raw_body"])["event"])
def test_what_razorpays_package_signed_is_believed(vector: Json) -> None:
    razorpay(vector["secret"]).verify(signed(vector), vector["raw_body"].encode())


@pytest.mark.parametrize("text", ['{"a":1}', '{"note":"₹ कॉफ़ी"}', '{ "a" : 1.0 }\n', "{}"])
@pytest.mark.parametrize("secret", [SECRET, "clé-₹", "s"])
def test_razorpays_package_agrees_about_any_body(text: str, secret: str) -> None:
    given = hmac_sha256_hex(secret, text)
    Utility().verify_webhook_signature(text, given, secret)
    razorpay(secret).verify({**JSON, "X-Razorpay-Signature": given}, text.encode())
    for wrong in (given[:-1] + ("0" if given[-1] != "0" else "1"), given.upper(), given[:-2]):
        with pytest.raises(SignatureVerificationError):
            Utility().verify_webhook_signature(text, wrong, secret)
        with pytest.raises(BadSignature):
            razorpay(secret).verify({**JSON, "X-Razorpay-Signature": wrong}, text.encode())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: json.loads(v["raw_body"])["event"])
def test_each_changed_byte_of_the_body_is_refused(vector: Json) -> None:
    shop, body = razorpay(vector["secret"]), vector["raw_body"].encode()
    for place in range(len(body)):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises((BadSignature, MalformedCallback)):
            shop.verify(signed(vector), changed)


def test_each_changed_bit_of_the_signature_is_refused() -> None:
    vector = VECTORS[0]
    shop, given = razorpay(vector["secret"]), bytes.fromhex(vector["signature_hex"])
    for bit in range(len(given) * 8):
        changed = bytearray(given)
        changed[bit // 8] ^= 1 << bit % 8
        headers = {**JSON, "X-Razorpay-Signature": changed.hex()}
        with pytest.raises(BadSignature):
            shop.verify(headers, vector["raw_body"].encode())


@pytest.mark.parametrize("given", [None, "", " ", "é", "x" * 5000])
def test_a_missing_signature_is_no_signature(given: str | None) -> None:
    headers = JSON if given is None else {**JSON, "X-Razorpay-Signature": given}
    with pytest.raises(BadSignature):
        razorpay().verify(headers, b"{}")


def test_the_keys_secret_is_not_the_webhooks() -> None:
    given = hmac_sha256_hex("secret of the key", "{}")
    with pytest.raises(BadSignature):
        razorpay().verify({**JSON, "X-Razorpay-Signature": given}, b"{}")


def test_both_secrets_verify_while_one_is_rotated_and_the_old_one_not_after() -> None:
    vector = VECTORS[0]
    body = vector["raw_body"].encode()
    razorpay("the new one", vector["secret"]).verify(signed(vector), body)
    with pytest.raises(BadSignature):
        razorpay("the new one").verify(signed(vector), body)


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_callback_that_is_not_json_is_the_wrong_type(media: str) -> None:
    with pytest.raises(WrongMediaType):
        razorpay().verify({"Content-Type": media}, b"{}")


# ---- The events ----


@pytest.mark.parametrize(
    ("name", "transaction"),
    [
        ("qr_code_credited", "pay_HO2fEpc9JeOQU5"),
        ("payment_link_paid", "pay_FOGsH8uHkF2FbR"),
        ("order_paid", "pay_FOGsH8uHkF2FbR"),
    ],
)
def test_money_is_read_from_each_event_that_tells_of_it(name: str, transaction: str) -> None:
    notice = read_sample(name)
    assert notice.kind is Kind.SUCCEEDED
    assert (notice.provider, notice.paid_on) == ("razorpay", "upi")
    assert (notice.reference, notice.transaction_id) == (REFERENCE, transaction)
    assert (notice.amount, notice.currency, notice.any_amount) == (64_900, "INR", False)
    assert notice.event_id == f"{sample(name)['headers']['X-Razorpay-Event-Id']}:{transaction}"
    assert notice.evidence == ("116812981837",), "the UTR, as staff may have typed it"


def test_money_without_a_name_of_ours_is_still_money() -> None:
    notice = read_sample("payment_captured")
    assert (notice.kind, notice.reference) == (Kind.SUCCEEDED, None)
    assert (notice.transaction_id, notice.amount) == ("pay_TestPay0000001", 50_000)


def test_a_try_that_took_no_money_and_names_nothing_of_ours_is_nothing() -> None:
    failed = json.loads(VECTORS[1]["raw_body"])
    assert failed["event"] == "payment.failed"
    assert read(failed) == []


def test_a_failed_try_says_why_and_leaves_the_code_open() -> None:
    notice = read_sample("payment_failed")
    assert (notice.kind, notice.reason_code) == (Kind.FAILED, "declined_by_payer")
    assert (notice.reference, notice.again) == (REFERENCE, True)


@pytest.mark.parametrize("reason", [*sorted(REASONS), "a new reason", None, 7, ["x"]])
def test_every_reason_has_a_word_of_ours(reason: Any) -> None:
    body = body_of("payment_failed")
    entity = body["payload"]["payment"]["entity"]
    entity |= {"error_reason": reason, "error_source": "issuer_bank"}
    known = REASONS.get(reason, "unknown") if isinstance(reason, str) else "unknown"
    assert read(body)[0].reason_code == known


def test_an_authorised_payment_is_not_paid_yet() -> None:
    body = body_of("qr_code_credited")
    body["event"] = "payment.authorized"
    body["payload"]["payment"]["entity"]["status"] = "authorized"
    assert read(body)[0].kind is Kind.PROCESSING


@pytest.mark.parametrize(
    "event", [e for e, kind in PAYMENT_EVENTS.items() if kind is Kind.SUCCEEDED]
)
@pytest.mark.parametrize("status", ["created", "authorized", "failed"])
def test_a_success_about_a_payment_that_is_none_is_not_believed(event: str, status: str) -> None:
    body = body_of("qr_code_credited")
    body["event"] = event
    body["payload"]["payment"]["entity"]["status"] = status
    assert read(body)[0].kind is Kind.PROCESSING


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("refund.created", Kind.PROCESSING),
        ("refund.processed", Kind.SUCCEEDED),
        ("refund.failed", Kind.FAILED),
    ],
)
def test_a_refund_is_told_by_our_name_for_it(event: str, kind: Kind) -> None:
    body = {**body_of("refund_processed"), "event": event}
    (notice,) = read(body)
    assert (notice.kind, notice.refund) == (kind, "R23456789ABCDEFGH")
    assert (notice.transaction_id, notice.amount) == ("rfnd_Heax5rxucwf2aS", 64_900)


def test_a_refund_without_our_name_goes_by_razorpays() -> None:
    body = body_of("refund_processed")
    body["payload"]["refund"]["entity"] |= {"receipt": None, "notes": []}
    assert read(body)[0].refund == "rfnd_Heax5rxucwf2aS"


@pytest.mark.parametrize(
    "event",
    ["qr_code.created", "qr_code.closed", "refund.speed_changed", "payment.dispute.created"],
)
def test_an_event_that_says_nothing_of_money_says_nothing(event: str) -> None:
    assert read({**body_of("qr_code_created"), "event": event}) == []


def test_the_same_event_again_has_the_same_id_and_another_event_another() -> None:
    body = body_of("qr_code_credited")
    first, again, other = (read(body, header)[0] for header in ("A1", "A1", "B2"))
    assert first.event_id == again.event_id != other.event_id


@pytest.mark.parametrize("header", ["", " ", "x" * 65, "é", "two words"])
def test_without_its_id_an_event_is_known_by_what_it_says(header: str) -> None:
    body = body_of("qr_code_credited")
    assert read(body, header)[0].event_id == "qr_code.credited@1623914419:pay_HO2fEpc9JeOQU5"


def test_an_empty_object_may_be_a_list() -> None:
    body = body_of("payment_link_paid")
    body["payload"]["order"]["entity"]["notes"] = []
    body["payload"]["payment_link"]["entity"]["notes"] = []
    assert read(body)[0].reference == REFERENCE, "by the link's own number"


def test_what_the_payers_browser_wrote_on_the_payment_does_not_outweigh_the_order() -> None:
    body = body_of("order_paid")
    body["payload"]["payment"]["entity"]["notes"] = {"reference": "PSOMEBODYELSES1"}
    body["payload"]["order"]["entity"]["notes"] = {"reference": REFERENCE}
    assert read(body)[0].reference == REFERENCE


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(("id", one) for one in (None, "", 7, "order_1", "pay_", "pay_1/../2", "pay_" + "x" * 41)),
        *(("amount", one) for one in (None, "64900", 649.0, -1, True, 2**63, [64_900])),
        *(("currency", one) for one in (None, "", "inr", 356, "RUPEES")),
    ],
)
def test_a_payment_that_cannot_be_read_is_malformed(field: str, wrong: Any) -> None:
    body = body_of("qr_code_credited")
    body["payload"]["payment"]["entity"][field] = wrong
    with pytest.raises(MalformedCallback):
        read(body)


@pytest.mark.parametrize(
    "payload", [None, [], "x", {}, {"payment": []}, {"payment": {"entity": 7}}]
)
def test_an_event_of_money_without_its_payment_is_malformed(payload: Any) -> None:
    with pytest.raises(MalformedCallback):
        read({**body_of("qr_code_credited"), "payload": payload})
    with pytest.raises(MalformedCallback):
        read({"event": ["payment.captured"]})


# ---- The answers ----


def answer(name: str) -> Json:
    found: Json = json.loads(
        (HERE / "samples" / "razorpay" / "answers" / f"{name}.json").read_text()
    )["body"]
    return found


def test_the_payments_of_a_code_are_read() -> None:
    (notice,) = of_payments(answer("payments")["items"], REFERENCE)
    assert (notice.kind, notice.transaction_id) == (Kind.SUCCEEDED, "pay_HO2fEpc9JeOQU5")
    assert (notice.reference, notice.amount) == (REFERENCE, 64_900)
    assert notice.event_id == "captured:pay_HO2fEpc9JeOQU5"


def test_money_outweighs_the_tries_that_failed() -> None:
    paid = answer("payments")["items"][0]
    failed = {**paid, "id": "pay_first", "status": "failed", "error_reason": "insufficient_funds"}
    waits = {**paid, "id": "pay_second", "status": "authorized"}
    for items in ([failed, waits, paid], [paid, failed]):
        assert [one.kind for one in of_payments(items, REFERENCE)] == [Kind.SUCCEEDED]
    assert [one.kind for one in of_payments([failed, waits], REFERENCE)] == [Kind.PROCESSING]
    (only,) = of_payments([failed, {**failed, "id": "pay_zero"}], REFERENCE)
    assert (only.kind, only.reason_code) == (Kind.FAILED, "no_funds")
    assert of_payments([None, 7, {"status": ["x"]}, {"status": "new"}], REFERENCE) == []


def test_a_payment_link_says_who_paid_it() -> None:
    (notice,) = of_link(answer("payment_link_paid"), REFERENCE)
    assert (notice.kind, notice.transaction_id) == (Kind.SUCCEEDED, "pay_FOGsH8uHkF2FbR")
    assert (notice.amount, notice.currency) == (64_900, "INR")
    assert of_link(answer("payment_link"), REFERENCE) == []


@pytest.mark.parametrize(("status", "why"), [("expired", "timed_out"), ("cancelled", "cancelled")])
def test_a_link_that_has_ended_unpaid_has_failed(status: str, why: str) -> None:
    ended = {**answer("payment_link"), "status": status}
    (notice,) = of_link(ended, REFERENCE)
    assert (notice.kind, notice.reason_code, notice.again) == (Kind.FAILED, why, False)
    paid = {**answer("payment_link_paid"), "status": status}
    assert [one.kind for one in of_link(paid, REFERENCE)] == [Kind.SUCCEEDED]


# ---- The documents ----


def test_the_page_of_razorpay_has_the_reasons_and_events_of_the_code() -> None:
    page = (HERE.parents[1] / "docs" / "providers" / "razorpay.md").read_text()
    part = page.split("<!-- reasons: begin -->")[1].split("<!-- reasons: end -->")[0]
    rows = re.findall(r"^\| (.+?) \| `(\w+)` \| (.+?) \|$", part, re.MULTILINE)
    told = {reason: code for names, code, _ in rows for reason in re.findall(r"`(\w+)`", names)}
    assert told == REASONS
    words = {code: said for _, code, said in rows if code in FAILURES}
    assert words == {code: str(FAILURES[code]) for code in words}
    assert set(REASONS.values()) | {"declined_by_payer"} == set(words)
    for event in (*PAYMENT_EVENTS, *REFUND_EVENTS):
        assert f"`{event}`" in page
