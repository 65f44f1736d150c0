"""CamPay from the button to the books, with the pretended one: prompts, doorbells, money back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payments.domain.errors import InvalidInput, ProviderRefused, ProviderUnavailable
from payments.domain.order import Order, Payment
from payments.domain.ports import Payer
from payments.providers import campay, campay_calls
from payments.services import checkout, refund_questions, refunds
from payments.services.reconcile import reconcile_once
from payments.store import inbox, ledger, orders
from payments.store import refunds as kept
from payments.store.db import now
from payments.store.refunds import Refund
from tests.outside import (
    ON_SQLITE,
    Caller,
    attempt_of,
    count,
    done,
    everything,
    page_of,
    problem,
    submit,
)
from tests.people import People
from tests.sandbox.campay import (
    LOGIN,
    MTN,
    TOKEN,
    WEBHOOK_KEY,
    CampayWorld,
    Heard,
    opened_campay,
)

PRICE = 4_500
TYPED = "6 77 12 34 56"


@pytest.fixture
def world() -> Iterator[CampayWorld]:
    with opened_campay() as one:
        yield one


@pytest.fixture
def environment(world: CampayWorld) -> dict[str, str]:
    return {
        "CAMPAY_API_URL": world.api,
        "CAMPAY_PERMANENT_ACCESS_TOKEN": TOKEN,
        "CAMPAY_WEBHOOK_KEY": WEBHOOK_KEY,
    }


@pytest.fixture
def order(people: People) -> Order:
    return people.order(PRICE, "XAF", description="Mangoes, 5 kg")


def begin(people: People, order: Order, phone: str | None = TYPED) -> Payment:
    return people.in_app(
        checkout.start_payment,
        people.house.rails,
        people.shop,
        order.id,
        "campay",
        Payer(phone=phone),
        return_url="http://localhost/back",
        locale="en",
    )


def theirs(payment: Payment) -> str:
    assert payment.transaction_id is not None
    return payment.transaction_id


def forwarded(people: People, heard: Heard, path: str = "/callbacks/campay") -> TestResponse:
    """What the merchant heard, as the shop hears it."""
    client = people.app.test_client()
    if heard.method == "GET":
        return client.get(f"{path}?{heard.target.partition('?')[2]}")
    return client.post(path, data=heard.body, content_type=heard.content_type)


def asks(people: People) -> None:
    people.in_app(reconcile_once, people.house.rails, "campay", now())


def status(people: People, order: Order) -> str:
    found = people.in_app(orders.find, order.id)
    assert found is not None
    assert people.in_app(lambda: list(ledger.faults())) == []
    return found.status.value


def pays(people: People, world: CampayWorld, order: Order) -> Payment:
    payment = begin(people, order)
    world.decide(theirs(payment))
    world.settled(theirs(payment))
    assert forwarded(people, world.merchant.heard[-1]).status_code == 200
    asks(people)
    assert status(people, order) == "paid"
    return payment


# ---- To begin ----


@ON_SQLITE
def test_a_prompt_goes_to_the_number_that_was_typed(
    people: People, world: CampayWorld, order: Order
) -> None:
    payment = begin(people, order)
    assert payment.action == {
        "type": "ussd",
        "ussd_code": "*126#",
        "details": {"phone": "6 77 12 34 56"},
    }
    assert payment.handle == {"phone": MTN, "operator": "MTN"}
    asked = world.transaction(theirs(payment))
    assert (asked["phone_number"], asked["amount"]) == (MTN, "4500.00")
    assert asked["external_reference"] == payment.reference
    (row,) = world.sent("collect")
    assert row["description"] == f"Mangoes, 5 kg {payment.reference}"


@ON_SQLITE
@pytest.mark.parametrize("phone", [None, "", "+84 912 345 678", "222123456"])
def test_a_number_of_elsewhere_is_refused_before_campay_is_asked(
    people: People, world: CampayWorld, order: Order, phone: str | None
) -> None:
    before = everything(people)
    with pytest.raises(InvalidInput) as refused:
        begin(people, order, phone)
    assert (refused.value.code, refused.value.field) == ("invalid_phone", "phone")
    assert everything(people) == before
    assert world.sent("collect") == []


@ON_SQLITE
def test_the_api_names_the_field(people: People, world: CampayWorld, order: Order) -> None:
    shop = Caller(people.app, people.key())
    path = f"/orders/{order.id}/payments"
    problem(shop.post(path, {"provider": "campay"}), 400, "invalid_phone", "phone")
    problem(shop.post(path, {"provider": "campay", "phone": "1"}), 400, "invalid_phone", "phone")
    told = done(shop.post(path, {"provider": "campay", "phone": "+237677123456"}), 201)
    assert (told["provider"], told["status"]) == ("campay", "pending")
    assert (told["action"]["type"], told["action"]["ussd_code"]) == ("ussd", "*126#")


@ON_SQLITE
def test_an_operator_that_campay_does_not_have_fails_the_attempt_and_not_the_order(
    people: People, world: CampayWorld, order: Order
) -> None:
    shop = Caller(people.app, people.key())
    path = f"/orders/{order.id}/payments"
    told = shop.post(path, {"provider": "campay", "phone": "620123456"})
    problem(told, 422, "carrier_not_taken")
    assert attempt_of(people, order.id).failure_code == "carrier_not_taken"
    assert status(people, order) == "pending"
    begin(people, order)


@ON_SQLITE
def test_another_currency_is_refused_before_campay_is_asked(
    people: People, world: CampayWorld
) -> None:
    with pytest.raises(InvalidInput) as refused:
        begin(people, people.order(PRICE, "VND"))
    assert refused.value.code == "currency_not_taken"
    assert world.sent("collect") == []


class TestByLogin:
    @pytest.fixture
    def environment(self, world: CampayWorld) -> dict[str, str]:
        return {
            "CAMPAY_API_URL": world.api,
            "CAMPAY_USERNAME": LOGIN[0],
            "CAMPAY_APP_PASSWORD": LOGIN[1],
            "CAMPAY_WEBHOOK_KEY": WEBHOOK_KEY,
        }

    @ON_SQLITE
    def test_a_login_is_kept_and_renewed_when_campay_forgets_it(
        self, people: People, world: CampayWorld, order: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logins = self.counted(monkeypatch)
        begin(people, order)
        asks_of(people, order)
        assert len(logins) == 1
        calls = calls_of(people)
        calls._login = replace(calls._login, token="forgotten")  # type: ignore[type-var]
        asks_of(people, order)
        assert len(logins) == 2
        begin(people, people.order(PRICE, "XAF"))
        assert len(logins) == 2

    @ON_SQLITE
    def test_a_login_is_renewed_shortly_before_its_end(
        self, people: People, world: CampayWorld, order: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logins = self.counted(monkeypatch)
        clock = [1_000.0]
        monkeypatch.setattr("time.monotonic", lambda: clock[0])
        calls = calls_of(people)
        for at in (1_000.0, 1_000.0 + 3_539, 1_000.0 + 3_541):
            clock[0] = at
            calls._token()
        assert len(logins) == 2

    @staticmethod
    def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
        logins: list[str] = []
        real = campay_calls.Calls._signed_in

        def signed_in(self: campay_calls.Calls) -> campay_calls.Login:
            logins.append("in")
            return real(self)

        monkeypatch.setattr(campay_calls.Calls, "_signed_in", signed_in)
        return logins


def asks_of(people: People, order: Order) -> None:
    people.house.rails.rail("campay").fetch(attempt_of(people, order.id))


def calls_of(people: People) -> campay_calls.Calls:
    rail = people.house.rails.rail("campay")
    assert isinstance(rail, campay.Campay)
    return rail._calls


class TestWithSecretsThatAreWrong:
    @pytest.fixture(
        params=[
            {"CAMPAY_PERMANENT_ACCESS_TOKEN": "hunter2"},
            {"CAMPAY_USERNAME": LOGIN[0], "CAMPAY_APP_PASSWORD": "hunter2"},
        ],
        ids=["token", "login"],
    )
    def environment(self, world: CampayWorld, request: pytest.FixtureRequest) -> dict[str, str]:
        return {"CAMPAY_API_URL": world.api, **request.param}

    @ON_SQLITE
    def test_nothing_begins_and_nothing_of_them_is_said(
        self,
        people: People,
        world: CampayWorld,
        order: Order,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        with pytest.raises(ProviderUnavailable) as refused:
            begin(people, order)
        assert "hunter2" not in str(refused.value) + "".join(capfd.readouterr())
        assert status(people, order) == "pending"
        assert world.sent("collect") == []


# ---- The doorbell ----


@pytest.mark.parametrize("path", ["/callbacks/campay", "/api/payment/webhook"])
@pytest.mark.parametrize("by_get", [False, True], ids=["post", "get"])
def test_a_callback_rings_and_the_answer_pays(
    people: People, world: CampayWorld, order: Order, path: str, by_get: bool
) -> None:
    payment = begin(people, order)
    world.decide(theirs(payment), by_get=by_get)
    world.settled(theirs(payment))
    (heard,) = world.merchant.heard
    answer = forwarded(people, heard, path)
    assert (answer.status_code, answer.json) == (200, {"success": True})
    assert status(people, order) == "pending", "a doorbell says only that something has happened"
    asks(people)
    assert status(people, order) == "paid"
    verdicts = [one.verdict for one in people.in_app(inbox.of_order, order.id)]
    assert verdicts == ["rung", "applied"]


@ON_SQLITE
@pytest.mark.parametrize(
    "switches",
    [
        *({"twice": True}, {"reorder": True}, {"wrong_amount": True}, {"lying": True}),
        *({"forged": True}, {"by_get": True, "forged": True}),
    ],
    ids=lambda switches: "+".join(switches),
)
@pytest.mark.parametrize(("result", "end"), [("pay", "paid"), ("decline", "pending")])
def test_however_campay_misbehaves_the_end_is_right(
    people: People,
    world: CampayWorld,
    order: Order,
    switches: dict[str, Any],
    result: str,
    end: str,
) -> None:
    payment = begin(people, order)
    world.decide(theirs(payment), result, **switches)
    world.settled(theirs(payment))
    for heard in world.merchant.heard:
        answer = forwarded(people, heard)
        assert answer.status_code == (401 if "forged" in switches else 200)
        asks(people)
    assert status(people, order) == end
    failed = attempt_of(people, order.id).failure_code
    assert failed == (None if result == "pay" else "declined_by_payer")
    assert people.in_app(inbox.unresolved) == []
    assert count(people, "postings") == (1 if result == "pay" else 0)


@ON_SQLITE
def test_a_callback_replayed_with_another_status_changes_nothing(
    people: People, world: CampayWorld, order: Order
) -> None:
    """The token of one callback signs every other: what it is about is asked."""
    payment = pays(people, world, order)
    (heard,) = world.merchant.heard
    before = people.in_app(orders.find, order.id)
    for lie in ({"status": "FAILED"}, {"amount": "1.00"}, {"currency": "USD"}):
        again = people.app.test_client().post("/callbacks/campay", json=heard.fields | lie)
        assert again.status_code == 200
        asks(people)
    assert people.in_app(orders.find, order.id) == before
    other = people.order(PRICE, "XAF")
    waiting = begin(people, other)
    lie = {"external_reference": waiting.reference, "reference": theirs(waiting)}
    people.app.test_client().post("/callbacks/campay", json=heard.fields | lie)
    asks(people)
    assert status(people, other) == "pending"
    # Their reference of a payment that was made, with our name of another.
    crossed = {"external_reference": waiting.reference, "reference": theirs(payment)}
    people.app.test_client().post("/callbacks/campay", json=heard.fields | crossed)
    asks(people)
    assert status(people, other) == "pending"


@ON_SQLITE
def test_a_callback_about_nothing_of_ours_is_kept_for_staff(
    people: People, world: CampayWorld, order: Order
) -> None:
    reference = world.collect("SOMEBODY-ELSES")["reference"]
    world.decide(reference)
    world.settled(reference)
    assert forwarded(people, world.merchant.heard[0]).status_code == 200
    (waits,) = people.in_app(inbox.unresolved)
    assert waits.reason == "unknown_payment"


@ON_SQLITE
def test_no_other_provider_is_heard_by_get(people: People, order: Order) -> None:
    client = people.app.test_client()
    assert client.get("/callbacks/momo").status_code == 405
    assert client.get("/callbacks/campay").status_code == 401
    assert client.post("/api/payment/webhook").status_code == 401
    assert client.post("/callbacks/campay", data=b"x", content_type="text/plain").status_code == 415
    assert client.get("/callbacks/campay?reference=a&reference=b").status_code == 400


@ON_SQLITE
def test_silence_is_asked_about(people: People, world: CampayWorld, order: Order) -> None:
    payment = begin(people, order)
    world.decide(theirs(payment), silent=True)
    people.in_app(reconcile_once, people.house.rails, "campay", later(11))
    assert status(people, order) == "paid"


def later(seconds: int) -> datetime:
    return now() + timedelta(seconds=seconds)


@ON_SQLITE
@pytest.mark.parametrize("history", [True, False], ids=["by the history", "by the doorbell"])
def test_a_prompt_whose_answer_was_lost_pays_all_the_same(
    people: People,
    world: CampayWorld,
    order: Order,
    monkeypatch: pytest.MonkeyPatch,
    history: bool,
) -> None:
    """CamPay took it, and we did not hear so: something else tells which transaction it is."""
    if not history:
        monkeypatch.setattr(campay, "HISTORY", ("from", "to"))
    monkeypatch.setattr(campay, "PROMPT_SECONDS", 0.2)
    world.app.config["ANSWER_SECONDS"] = 0.6
    with pytest.raises(ProviderUnavailable):
        begin(people, order)
    assert attempt_of(people, order.id).status.value == "failed"
    (row,) = world.sent("collect")
    world.decide(row["reference_uuid"])
    world.settled(row["reference_uuid"])
    assert forwarded(people, world.merchant.heard[0]).status_code == 200
    asks(people)
    assert status(people, order) == "paid"
    assert attempt_of(people, order.id).transaction_id == row["reference_uuid"]


@ON_SQLITE
def test_a_doorbell_cannot_pay_an_order_by_another_transaction(
    people: People, world: CampayWorld, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its signature covers no field: somebody else's payment is named beside our reference."""
    monkeypatch.setattr(campay, "HISTORY", ("from", "to"))
    monkeypatch.setattr(campay, "PROMPT_SECONDS", 0.2)
    world.app.config["ANSWER_SECONDS"] = 0.6
    with pytest.raises(ProviderUnavailable):
        begin(people, order)
    world.app.config["ANSWER_SECONDS"] = 0
    others = world.collect("somebody else's", amount=str(PRICE))["reference"]
    world.decide(others)
    world.settled(others)
    reference = attempt_of(people, order.id).reference
    heard = world.merchant.heard[-1]
    lie = {**heard.fields, "external_reference": reference}
    answer = people.app.test_client().post("/callbacks/campay", json=lie)
    assert answer.status_code == 200
    asks(people)
    assert status(people, order) == "pending"


