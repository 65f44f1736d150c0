"""The pretended CamPay takes and refuses calls as CamPay's documents say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .campay import LOGIN, MTN, ORANGE, TOKEN, CampayWorld, opened_campay
from .world import Json


@pytest.fixture
def world() -> Iterator[CampayWorld]:
    with opened_campay() as one:
        yield one


def refused(world: CampayWorld, method: str, path: str, body: Any = None, **how: Any) -> Json:
    answer = world.call(method, path, body, **how)
    assert 400 <= answer.status_code < 500, answer.text
    told: Json = answer.json()
    assert told["message"]
    return {"status": answer.status_code, **told}


def test_a_collect_sends_a_prompt_and_waits(world: CampayWorld) -> None:
    told = world.collect()
    assert set(told) == {"reference", "ussd_code", "operator"}
    assert (told["ussd_code"], told["operator"]) == ("*126#", "MTN")
    other = world.collect("P2", **{"from": ORANGE})
    assert (other["ussd_code"], other["operator"]) == ("#150*50#", "Orange")
    found = world.transaction(told["reference"])
    assert (found["status"], found["amount"], found["currency"]) == ("PENDING", "4500.00", "XAF")
    assert (found["external_reference"], found["endpoint"]) == ("P1", "collect")
    assert (found["reason"], found["external_user"]) == ("None", "None")


@pytest.mark.parametrize("amount", ["4500", 4500])
def test_an_amount_is_digits_or_a_number(world: CampayWorld, amount: object) -> None:
    told = world.collect(amount=amount)
    assert world.transaction(told["reference"])["amount"] == "4500.00"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"from": "677123456"}, "ER101"),
        ({"from": "+237677123456"}, "ER101"),
        ({"from": "84677123456"}, "ER101"),
        ({"from": None}, "ER101"),
        ({"from": "237222123456"}, "ER102"),
        ({"from": "237620123456"}, "ER102"),
        ({"amount": "45.5"}, "ER201"),
        ({"amount": 45.0}, "ER201"),
        ({"amount": "0"}, "ER201"),
        ({"amount": "-5"}, "ER201"),
        ({"amount": None}, "ER201"),
    ],
)
def test_a_call_that_breaks_a_rule_is_refused_with_its_code(
    world: CampayWorld, changes: Json, code: str
) -> None:
    asked = {"amount": "4500", "currency": "XAF", "from": MTN, "external_reference": "P1"}
    told = refused(world, "POST", "/collect/", {**asked, **changes})
    assert (told["status"], told["error_code"]) == (400, code)
    assert code in told["message"]


@pytest.mark.parametrize(
    "authorization", [None, "", f"Bearer {TOKEN}", TOKEN, "Token wrong", "Token ", "Token"]
)
def test_nobody_calls_without_a_token(world: CampayWorld, authorization: str | None) -> None:
    for method, path in (("GET", "/balance/"), ("POST", "/collect/"), ("POST", "/withdraw/")):
        told = refused(world, method, path, {}, authorization=authorization)
        assert told["status"] == 401


def test_a_login_gives_a_token_for_an_hour(world: CampayWorld) -> None:
    named = dict(zip(("username", "password"), LOGIN, strict=True))
    told = world.done(world.call("POST", "/token/", named, authorization=None))
    assert told["expires_in"] == 3600
    mine = f"Token {told['token']}"
    assert world.call("GET", "/balance/", authorization=mine).status_code == 200
    wrong = {**named, "password": "guess"}
    assert refused(world, "POST", "/token/", wrong, authorization=None)["status"] == 400


def test_the_same_name_is_the_same_transaction_where_campay_is_so(world: CampayWorld) -> None:
    first, again = world.collect("P1"), world.collect("P1", amount="9000")
    assert first["reference"] == again["reference"]
    world.app.config["CAMPAY_DEDUPES"] = 0
    assert world.collect("P1")["reference"] != first["reference"]


def test_money_that_is_sent_arrives_and_is_told(world: CampayWorld) -> None:
    told = world.withdraw()
    world.settled(told["reference"])
    assert world.transaction(told["reference"])["status"] == "SUCCESSFUL"
    (heard,) = world.merchant.heard
    assert (heard.fields["endpoint"], heard.fields["status"]) == ("withdraw", "SUCCESSFUL")
    assert (heard.fields["external_reference"], heard.fields["amount"]) == ("R1", "1000.00")


def test_money_that_is_under_way_is_pending(world: CampayWorld) -> None:
    world.app.config["CAMPAY_PAYOUT_SECONDS"] = 60
    told = world.withdraw()
    assert told["status"] == world.transaction(told["reference"])["status"] == "PENDING"
    assert world.merchant.heard == []


def test_a_number_that_takes_no_money_gives_it_back(world: CampayWorld) -> None:
    before = world.done(world.call("GET", "/balance/"))
    told = world.withdraw(to="237677123000")
    world.settled(told["reference"])
    found = world.transaction(told["reference"])
    assert (found["status"], found["reason"]) == ("FAILED", "PAYEE_NOT_FOUND")
    assert world.done(world.call("GET", "/balance/")) == before


def test_an_app_cannot_send_what_it_has_not(world: CampayWorld) -> None:
    held = world.done(world.call("GET", "/balance/"))
    too_much = {"amount": str(held["mtn_balance"] + 1), "to": MTN, "external_reference": "R1"}
    told = refused(world, "POST", "/withdraw/", too_much)
    assert (told["status"], told["error_code"]) == (400, "ER301")
    world.withdraw("R2", amount=str(held["mtn_balance"]))
    left = world.done(world.call("GET", "/balance/"))
    assert (left["mtn_balance"], left["orange_balance"]) == (0, held["orange_balance"])


def test_an_app_that_may_not_send_is_forbidden_to(world: CampayWorld) -> None:
    world.app.config["CAMPAY_WITHDRAWS"] = 0
    asked = {"amount": "1000", "to": MTN}
    assert refused(world, "POST", "/withdraw/", asked)["status"] == 403


def test_a_payment_fills_the_balance_less_its_fee(world: CampayWorld) -> None:
    before = world.done(world.call("GET", "/balance/"))["mtn_balance"]
    reference = world.collect(amount="5")["reference"]
    world.decide(reference, silent=True)
    found = world.transaction(reference)
    assert (found["amount"], found["app_amount"]) == ("5.00", "4.00")
    assert world.done(world.call("GET", "/balance/"))["mtn_balance"] == before + 4


def test_the_history_tells_what_was_named_so(world: CampayWorld) -> None:
    collected, sent = world.collect("P1"), world.withdraw("R1")
    (came,), (went,) = world.sent("collect"), world.sent("withdraw")
    assert (came["reference_uuid"], came["description"]) == (collected["reference"], "Mangoes P1")
    assert (went["reference_uuid"], went["description"]) == (sent["reference"], "Refund R1")
    empty = {"start_date": "2020-01-01", "end_date": "2020-01-02"}
    assert world.done(world.call("POST", "/history/", empty))["data"] == []
    assert refused(world, "POST", "/history/", {"start_date": "soon"})["status"] == 400


def test_an_unknown_transaction_is_not_found(world: CampayWorld) -> None:
    assert refused(world, "GET", "/transaction/nothing/")["status"] == 404


def test_campays_own_client_leaves_the_slash_away(world: CampayWorld) -> None:
    reference = world.collect()["reference"]
    found = world.done(world.call("GET", f"/transaction/{reference}"))
    assert found["reference"] == reference


@pytest.mark.parametrize("body", [None, [], "x", 7])
def test_a_body_that_is_no_object_is_refused(world: CampayWorld, body: object) -> None:
    for path in ("/collect/", "/withdraw/", "/history/", "/token/"):
        assert refused(world, "POST", path, body)["status"] == 400


def test_money_to_some_numbers_is_told_to_nobody_or_takes_long(world: CampayWorld) -> None:
    told = world.withdraw("W1", to="237677123001")
    assert world.settled(told["reference"]) == []
    assert world.transaction(told["reference"])["status"] == "SUCCESSFUL"
    world.app.config["CAMPAY_PAYOUT_SECONDS"] = 60
    slow = world.withdraw("W2", to="237677123002")
    assert world.transaction(slow["reference"])["status"] == "PENDING"
