"""An order paid by Razorpay ends right, however Razorpay tells of it, and money can go back."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import requests

from payments.domain.errors import InvalidInput, ProviderRefused, ProviderUnavailable
from payments.domain.order import Order, Payment
from payments.domain.ports import Payer
from payments.providers.http import Reply
from payments.services import checkout, refund_questions, refunds
from payments.services.reconcile import reconcile_once
from payments.store import inbox, ledger, orders, payments
from payments.store import refunds as kept
from payments.store.db import now
from payments.store.refunds import Refund
from sandbox.upi.link import read_link
from tests.outside import ON_SQLITE, Page, attempt_of, count, page_of, seen
from tests.people import People
from tests.sandbox.razorpay import (
    KEY_ID,
    KEY_SECRET,
    VPA,
    WEBHOOK_SECRET,
    RazorpayWorld,
    opened_razorpay,
)
from tests.servers import free_port

PRICE = 649_00
LATER = timedelta(hours=2)

pytestmark = ON_SQLITE

WAYS = pytest.mark.parametrize("way", ["text", "picture", "orders"], ids=["code", "link", "order"])


@pytest.fixture
def world() -> Iterator[RazorpayWorld]:
    with opened_razorpay() as one:
        yield one


@pytest.fixture
def environment(world: RazorpayWorld) -> dict[str, str]:
    return {
        "RAZORPAY_API_URL": world.api,
        "RAZORPAY_KEY_ID": KEY_ID,
        "RAZORPAY_KEY_SECRET": KEY_SECRET,
        "RAZORPAY_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }


def starts(people: People, order: Order, rail: str = "upi") -> Payment:
    return people.in_app(
        checkout.start_payment,
        people.house.rails,
        people.shop,
        order.id,
        rail,
        Payer(),
        return_url=f"http://localhost/checkout/{order.id}/return",
        locale="en",
    )


@pytest.fixture
def order(people: People) -> Order:
    return people.order(PRICE, "INR")


def found(people: People, order: Order) -> Order:
    one = people.in_app(orders.find, order.id)
    assert one is not None
    assert people.in_app(lambda: list(ledger.faults())) == []
    return one


def status(people: People, order: Order) -> str:
    return found(people, order).status.value


def ask(people: People, after: timedelta = LATER) -> int:
    return people.in_app(reconcile_once, people.house.rails, "upi", now() + after)


def waiting_reasons(people: People) -> list[str | None]:
    return [one.reason for one in people.in_app(inbox.unresolved)]


# ---- What the customer is shown ----


def test_the_customer_gets_the_text_of_a_code_for_this_order_alone(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    payment = starts(people, order)
    action, ask = payment.action or {}, world.shown(payment.reference)
    assert (action["type"], action["deeplink"]) == ("qr", action["qr"])
    assert read_link(action["qr"]).paise == PRICE
    assert payment.handle == {"qr_code": ask["id"]}
    assert ask["entity"]["notes"] == {"reference": payment.reference}
    assert (ask["entity"]["usage"], ask["entity"]["fixed_amount"]) == ("single_use", True)
    assert ask["entity"]["close_by"] >= order.expires_at.timestamp() - 1


def test_an_order_that_ends_soon_gets_a_code_all_the_same(
    people: People, world: RazorpayWorld
) -> None:
    order = people.order(PRICE, "INR", expires_in=timedelta(seconds=30))
    closes = world.shown(starts(people, order).reference)["entity"]["close_by"]
    assert closes >= now().timestamp() + 15 * 60


def test_without_the_text_of_codes_the_customer_gets_a_link_and_no_code_is_asked_for_again(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    world.account(qr="picture")
    payment = starts(people, order)
    action, ask = payment.action or {}, world.shown(payment.reference)
    assert action == {"type": "redirect", "url": ask["entity"]["short_url"]}
    assert payment.handle == {"payment_link": ask["id"]}
    assert (ask["kind"], ask["entity"]["upi_link"]) == ("payment_link", True)
    assert ask["entity"]["reference_id"] == payment.reference
    assert ask["entity"]["callback_url"].endswith(f"/checkout/{order.id}/return")
    assert ask["entity"]["notify"] == {"sms": False, "email": False}
    world.account(qr="text")
    assert (starts(people, order).action or {})["type"] == "redirect"


def test_an_account_without_codes_gets_links(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    world.account(qr="none")
    assert (starts(people, order).action or {})["type"] == "redirect"
    world.account(qr="text")
    assert (starts(people, order).action or {})["type"] == "qr", "it may be opened meanwhile"


def test_where_no_link_is_made_the_customer_takes_an_order_to_razorpays_own_page(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    world.account(qr="orders")
    payment = starts(people, order)
    action, made = payment.action or {}, world.shown(payment.reference)["entity"]
    assert payment.handle == {"order": made["id"]}
    assert (made["receipt"], made["notes"]) == (payment.reference, {"reference": payment.reference})
    assert (made["amount"], made["currency"]) == (PRICE, "INR")
    back = f"http://localhost/checkout/{order.id}/return"
    assert action == {
        "type": "redirect",
        "url": f"{world.api}/checkout/embedded",
        "fields": {
            "key_id": KEY_ID,
            "order_id": made["id"],
            "amount": str(PRICE),
            "currency": "INR",
            "name": "Paychime",
            "description": order.description,
            "callback_url": back,
            "cancel_url": back,
        },
    }
    assert KEY_SECRET not in str(action)
    assert requests.post(action["url"], data=action["fields"], timeout=10).status_code == 200
    world.account(qr="none")
    assert "fields" not in (starts(people, order).action or {}), "links may be opened meanwhile"


def test_what_razorpay_says_of_the_order_is_what_the_customer_is_told(
    people: People, order: Order, world: RazorpayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.account(qr="orders")
    asked = answers(people, monkeypatch, {"/orders": 400})
    with pytest.raises(ProviderRefused):
        starts(people, order)
    assert asked == ["/payments/qr_codes", "/payment_links", "/orders"]
    assert attempt_of(people, order.id).failure_code == "invalid_amount"
    assert status(people, order) == "pending"


@pytest.mark.parametrize("said", [409, None], ids=["still at work", "away"])
def test_a_link_of_which_nobody_knows_is_followed_by_no_order(
    people: People, order: Order, world: RazorpayWorld, monkeypatch: Any, said: int | None
) -> None:
    world.account(qr="orders")
    asked = answers(people, monkeypatch, {"/payment_links": said})
    with pytest.raises(ProviderUnavailable):
        starts(people, order)
    assert asked == ["/payments/qr_codes", "/payment_links"]
    assert attempt_of(people, order.id).failure_code == "provider_unavailable"


def answers(
    people: People, monkeypatch: pytest.MonkeyPatch, instead: dict[str, int | None]
) -> list[str]:
    """What Razorpay is asked; `instead` at this path it says this status, None: nothing at all."""
    calls = people.house.rails.rail("upi")._calls  # type: ignore[attr-defined]
    ask, asked = calls.ask, list[str]()

    def answer(method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        asked.append(path)
        if path not in instead:
            return ask(method, path, *args, **kwargs)
        said = instead[path]
        if said is None:
            raise ProviderUnavailable("The provider did not answer in time.", sent=True)
        return Reply(said, {"error": {"field": "amount"}}, b"")

    monkeypatch.setattr(calls, "ask", answer)
    return asked


@pytest.mark.parametrize("amount", [99, 10_000_001])
def test_an_amount_that_upi_does_not_take_is_refused_before_razorpay_is_asked(
    people: People, world: RazorpayWorld, amount: int
) -> None:
    order = people.order(amount, "INR")
    with pytest.raises(InvalidInput) as refused:
        starts(people, order)
    assert refused.value.code == "amount_outside_limits"
    assert count(people, "payments") == 0


def test_another_currency_is_refused_before_razorpay_is_asked(people: People) -> None:
    with pytest.raises(InvalidInput) as refused:
        starts(people, people.order(PRICE, "VND"))
    assert refused.value.code == "currency_not_taken"


def test_a_wrong_key_leaves_the_order_payable(
    people: People, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    rail = people.house.rails.rail("upi")
    calls = rail._calls  # type: ignore[attr-defined]
    monkeypatch.setattr(calls, "_razorpay", _other(people, key_secret="wrong"))
    with pytest.raises(ProviderUnavailable):
        starts(people, order)
    assert attempt_of(people, order.id).failure_code == "provider_unavailable"
    assert status(people, order) == "pending"


def test_razorpay_being_away_leaves_the_order_payable(
    people: People, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    rail = people.house.rails.rail("upi")
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    calls = rail._calls  # type: ignore[attr-defined]
    monkeypatch.setattr(calls, "_razorpay", _other(people, api_url=nowhere))
    with pytest.raises(ProviderUnavailable):
        starts(people, order)
    assert attempt_of(people, order.id).status.value == "failed"
    assert status(people, order) == "pending"


def _other(people: People, **changes: Any) -> Any:
    known = people.house.settings.rails.razorpay
    assert known is not None
    return replace(known, **changes)


# ---- How Razorpay tells of the money ----


@WAYS
@pytest.mark.parametrize(
    "switches",
    [{}, {"twice": True}, {"reorder": True}, {"twice": True, "reorder": True}],
    ids=["in order", "twice", "out of order", "both"],
)
def test_several_events_about_one_payment_settle_once(
    people: People, order: Order, world: RazorpayWorld, way: str, switches: Any
) -> None:
    world.account(qr=way)
    payment = starts(people, order)
    paid = world.decide(payment.reference, **switches)
    assert set(world.merchant.hand_over(people.app.test_client())) == {200}
    done = found(people, order)
    assert (done.status.value, done.amount_paid, done.amount_excess) == ("paid", PRICE, 0)
    assert attempt_of(people, order.id).transaction_id == paid["payment_id"]
    assert count(people, "postings") == 1
    # What came out of order and cannot be is shown; what was only too early is not.
    assert set(waiting_reasons(people)) <= {"impossible_move"}


@pytest.mark.parametrize("way", ["picture", "orders"], ids=["link", "order"])
def test_an_event_that_named_no_order_of_ours_waits_until_another_does(
    people: People, order: Order, world: RazorpayWorld, way: str
) -> None:
    world.account(qr=way)
    payment = starts(people, order)
    world.decide(payment.reference)
    captured, *rest = world.merchant.heard
    world.merchant.heard[:] = [captured]
    assert world.merchant.hand_over(people.app.test_client()) == [200]
    assert (status(people, order), waiting_reasons(people)) == ("pending", ["unknown_order"])
    world.merchant.heard[:] = rest
    world.merchant.hand_over(people.app.test_client())
    assert (status(people, order), waiting_reasons(people)) == ("paid", [])


def test_money_of_somebody_else_is_kept_for_staff(people: People, world: RazorpayWorld) -> None:
    world.code("another-systems-order")
    world.decide("another-systems-order")
    assert world.merchant.hand_over(people.app.test_client()) == [200, 200]
    assert waiting_reasons(people) == ["unknown_order", "unknown_order"]


def test_an_event_of_no_interest_is_taken_and_leaves_nothing(
    people: People, world: RazorpayWorld
) -> None:
    body = '{"entity": "event", "event": "qr_code.closed", "payload": {}, "created_at": 1}'
    answer = people.app.test_client().post(
        "/callbacks/razorpay",
        data=body,
        headers={
            "Content-Type": "application/json",
            "X-Razorpay-Event-Id": "E1",
            "X-Razorpay-Signature": hmac.new(
                WEBHOOK_SECRET.encode(), body.encode(), "sha256"
            ).hexdigest(),
        },
    )
    assert answer.status_code == 200
    assert count(people, "inbox") == 0


@WAYS
@pytest.mark.parametrize("switch", ["wrong_amount", "forged", "silent"])
def test_where_razorpay_lies_or_says_nothing_it_is_asked(
    people: People, order: Order, world: RazorpayWorld, way: str, switch: str
) -> None:
    world.account(qr=way)
    payment = starts(people, order)
    switches: Any = {switch: True}
    paid = world.decide(payment.reference, **switches)
    answers = set(world.merchant.hand_over(people.app.test_client()))
    assert answers == {"wrong_amount": {200}, "forged": {401}, "silent": set()}[switch]
    assert status(people, order) == "pending", "nothing is believed that is not proved"
    assert ask(people, timedelta(seconds=11)) == 1
    assert status(people, order) == "paid"
    assert attempt_of(people, order.id).transaction_id == paid["payment_id"]


@WAYS
def test_a_callback_that_comes_after_the_question_has_no_second_effect(
    people: People, order: Order, world: RazorpayWorld, way: str
) -> None:
    world.account(qr=way)
    world.decide(starts(people, order).reference)
    ask(people)
    version = found(people, order).version
    world.merchant.hand_over(people.app.test_client())
    assert found(people, order).version == version
    assert waiting_reasons(people) == []


def test_an_event_that_named_no_order_of_ours_is_settled_by_asking(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    world.account(qr="orders")
    payment = starts(people, order)
    world.decide(payment.reference)
    world.merchant.heard[:] = world.merchant.heard[:1]
    assert world.merchant.hand_over(people.app.test_client()) == [200]
    assert (status(people, order), waiting_reasons(people)) == ("pending", ["unknown_order"])
    assert ask(people, timedelta(seconds=11)) == 1
    assert (status(people, order), waiting_reasons(people)) == ("paid", [])


def test_tries_that_failed_on_razorpays_page_and_then_money_are_one_payment(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    world.account(qr="orders")
    payment = starts(people, order)
    world.decide(payment.reference, "no_money")
    assert world.merchant.hand_over(people.app.test_client()) == [200]
    assert attempt_of(people, order.id).status.value == "pending", "it named Razorpay's order alone"
    ask(people)
    assert attempt_of(people, order.id).failure_code == "no_funds"
    world.decide(payment.reference, "decline")
    assert world.merchant.hand_over(people.app.test_client()) == [200]
    paid = world.decide(payment.reference)
    assert set(world.merchant.hand_over(people.app.test_client())) == {200}
    assert status(people, order) == "paid"
    assert attempt_of(people, order.id).transaction_id == paid["payment_id"]
    assert (count(people, "postings"), waiting_reasons(people)) == (1, [])


@pytest.mark.parametrize("told", [True, False], ids=["told", "asked"])
@pytest.mark.parametrize(
    ("deed", "why"), [("decline", "declined_by_payer"), ("no_money", "no_funds")]
)
def test_a_try_that_failed_says_why_and_the_same_code_may_still_be_paid(
    people: People, order: Order, world: RazorpayWorld, deed: str, why: str, told: bool
) -> None:
    payment = starts(people, order)
    world.decide(payment.reference, deed, silent=not told)
    world.merchant.hand_over(people.app.test_client())
    if not told:
        ask(people)
    assert attempt_of(people, order.id).failure_code == why
    world.decide(payment.reference, silent=True)
    ask(people, timedelta(hours=5))
    assert status(people, order) == "paid", "found by asking, though the attempt had failed"


def test_the_utr_that_staff_confirmed_by_is_no_second_payment(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    first = starts(people, order)
    starts(people, order)
    utr = world.decide(first.reference)["utr"]
    # The customer paid the first code; staff's word goes to the last attempt.
    seen(people, order.id, PRICE, utr)
    world.merchant.hand_over(people.app.test_client())
    done = found(people, order)
    assert (done.status.value, done.amount_paid, done.amount_excess) == ("paid", PRICE, 0)
    assert waiting_reasons(people) == []


def test_coming_back_from_the_page_makes_one_question_due(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    world.account(qr="picture")
    payment = starts(people, order)
    world.decide(payment.reference, silent=True)
    browser = people.browser(order)
    carried = {"razorpay_payment_link_reference_id": payment.reference}
    for _ in range(3):
        back = browser.get(f"/checkout/{order.id}/return", query_string=carried)
        assert back.status_code == 303
    assert status(people, order) == "pending", "the browser's word pays nothing"
    assert ask(people, timedelta(0)) == 1
    assert ask(people, timedelta(0)) == 0
    assert status(people, order) == "paid"


@pytest.mark.parametrize("named", ["", "PZZZZZZZZZZZZZZ", "x" * 3000, "é", "'; --"])
def test_coming_back_with_nonsense_is_coming_back(people: People, order: Order, named: str) -> None:
    starts(people, order)
    for path in (order.id, people.order(PRICE, "INR").id, "nowhere"):
        address = f"/checkout/{path}/return?razorpay_payment_link_reference_id={named}"
        assert people.app.test_client().get(address).status_code == 303
    assert ask(people, timedelta(0)) == 1, "that somebody came back is the reason, not what it says"
    assert status(people, order) == "pending"


def test_razorpays_page_sends_the_browser_back_by_post_without_a_cookie(
    people: People, order: Order, world: RazorpayWorld
) -> None:
    world.account(qr="orders")
    payment = starts(people, order)
    world.decide(payment.reference, silent=True)
    lie = {"razorpay_payment_id": "pay_lie", "razorpay_signature": "0" * 64}
    for _ in range(3):
        back = people.app.test_client().post(f"/checkout/{order.id}/return", data=lie)
        assert back.status_code == 303
        assert back.headers["Location"] == f"/checkout/{order.id}?returned=1"
        assert "Set-Cookie" not in back.headers
    assert people.browser(order).get(back.headers["Location"]).status_code == 200
    assert people.app.test_client().get(back.headers["Location"]).status_code == 404
    assert (status(people, order), count(people, "inbox")) == ("pending", 0)
    assert ask(people, timedelta(0)) == 1
    assert ask(people, timedelta(0)) == 0
    assert status(people, order) == "paid"
    assert attempt_of(people, order.id).transaction_id != "pay_lie"


@pytest.mark.parametrize(
    ("body", "answered"),
    [
        (b"", 303),
        (b"{not json", 303),
        (b"\xff\xfe=\x80&&&=", 303),
        (b"error[code]=BAD&error[metadata]={", 303),
        (b"razorpay_order_id=order_" + b"x" * 9_000, 303),
        (b"a=%00", 400),
        (b"x" * 2_000_000, 413),
    ],
    ids=["nothing", "no form", "no text", "an error", "long", "a NUL", "too long"],
)
def test_nonsense_by_post_moves_nothing(
    people: People, order: Order, body: bytes, answered: int
) -> None:
    starts(people, order)
    form = "application/x-www-form-urlencoded"
    for path in (order.id, people.order(PRICE, "INR").id, "nowhere", "x" * 300):
        address = f"/checkout/{path}/return"
        answer = people.app.test_client().post(address, data=body, content_type=form)
        assert answer.status_code == answered, path[:9]
    assert status(people, order) == "pending"
    assert count(people, "inbox") == 0


# ---- The page that leads to Razorpay's ----


class TestThePage:
    @pytest.fixture
    def page(self, people: People, order: Order, world: RazorpayWorld) -> Page:
        world.account(qr="orders")
        starts(people, order)
        return page_of(people.browser(order).get(f"/checkout/{order.id}"))

    def test_a_button_sends_the_form_and_no_link_leads_there(
        self, people: People, order: Order, page: Page
    ) -> None:
        action = attempt_of(people, order.id).action or {}
        form = page.form(action["url"])
        assert form["method"] == "post"
        sent = {one["name"]: one["value"] for one in form.fields if one.get("type") == "hidden"}
        assert sent == action["fields"]
        assert page.id("open").name == "button"
        assert [one for one in page.all("a") if "embedded" in (one.get("href") or "")] == []

    def test_forms_may_lead_to_razorpay_from_the_pages_where_one_pays_alone(
        self, people: People, order: Order, world: RazorpayWorld
    ) -> None:
        payer, manager = people.browser(order), people.signed_in(people.manager)
        paying = [f"/checkout/{order.id}", f"/checkout/{order.id}?returned=1"]
        others = ["/login", "/staff/", f"/staff/orders/{order.id}", "/nothing", "/wallet"]
        for browser, paths, leads in (
            (payer, paying, f"form-action 'self' {world.url};"),
            (manager, others, "form-action 'self';"),
        ):
            for path in paths:
                assert leads in browser.get(path).headers["Content-Security-Policy"], path

    def test_a_frontend_is_given_our_page_where_no_link_leads_to_razorpays(
        self, people: People, order: Order, world: RazorpayWorld
    ) -> None:
        world.account(qr="orders")
        client = people.app.test_client(use_cookies=False)
        sale = {"orderId": order.id, "provider": "upi"}
        top_up = {"amount": PRICE, "currency": "INR", "provider": "upi"}
        for path, asked, who in (
            ("/api/payment/initiate", sale, people.key()),
            ("/api/v1/payment/deposit", top_up, people.token(people.owner)),
        ):
            given = client.post(path, json=asked, headers=who).get_json()["paymentUrl"]
            assert "/checkout/" in given
            page = people.app.test_client().get(given, follow_redirects=True)
            assert page_of(page).id("open").name == "button"


# ---- Money goes back ----


@pytest.fixture
def paid(people: People, order: Order, world: RazorpayWorld) -> Order:
    world.decide(starts(people, order).reference)
    world.merchant.hand_over(people.app.test_client())
    assert status(people, order) == "paid"
    return order


def gives_back(people: People, order: Order, amount: int | None = None) -> Refund:
    (made,) = people.in_app(
        *(refunds.refund, people.house.rails, people.manager, order.id, amount, "It was broken")
    )
    return made


def refund_of(people: People, order: Order) -> Refund:
    (made,) = people.in_app(kept.of_order, order.id)
    return made


def test_a_refund_that_razorpay_makes_at_once_is_made(
    people: People, paid: Order, world: RazorpayWorld
) -> None:
    made = gives_back(people, paid, 200_00)
    assert (made.status, found(people, paid).amount_refunded) == ("succeeded", 200_00)
    assert made.provider_refund_id
    world.settled(attempt_of(people, paid.id).reference)
    assert world.merchant.hand_over(people.app.test_client()) == [200, 200]
    assert found(people, paid).amount_refunded == 200_00
    assert waiting_reasons(people) == []


@pytest.mark.parametrize(
    ("mode", "ended", "order_status"),
    [("later", "succeeded", "refunded"), ("fails", "failed", "paid")],
    ids=["later", "fails"],
)
def test_a_refund_that_ends_later_is_told(
    people: People, paid: Order, world: RazorpayWorld, mode: str, ended: str, order_status: str
) -> None:
    world.account(refunds=mode)
    assert gives_back(people, paid).status == "requested"
    assert status(people, paid) == "paid"
    world.settled(attempt_of(people, paid.id).reference)
    assert world.merchant.hand_over(people.app.test_client()) == [200, 200]
    assert refund_of(people, paid).status == ended
    assert status(people, paid) == order_status
    assert waiting_reasons(people) == []


def test_a_refund_of_which_nobody_tells_is_asked_about(
    people: People, paid: Order, world: RazorpayWorld
) -> None:
    world.account(refunds="later, silently")
    assert gives_back(people, paid).status == "requested"
    people.in_app(refund_questions.ask_refunds, people.house.rails, None)
    assert refund_of(people, paid).status == "requested", "it is not made yet"
    made = refund_of(people, paid)
    assert made.provider_refund_id is not None
    _until_processed(world, attempt_of(people, paid.id), made.provider_refund_id)
    people.in_app(refund_questions.ask_refunds, people.house.rails, None)
    assert refund_of(people, paid).status == "succeeded"
    assert status(people, paid) == "refunded"


def _until_processed(world: RazorpayWorld, payment: Payment, refund_id: str) -> None:
    for _ in range(100):
        path = f"/payments/{payment.transaction_id}/refunds/{refund_id}"
        if world.done(world.call("GET", path))["status"] == "processed":
            return
        time.sleep(0.05)
    raise AssertionError("the refund stays pending")


def test_a_refund_whose_answer_was_lost_is_asked_for_again_and_made_once(
    people: People, paid: Order, world: RazorpayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    rail = people.house.rails.rail("upi")
    calls = rail._calls  # type: ignore[attr-defined]
    ask = calls.ask

    def lost(*args: Any, **kwargs: Any) -> Any:
        ask(*args, **kwargs)
        raise ProviderUnavailable("The provider did not answer in time.")

    with monkeypatch.context() as changed:
        changed.setattr(calls, "ask", lost)
        assert gives_back(people, paid, 200_00).status == "requested"
    people.in_app(refund_questions.ask_refunds, people.house.rails, None)
    assert refund_of(people, paid).status == "succeeded"
    transaction = attempt_of(people, paid.id).transaction_id
    returned = world.done(world.call("GET", f"/payments/{transaction}"))["amount_refunded"]
    assert returned == 200_00


def test_a_refund_that_razorpay_refuses_leaves_the_money_where_it_was(
    people: People, paid: Order, world: RazorpayWorld
) -> None:
    transaction = attempt_of(people, paid.id).transaction_id
    assert transaction is not None
    # Somebody has given it back on the dashboard.
    assert world.refund(transaction, PRICE).status_code == 200
    with pytest.raises(ProviderRefused) as refused:
        gives_back(people, paid)
    assert refused.value.code == "refund_rejected"
    assert (refund_of(people, paid).status, status(people, paid)) == ("failed", "paid")


def test_a_refund_made_on_the_dashboard_is_shown_to_staff(
    people: People, paid: Order, world: RazorpayWorld
) -> None:
    payment = attempt_of(people, paid.id)
    assert payment.transaction_id is not None
    world.refund(payment.transaction_id, PRICE, "by-hand-on-the-dashboard")
    world.settled(payment.reference)
    assert world.merchant.hand_over(people.app.test_client()) == [200, 200]
    assert set(waiting_reasons(people)) == {"unknown_refund"}


# ---- Beside the shop's own address ----


class TestBesideAnAddressOfTheShops:
    @pytest.fixture
    def environment(self, world: RazorpayWorld) -> dict[str, str]:
        return {
            "RAZORPAY_API_URL": world.api,
            "RAZORPAY_KEY_ID": KEY_ID,
            "RAZORPAY_KEY_SECRET": KEY_SECRET,
            "RAZORPAY_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "UPI_VPA": VPA,
        }

    def test_there_are_two_ways_and_never_one_picture_for_both(
        self, people: People, order: Order
    ) -> None:
        first, second = starts(people, order, "upi"), starts(people, order, "upi-address")
        links = [read_link((one.action or {})["qr"]) for one in (first, second)]
        assert [link.vpa for link in links] == ["rpy.qrdemoshop@icici", VPA]
        assert links[1].reference == second.reference

    def test_razorpay_is_not_asked_about_what_was_paid_to_the_address(
        self, people: People, order: Order
    ) -> None:
        starts(people, order, "upi-address")
        assert ask(people) == 0
        (waits,) = people.in_app(payments.of_order, order.id)
        assert (waits.provider, waits.handle) == ("upi-address", None)