@ON_SQLITE
def test_a_prompt_is_sent_once_though_its_answer_is_late(
    people: People, world: CampayWorld, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campay, "PROMPT_SECONDS", 0.2)
    world.app.config.update(ANSWER_SECONDS=0.6, CAMPAY_DEDUPES=0)
    with pytest.raises(ProviderUnavailable):
        begin(people, order)
    assert len(world.sent("collect")) == 1


# ---- Money back ----


def gives_back(people: People, order: Order, amount: int | None = None) -> Refund:
    (made,) = people.in_app(
        refunds.refund, people.house.rails, people.manager, order.id, amount, "It was bruised"
    )
    return made


def asks_about_refunds(people: People) -> None:
    people.in_app(refund_questions.ask_refunds, people.house.rails, None)


def refund_of(people: People, made: Refund) -> Refund:
    found = people.in_app(kept.find, made.id)
    assert found is not None
    return found


def test_a_refund_is_sent_to_the_payers_number_and_its_end_is_asked(
    people: People, world: CampayWorld, order: Order
) -> None:
    pays(people, world, order)
    made = gives_back(people, order, 1_000)
    assert made.status == "requested"
    (row,) = world.sent("withdraw")
    assert (row["phone_number"], row["amount"]) == (MTN, 1_000)
    sent = world.transaction(row["reference_uuid"])
    assert (sent["external_reference"], made.provider_refund_id) == (made.id, sent["reference"])
    world.settled(sent["reference"])
    assert forwarded(people, world.merchant.heard[-1]).status_code == 200
    people.in_app(refund_questions.ask_refunds, people.house.rails, now())
    assert refund_of(people, made).status == "succeeded"
    assert status(people, order) == "partially_refunded"


