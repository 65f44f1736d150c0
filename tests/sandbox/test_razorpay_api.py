"""The pretended Razorpay's API, held against its documents and its own Python package."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import razorpay
import requests
from razorpay.errors import BadRequestError

from tests.sandbox.razorpay import (
    KEY_ID,
    KEY_SECRET,
    WEBHOOK_SECRET,
    RazorpayWorld,
    code_body,
    link_body,
    opened_razorpay,
)
from tests.sandbox.world import Json


@pytest.fixture
def world() -> Iterator[RazorpayWorld]:
    with opened_razorpay() as one:
        yield one


@pytest.fixture
def package(world: RazorpayWorld) -> Any:
    """Razorpay's own package, talking to the pretended one."""
    return razorpay.Client(auth=(KEY_ID, KEY_SECRET), base_url=f"{world.url}/razorpay")


def test_razorpays_package_can_do_all_its_work_here(world: RazorpayWorld, package: Any) -> None:
    code = package.qrcode.create(code_body("P1"))
    assert package.qrcode.fetch(code["id"])["status"] == "active"
    paid = world.decide("P1")["payment_id"]
    assert package.qrcode.fetch_all_payments(code["id"])["items"][0]["id"] == paid
    assert package.payment.fetch(paid)["status"] == "captured"
    made = package.payment.refund(paid, {"amount": 10_000, "receipt": "R123456789"})
    assert package.payment.fetch_refund_id(paid, made["id"])["status"] == "processed"
    assert package.refund.fetch(made["id"])["amount"] == 10_000
    order = package.order.create({"amount": 500, "currency": "INR", "receipt": "O1"})
    assert package.order.fetch(order["id"])["status"] == "created"
    assert package.order.payments(order["id"])["count"] == 0
    link = package.payment_link.create(link_body("P2"))
    assert package.payment_link.fetch(link["id"])["status"] == "created"
    with pytest.raises(BadRequestError, match="at least INR"):
        package.payment_link.create(link_body("P3", amount=99))


def test_each_event_is_signed_as_razorpays_package_verifies(
    world: RazorpayWorld, package: Any
) -> None:
    world.code("P1")
    world.link("P2")
    world.decide("P1", "decline")
    world.decide("P1", forged=True)
    world.decide("P2")
    believed = []
    for headers, body in world.merchant.heard:
        given = headers["X-Razorpay-Signature"]
        try:
            package.utility.verify_webhook_signature(body.decode(), given, WEBHOOK_SECRET)
            believed.append(True)
        except razorpay.errors.SignatureVerificationError:
            believed.append(False)
    assert world.merchant.events == [
        *("payment.failed", "payment.captured", "qr_code.credited"),
        *("payment.captured", "order.paid", "payment_link.paid"),
    ]
    assert believed == [True, False, False, True, True, True]


def test_the_browser_comes_back_with_what_razorpays_package_verifies(
    world: RazorpayWorld, package: Any
) -> None:
    world.link("P2")
    answer = requests.post(
        f"{world.url}/razorpay/asks/P2/decide",
        data={"result": "pay"},
        timeout=10,
        allow_redirects=False,
    )
    back = answer.headers["Location"]
    assert back.startswith("https://shop.test/back?a=1&")
    carried = dict(parse_qsl(urlsplit(back).query))
    names = ("payment_id", "payment_link_id", "payment_link_reference_id", "payment_link_status")
    given = {name: carried[f"razorpay_{name}"] for name in names}
    named = {"payment_id": "razorpay_payment_id"}
    said = {named.get(name, name): text for name, text in given.items()}
    signature = {"razorpay_signature": carried["razorpay_signature"]}
    assert package.utility.verify_payment_link_signature(said | signature)
    with pytest.raises(razorpay.errors.SignatureVerificationError):
        package.utility.verify_payment_link_signature(
            said | signature | {"payment_link_status": "created"}
        )
    assert given["payment_link_reference_id"] == "P2"


def test_whoever_lacks_the_key_is_told_nothing(world: RazorpayWorld) -> None:
    code = world.code()
    for auth in (None, (KEY_ID, "wrong"), ("wrong", KEY_SECRET), ("é", "")):
        address = f"{world.api}/payments/qr_codes/{code['id']}"
        answer = requests.get(address, auth=auth, timeout=10)
        assert answer.status_code == 401
        assert answer.json()["error"]["description"] == "Authentication failed"


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"type": "bharat_qr"}, "type"),
        ({"usage": "twice"}, "usage"),
        ({"fixed_amount": False}, "fixed_amount"),
        ({"payment_amount": 99}, "payment_amount"),
        ({"payment_amount": 10_000_001}, "payment_amount"),
        ({"payment_amount": "64900"}, "payment_amount"),
        ({"payment_amount": 649.0}, "payment_amount"),
        ({"close_by": int(time.time()) + 800}, "close_by"),
        ({"notes": {"reference": "x" * 257}}, "notes"),
        ({"notes": {str(n): "x" for n in range(16)}}, "notes"),
    ],
)
def test_a_code_that_breaks_a_rule_is_refused_with_its_field(
    world: RazorpayWorld, changes: Json, about: str
) -> None:
    answer = world.call("POST", "/payments/qr_codes", code_body("P1", **changes))
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == about
    assert answer.json()["error"]["code"] == "BAD_REQUEST_ERROR"


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"amount": 99}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"accept_partial": True}, "accept_partial"),
        ({"reference_id": "x" * 41}, "reference_id"),
        ({"callback_url": "javascript:alert(1)"}, "callback_url"),
        ({"callback_method": "post"}, "callback_method"),
        ({"expire_by": int(time.time()) + 800}, "expire_by"),
    ],
)
def test_a_link_that_breaks_a_rule_is_refused_with_its_field(
    world: RazorpayWorld, changes: Json, about: str
) -> None:
    answer = world.call("POST", "/payment_links", link_body("P1", **changes))
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, about)


