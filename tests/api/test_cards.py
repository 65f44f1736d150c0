"""A person's saved cards by the API: listed, removed, paid with, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from payments.store import outbox
from tests.outside import ON_SQLITE, Caller, Json, attempt_of, done, everything, problem
from tests.people import People
from tests.sandbox.payable_world import ENVIRONMENT, PayableWorld, payable_world
from tests.sandbox.world import served

CARD = {"provider": "payable"}
KEEP = {**CARD, "save_card": True}


@pytest.fixture
def ipg() -> Iterator[PayableWorld]:
    with payable_world() as one:
        yield one


@pytest.fixture
def environment(ipg: PayableWorld) -> dict[str, str]:
    return {**ENVIRONMENT, "PAYABLE_API_URL": f"{ipg.url}/payable"}


@pytest.fixture
def reachable(app: Flask, people: People) -> Iterator[str]:
    """The address that the pretended PAYable calls back."""
    with served(app) as url:
        object.__setattr__(people.house.settings, "public_url", url)
        yield url


@pytest.fixture
def mai(app: Flask, people: People, reachable: str) -> Caller:
    return Caller(app, people.token(people.owner))


def opened(people: People, currency: str = "LKR") -> str:
    assert people.owner.user is not None
    return people.order(235_000, currency, customer_id=people.owner.user.id).id


def keep(people: People, ipg: PayableWorld, mai: Caller) -> str:
    """The token of a card that was kept with a payment."""
    order_id = opened(people)
    told = done(mai.post(f"/orders/{order_id}/payments", KEEP), 201)
    ipg.decide("pay", told["reference"])
    ipg.settled(told["reference"])
    token: str = done(mai.get("/cards"))["data"][0]["token_id"]
    return token


def delete(caller: Caller, token: str, **headers: str) -> Json | int:
    answer = caller.delete(f"/cards/{token}", **headers)
    return answer.get_json() if answer.status_code == 200 else answer.status_code


def test_a_person_sees_pays_with_and_removes_their_cards(
    mai: Caller, people: People, ipg: PayableWorld
) -> None:
    assert done(mai.get("/cards")) == {"data": [], "next_cursor": None}
    token = keep(people, ipg, mai)
    card = {
        "token_id": token,
        "masked_number": "411111xxxxxx1111",
        "scheme": "VISA",
        "expiry": "12/30",
        "nickname": "",
    }
    assert done(mai.get("/cards")) == {"data": [card], "next_cursor": None}
    order_id = opened(people)
    told = done(mai.post(f"/orders/{order_id}/payments", {**CARD, "token_id": token}), 201)
    # Payable may have told its end before it answered.
    assert told["action"] in ({"type": "none"}, None)
    ipg.settled(told["reference"])
    assert done(mai.get(f"/orders/{order_id}"))["status"] == "paid"
    again = {"Idempotency-Key": "once"}
    assert delete(mai, token, **again) == delete(mai, token, **again) == card
    assert delete(mai, token) == 404
    assert done(mai.get("/cards"))["data"] == []


def test_a_person_names_their_card_and_nobody_else_does(
    app: Flask, mai: Caller, people: People, ipg: PayableWorld
) -> None:
    token = keep(people, ipg, mai)
    path, name = f"/cards/{token}", {"nickname": "  For the\u00a0 shop "}
    again = {"Idempotency-Key": "once"}
    named = done(mai.patch(path, name, **again))
    assert named["nickname"] == "For the shop"
    assert done(mai.patch(path, name, **again)) == named
    others = Caller(app, people.token(people.stranger)), Caller(app, people.key()), Caller(app)
    assert [one.patch(path, name).status_code for one in others] == [404, 403, 401]
    for wrong, code in (
        ({"nickname": "   "}, "card_name"),
        ({"nickname": "x" * 31}, "card_name"),
        ({"nickname": "a\u202eb"}, "card_name"),
        ({"nickname": "4111 1111 1111 1111"}, "card_name_is_number"),
        ({"nickname": "\u0664\u0661" * 8}, "card_name_is_number"),
        ({"nickname": 5}, "invalid_nickname"),
        ({}, "invalid_nickname"),
    ):
        problem(mai.patch(path, wrong), 400, code, "nickname")
    assert done(mai.get("/cards"))["data"] == [named]


@ON_SQLITE
def test_a_card_is_nobody_elses(app: Flask, mai: Caller, people: People, ipg: PayableWorld) -> None:
    token = keep(people, ipg, mai)
    before = everything(people)
    stranger = Caller(app, people.token(people.stranger))
    key, nobody = Caller(app, people.key()), Caller(app)
    assert done(stranger.get("/cards"))["data"] == []
    problem(key.get("/cards"), 403, "forbidden")
    problem(nobody.get("/cards"), 401, "unauthorized")
    assert [delete(one, token) for one in (stranger, key, nobody)] == [404, 403, 401]
    order_id = opened(people)
    for one in (key, Caller(app, people.token(people.clerk))):
        answer = one.post(f"/orders/{order_id}/payments", {**CARD, "token_id": token})
        problem(answer, 404, "not_found")
    after = everything(people)
    assert after["payments"] == before["payments"]
    assert len(done(mai.get("/cards"))["data"]) == 1


@ON_SQLITE
@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({**CARD, "save_card": "yes"}, "invalid_save_card", "save_card"),
        ({**CARD, "save_card": 1}, "invalid_save_card", "save_card"),
        ({**CARD, "token_id": ""}, "invalid_token_id", "token_id"),
        ({**CARD, "token_id": "t" * 129}, "invalid_token_id", "token_id"),
        ({**CARD, "token_id": 7}, "invalid_token_id", "token_id"),
        ({**CARD, "email": "nobody"}, "invalid_email", "email"),
        ({**CARD, "phone": "call me"}, "invalid_phone", "phone"),
    ],
)
def test_what_cannot_be_is_refused_and_begins_nothing(
    mai: Caller, people: People, body: Json, code: str, field: str
) -> None:
    order_id = opened(people)
    before = everything(people)
    problem(mai.post(f"/orders/{order_id}/payments", body), 400, code, field)
    assert everything(people) == before


@ON_SQLITE
def test_a_key_may_not_have_a_card_kept(app: Flask, mai: Caller, people: People) -> None:
    answer = Caller(app, people.key()).post(f"/orders/{opened(people)}/payments", KEEP)
    problem(answer, 400, "card_not_kept", "save_card")


@ON_SQLITE
@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (999, "LKR", "amount_outside_limits"),
        (100_000_001, "LKR", "amount_outside_limits"),
        (99, "USD", "amount_outside_limits"),
        (235_000, "VND", "currency_not_taken"),
        (235_000, "KWD", "currency_not_taken"),
        (235_000, "INR", "currency_not_taken"),
    ],
)
def test_other_currencies_and_amounts_are_refused_before_payable_is_asked(
    app: Flask, people: People, ipg: PayableWorld, amount: int, currency: str, code: str
) -> None:
    order = people.order(amount, currency)
    answer = Caller(app, people.key()).post(f"/orders/{order.id}/payments", CARD)
    assert (answer.status_code, answer.get_json(force=True)["code"]) == (400, code)
    assert "No payments yet" in ipg.get("/?still=1").text


@ON_SQLITE
@pytest.mark.parametrize("currency", ["LKR", "USD", "EUR", "GBP"])
def test_each_of_its_currencies_is_taken_to_the_cent(
    app: Flask, mai: Caller, people: People, ipg: PayableWorld, currency: str
) -> None:
    order_id = people.order(100_060, currency).id
    shop = Caller(app, people.key())
    told = done(shop.post(f"/orders/{order_id}/payments", CARD), 201)
    shown = ipg.get(f"/payments/{told['reference']}").json()
    assert (shown["amount"], shown["currency"]) == ("1000.60", currency)
    ipg.decide("pay", told["reference"])
    ipg.settled(told["reference"])
    read = done(shop.get(f"/orders/{order_id}"))
    assert (read["status"], read["amount_paid"]) == ("paid", 100_060)


@ON_SQLITE
@pytest.mark.parametrize("switch", ["wrong_amount", "forged", "silent"])
def test_a_lie_pays_nothing_and_makes_one_question_due(
    app: Flask, mai: Caller, people: People, ipg: PayableWorld, switch: str
) -> None:
    order_id = opened(people)
    told = done(mai.post(f"/orders/{order_id}/payments", CARD), 201)
    ipg.decide("pay", told["reference"], **{switch: True})
    sent = ipg.settled(told["reference"])
    assert [one["tries"][0]["status"] for one in sent] == {
        "wrong_amount": [200],
        "forged": [401],
        "silent": [],
    }[switch]
    assert attempt_of(people, order_id).status.value == "pending"
    assert people.in_app(outbox.of_topic, f"order:{order_id}", 2) == []


@ON_SQLITE
def test_where_no_business_key_is_set_cards_are_taken_and_none_is_kept(
    app: Flask, mai: Caller, people: People
) -> None:
    rails = people.house.settings.rails
    assert rails.payable is not None
    object.__setattr__(rails.payable, "business_key", None)
    order_id = opened(people)
    problem(mai.post(f"/orders/{order_id}/payments", KEEP), 400, "card_not_kept", "save_card")
    done(mai.post(f"/orders/{order_id}/payments", CARD), 201)
    assert done(mai.get("/cards"))["data"] == []