@ON_SQLITE
def test_a_refund_that_comes_back_has_failed(
    people: People, world: CampayWorld, order: Order
) -> None:
    payment = begin(people, order, "677123000")
    world.decide(theirs(payment))
    asks_of_now(people)
    assert status(people, order) == "paid"
    made = gives_back(people, order)
    asks_about_refunds(people)
    assert refund_of(people, made).status == "failed"
    assert status(people, order) == "paid"


def asks_of_now(people: People) -> None:
    people.in_app(reconcile_once, people.house.rails, "campay", later(11))


@ON_SQLITE
def test_a_refund_under_way_is_neither_paid_nor_failed(
    people: People, world: CampayWorld, order: Order
) -> None:
    pays(people, world, order)
    world.app.config["CAMPAY_PAYOUT_SECONDS"] = 60
    made = gives_back(people, order)
    asks_about_refunds(people)
    assert refund_of(people, made).status == "requested"
    assert status(people, order) == "paid"


@ON_SQLITE
@pytest.mark.parametrize("history", [True, False], ids=["with a history", "without"])
def test_a_refund_whose_answer_was_lost_is_never_sent_twice(
    people: People,
    world: CampayWorld,
    order: Order,
    monkeypatch: pytest.MonkeyPatch,
    history: bool,
) -> None:
    pays(people, world, order)
    monkeypatch.setattr(campay, "PROMPT_SECONDS", 0.2)
    world.app.config.update(ANSWER_SECONDS=0.6, CAMPAY_DEDUPES=0)
    made = gives_back(people, order)
    assert made.status == "requested"
    if not history:
        monkeypatch.setattr(campay, "HISTORY", ("from", "to"))
    for _ in range(3):
        asks_about_refunds(people)
    assert len(world.sent("withdraw")) == 1
    assert refund_of(people, made).status == ("succeeded" if history else "requested")