def test_a_reference_is_good_for_one_link(world: RazorpayWorld) -> None:
    world.link("P1")
    again = world.call("POST", "/payment_links", link_body("P1"))
    assert (again.status_code, again.json()["error"]["field"]) == (400, "reference_id")


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'{"a": NaN}', b"[" * 30_000, b" " * 99_999])
def test_a_malformed_body_is_the_callers_fault(world: RazorpayWorld, raw: bytes) -> None:
    for path in ("/payments/qr_codes", "/payment_links", "/orders", "/payments/pay_1/refund"):
        answer = requests.post(
            f"{world.api}{path}", data=raw, auth=(KEY_ID, KEY_SECRET), timeout=10
        )
        assert answer.status_code in {400, 413}


def test_a_code_is_paid_once_and_a_failed_try_leaves_it_open(world: RazorpayWorld) -> None:
    code = world.code()
    assert world.decide("P1", "no_money")["status"] == "failed"
    assert world.decide("P1")["status"] == "captured"
    assert world.press("P1", "pay").status_code == 409
    shown = world.done(world.call("GET", f"/payments/qr_codes/{code['id']}"))
    assert (shown["status"], shown["close_reason"]) == ("closed", "paid")
    assert shown["payments_amount_received"] == 64_900


def test_a_closed_code_cannot_be_paid(world: RazorpayWorld) -> None:
    code = world.code()
    world.done(world.call("POST", f"/payments/qr_codes/{code['id']}/close"))
    assert world.press("P1", "pay").status_code == 409
    assert world.merchant.heard == []


def test_an_account_may_have_pictures_alone_or_no_codes(world: RazorpayWorld) -> None:
    assert world.code("P1")["image_content"].startswith("upi://pay?")
    world.account(qr="picture")
    code = world.code("P2")
    assert "image_content" not in code
    picture = requests.get(f"{world.url}/razorpay/i/{code['id']}.png", timeout=10)
    assert picture.headers["Content-Type"] == "image/png"
    world.account(qr="none")
    assert world.call("POST", "/payments/qr_codes", code_body("P3")).status_code == 404


class TestRefunds:
    def test_the_same_refund_asked_for_twice_is_one(self, world: RazorpayWorld) -> None:
        world.code()
        paid = world.decide("P1", silent=True)["payment_id"]
        first, again = (world.done(world.refund(paid, 20_000)) for _ in range(2))
        assert first == again
        assert first["receipt"] == "R123456789"
        other = world.refund(paid, 20_001)
        assert other.status_code == 400
        assert world.done(world.call("GET", f"/payments/{paid}"))["amount_refunded"] == 20_000

    def test_no_more_goes_back_than_came(self, world: RazorpayWorld) -> None:
        world.code()
        paid = world.decide("P1", silent=True)["payment_id"]
        assert world.refund(paid, 64_901).status_code == 400
        assert world.refund(paid, 64_900).status_code == 200
        assert world.refund(paid, 100, "R987654321").status_code == 400

    @pytest.mark.parametrize("name", ["short", "with space 1", "ключ-ключ-ключ"])
    def test_a_key_that_is_no_key_is_refused(self, world: RazorpayWorld, name: str) -> None:
        world.code()
        paid = world.decide("P1", silent=True)["payment_id"]
        headers = {"X-Refund-Idempotency": name.encode()}
        answer = requests.post(
            f"{world.api}/payments/{paid}/refund",
            json={"amount": 100},
            auth=(KEY_ID, KEY_SECRET),
            headers=headers,
            timeout=10,
        )
        assert answer.status_code == 400

    @pytest.mark.parametrize(
        ("mode", "end"), [("later", "processed"), ("fails", "failed")], ids=["later", "fails"]
    )
    def test_its_end_may_come_later(self, world: RazorpayWorld, mode: str, end: str) -> None:
        world.code()
        paid = world.decide("P1", silent=True)["payment_id"]
        world.account(refunds=mode)
        made = world.done(world.refund(paid, 64_900))
        assert made["status"] == "pending"
        world.settled("P1")
        assert world.merchant.events == ["refund.created", f"refund.{end}"]
        asked = world.done(world.call("GET", f"/payments/{paid}/refunds/{made['id']}"))
        assert asked["status"] == end


def test_codes_outlive_the_process(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.sqlite3")
    with opened_razorpay(path) as before:
        code = before.code()
    with opened_razorpay(path) as after:
        assert after.decide("P1")["status"] == "captured"
        assert after.code("P2")["id"] != code["id"]
