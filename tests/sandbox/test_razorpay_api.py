"""The pretended Razorpay's API, held against its documents and its own Python package."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import razorpay
import requests
from razorpay.errors import BadRequestError

from tests.outside import Page
from tests.sandbox.razorpay import (
    KEY_ID,
    KEY_SECRET,
    WEBHOOK_SECRET,
    RazorpayWorld,
    code_body,
    link_body,
    opened_razorpay,
    order_body,
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


def test_an_account_may_have_orders_alone(world: RazorpayWorld) -> None:
    world.account(qr="orders")
    assert world.call("POST", "/payments/qr_codes", code_body("P1")).status_code == 404
    assert world.call("POST", "/payment_links", link_body("P1")).status_code == 400
    assert world.order()["status"] == "created"


class TestOrders:
    """Made by the shop, brought to the hosted page by a browser, paid there."""

    def test_an_order_is_made_as_razorpay_documents_it(self, world: RazorpayWorld) -> None:
        order = world.order()
        assert re.fullmatch("order_[A-Za-z0-9]{14}", order["id"])
        assert type(order.pop("created_at")) is int
        assert order == {
            "id": order["id"],
            "entity": "order",
            "amount": 64_900,
            "amount_paid": 0,
            "amount_due": 64_900,
            "currency": "INR",
            "receipt": "P1",
            "offer_id": None,
            "status": "created",
            "attempts": 0,
            "notes": {"reference": "P1"},
        }
        assert world.order("P2", notes={})["notes"] == []

    def test_the_same_receipt_again_is_another_order(self, world: RazorpayWorld) -> None:
        assert world.order()["id"] != world.order()["id"]

    @pytest.mark.parametrize(
        ("changes", "about"),
        [
            ({"amount": 99}, "amount"),
            ({"amount": "64900"}, "amount"),
            ({"amount": 649.0}, "amount"),
            ({"currency": "USD"}, "currency"),
            ({"currency": None}, "currency"),
            ({"receipt": "x" * 41}, "receipt"),
            ({"notes": {"reference": "x" * 257}}, "notes"),
        ],
    )
    def test_an_order_that_breaks_a_rule_is_refused_with_its_field(
        self, world: RazorpayWorld, changes: Json, about: str
    ) -> None:
        answer = world.call("POST", "/orders", order_body("P1", **changes))
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, about)

    def test_tries_that_failed_and_then_money_are_its_payments(self, world: RazorpayWorld) -> None:
        order = world.order()
        assert world.decide("P1", "no_money")["status"] == "failed"
        assert world.done(world.call("GET", f"/orders/{order['id']}"))["status"] == "attempted"
        paid = world.decide("P1")["payment_id"]
        assert world.press("P1", "pay").status_code == 409
        stands = world.done(world.call("GET", f"/orders/{order['id']}"))
        assert (stands["status"], stands["attempts"]) == ("paid", 2)
        assert (stands["amount_paid"], stands["amount_due"]) == (64_900, 0)
        listed = world.done(world.call("GET", f"/orders/{order['id']}/payments"))
        assert (listed["entity"], listed["count"]) == ("collection", 2)
        assert [one["status"] for one in listed["items"]] == ["captured", "failed"]
        assert listed["items"][0]["id"] == paid
        assert {one["order_id"] for one in listed["items"]} == {order["id"]}
        assert {str(one["notes"]) for one in listed["items"]} == {"[]"}

    @pytest.mark.parametrize("reorder", [False, True], ids=["in order", "out of order"])
    def test_its_events_name_it_by_its_id_and_its_receipt(
        self, world: RazorpayWorld, reorder: bool
    ) -> None:
        order = world.order()
        world.decide("P1", "decline")
        world.decide("P1", reorder=reorder)
        first, *rest = world.merchant.events
        assert first == "payment.failed"
        told = ["payment.captured", "order.paid"]
        assert [one for one in rest if one in told] == (told[::-1] if reorder else told)
        for _, body in world.merchant.heard:
            payload = json.loads(body)["payload"]
            assert payload["payment"]["entity"]["order_id"] == order["id"]
            if "order" in payload:
                entity = payload["order"]["entity"]
                assert (entity["receipt"], entity["status"]) == ("P1", "paid")

    def test_the_page_shows_what_the_shop_asks_for(self, world: RazorpayWorld) -> None:
        answer = world.brings(world.order(), description="<b>Box</b>")
        assert answer.status_code == 200
        assert "₹649" in answer.text
        assert "&lt;b&gt;Box" in answer.text
        assert requests.get(answer.url, timeout=10).status_code == 405, "no link leads there"

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"key_id": "rzp_test_other"}, 401),
            ({"key_id": ""}, 401),
            ({"order_id": "order_unknown"}, 400),
            ({"order_id": "P1"}, 400),
            ({"amount": "100"}, 400),
            ({"amount": "64900.0"}, 400),
            ({"currency": "USD"}, 400),
            ({"callback_url": "javascript:alert(1)"}, 400),
            ({"cancel_url": "data:text/html,x"}, 400),
        ],
    )
    def test_a_page_that_was_tampered_with_is_refused(
        self, world: RazorpayWorld, changes: Json, status: int
    ) -> None:
        assert world.brings(world.order(), **changes).status_code == status

    def test_a_code_has_no_such_page(self, world: RazorpayWorld) -> None:
        order = {"id": world.code()["id"], "amount": 64_900, "currency": "INR"}
        assert world.brings(order).status_code == 400

    def test_the_browser_brings_back_what_razorpays_package_verifies(
        self, world: RazorpayWorld, package: Any
    ) -> None:
        order = world.order()
        world.brings(order)
        address, fields = carried(world.leads("P1", "pay"))
        assert address == "https://shop.test/back?a=1"
        assert fields["razorpay_order_id"] == order["id"]
        assert package.utility.verify_payment_signature(fields)
        other = {**fields, "razorpay_order_id": world.order("P2")["id"]}
        with pytest.raises(razorpay.errors.SignatureVerificationError):
            package.utility.verify_payment_signature(other)

    def test_a_try_that_failed_brings_back_why(self, world: RazorpayWorld) -> None:
        order = world.order()
        world.brings(order)
        address, fields = carried(world.leads("P1", "no_money"))
        assert address == "https://shop.test/back?a=1"
        assert fields["error[code]"] == "BAD_REQUEST_ERROR"
        assert fields["error[reason]"] == "insufficient_funds"
        assert json.loads(fields["error[metadata]"])["order_id"] == order["id"]
        assert "razorpay_signature" not in fields

    def test_who_leaves_is_led_to_the_other_address_and_tells_nothing(
        self, world: RazorpayWorld
    ) -> None:
        world.brings(world.order())
        assert world.leads("P1", "leave").headers["Location"] == "https://shop.test/left"
        assert world.merchant.heard == []

    def test_only_the_page_that_leads_back_runs_a_script(self, world: RazorpayWorld) -> None:
        page, back = world.brings(world.order()), world.leads("P1", "pay")
        assert "script-src 'none'" in page.headers["Content-Security-Policy"]
        assert "script-src 'self'" in back.headers["Content-Security-Policy"]
        assert requests.get(f"{world.url}/static/send.js", timeout=10).status_code == 200


def carried(answer: requests.Response) -> tuple[str, dict[str, str]]:
    """Where a page sends its form to, and what stands in it."""
    page = Page(answer.text)
    (form,) = page.all("form")
    fields = page.all("input", type="hidden")
    return form["action"], {one["name"]: one["value"] for one in fields}


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