@ON_SQLITE
def test_a_refund_that_a_crash_left_is_found_and_not_sent_again(
    people: People, world: CampayWorld, order: Order
) -> None:
    """Sent, and the process died before it was written down: it is in CamPay's history."""
    pays(people, world, order)
    world.app.config["CAMPAY_DEDUPES"] = 0
    rail, payment = people.house.rails.rail("campay"), attempt_of(people, order.id)
    first = rail.refund(payment, "R23456789ABCDEFGH", payment.money, "bruised")
    again = rail.refund(payment, "R23456789ABCDEFGH", payment.money, "bruised")
    assert first.refund_id == again.refund_id
    assert len(world.sent("withdraw")) == 1


@ON_SQLITE
def test_a_refund_waits_for_a_campay_that_is_away(
    people: People, world: CampayWorld, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listened, so nothing was sent: it is sent later."""
    pays(people, world, order)
    calls = calls_of(people)
    there = calls._campay
    monkeypatch.setattr(calls, "_campay", replace(there, api_url="http://127.0.0.1:9"))
    made = gives_back(people, order)
    assert (made.status, made.provider_refund_id) == ("requested", None)
    monkeypatch.setattr(calls, "_campay", there)
    asks_about_refunds(people)
    asks_about_refunds(people)
    assert refund_of(people, made).status == "succeeded"
    assert len(world.sent("withdraw")) == 1


@ON_SQLITE
@pytest.mark.parametrize(
    ("spoil", "code"),
    [("forbidden", "refund_not_possible"), ("empty", "balance_too_low")],
)
def test_a_refund_that_campay_refuses_fails_with_its_reason(
    people: People, world: CampayWorld, order: Order, spoil: str, code: str
) -> None:
    pays(people, world, order)
    if spoil == "forbidden":
        world.app.config["CAMPAY_WITHDRAWS"] = 0
    else:
        held = world.done(world.call("GET", "/balance/"))["mtn_balance"]
        world.withdraw("R-of-another", amount=str(held))
    with pytest.raises(ProviderRefused) as refused:
        gives_back(people, order)
    assert refused.value.code == code
    (made,) = people.in_app(kept.of_order, order.id)
    assert made.status == "failed"
    assert status(people, order) == "paid"


# ---- The page ----


def pays_by_form(people: People, browser: FlaskClient, order: Order, phone: str) -> TestResponse:
    return submit(browser, f"/checkout/{order.id}/pay", provider="campay", phone=phone)


@ON_SQLITE
def test_the_page_asks_for_a_number_and_then_says_what_to_do(
    people: People, world: CampayWorld, order: Order
) -> None:
    browser = people.browser(order)
    page = page_of(browser.get(f"/checkout/{order.id}"))
    field = page.id("campay-phone")
    assert (field["type"], field["autocomplete"], field["inputmode"]) == ("tel", "tel", "tel")
    assert pays_by_form(people, browser, order, "+237 677 12 34 56").status_code == 303
    page = page_of(browser.get(f"/checkout/{order.id}"))
    assert page.id("number").text == "6 77 12 34 56"
    assert page.id("dial")["href"] == "tel:%2A126%23"
    assert "PIN" in page.text


@ON_SQLITE
def test_a_wrong_number_is_said_beside_the_field_and_kept(
    people: People, world: CampayWorld, order: Order
) -> None:
    browser = people.browser(order)
    page = page_of(pays_by_form(people, browser, order, '123"><script>'), 422)
    field, error = page.id("campay-phone"), page.id("campay-phone-error")
    assert (field["value"], field["aria-invalid"]) == ('123"><script>', "true")
    assert "campay-phone-error" in field["aria-describedby"]
    assert "Cameroon" in error.text
    assert page.text.count(error.text) == 1
    assert count(people, "payments") == 0


@ON_SQLITE
def test_a_number_that_campay_refuses_is_said_there_too(
    people: People, world: CampayWorld, order: Order
) -> None:
    page = page_of(pays_by_form(people, people.browser(order), order, "620123456"), 422)
    assert "MTN and Orange" in page.text
