"""Confirm, approve, cancel and refund, as programs call them."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.outside import ON_SQLITE, Caller, Json, at_once, done, everything, problem
from tests.people import People

SEEN = {"amount": 50_000, "reason": "I counted it", "evidence": "receipt 1"}


@pytest.fixture
def environment() -> dict[str, str]:
    return {"CONFIRM_LIMIT": "VND:50000"}


@pytest.fixture
def clerk(app: Flask, people: People) -> Caller:
    return Caller(app, people.token(people.clerk))


@pytest.fixture
def manager(app: Flask, people: People) -> Caller:
    return Caller(app, people.token(people.manager))


@pytest.fixture
def shop(app: Flask, people: People) -> Caller:
    return Caller(app, people.key())


def test_a_confirmation_up_to_the_limit_pays(clerk: Caller, people: People) -> None:
    order = people.order()
    told = done(clerk.post(f"/orders/{order.id}/confirm", SEEN))
    assert (told["status"], told["amount_paid"], told["display"]) == ("paid", 50_000, "paid")
    assert told["confirmation_id"]
    assert told["payment"]["provider"] == "manual"


def test_above_the_limit_it_is_held_for_a_second_person(
    clerk: Caller, manager: Caller, people: People
) -> None:
    order = people.order(50_001)
    answer = clerk.post(f"/orders/{order.id}/confirm", {**SEEN, "amount": 50_001})
    told = done(answer, 202)
    assert set(told) == {"confirmation_id", "status"}
    assert told["status"] == "held"
    assert done(clerk.get(f"/orders/{order.id}"))["version"] == 1
    path = f"/confirmations/{told['confirmation_id']}/approve"
    problem(clerk.post(path), 403, "forbidden")
    paid = done(manager.post(path))
    assert (paid["status"], paid["confirmation_id"]) == ("paid", told["confirmation_id"])
    assert manager.post(path).status_code == 409


def test_nobody_approves_their_own(manager: Caller, people: People) -> None:
    order = people.order(50_001)
    told = done(manager.post(f"/orders/{order.id}/confirm", {**SEEN, "amount": 50_001}), 202)
    problem(manager.post(f"/confirmations/{told['confirmation_id']}/approve"), 403, "forbidden")


def test_evidence_is_used_once(clerk: Caller, people: People) -> None:
    done(clerk.post(f"/orders/{people.order().id}/confirm", SEEN))
    again = clerk.post(f"/orders/{people.order().id}/confirm", SEEN)
    problem(again, 409, "evidence_used", "evidence")


WRONG: list[tuple[Json, str, str]] = [
    *(
        ({"amount": one}, "invalid_amount", "amount")
        for one in (0, -1, 1.5, "1", True, None, 10**12)
    ),
    *(
        ({"evidence": one}, "invalid_evidence", "evidence")
        for one in (None, 7, "", "ab", "e" * 101)
    ),
    *(({"reason": one}, "invalid_reason", "reason") for one in (None, 7, "", "no", "r" * 501)),
]


def test_what_is_no_confirmation_is_refused_by_name(clerk: Caller, people: People) -> None:
    order = people.order()
    before = everything(people)
    for wrong, code, about in WRONG:
        answer = clerk.post(f"/orders/{order.id}/confirm", {**SEEN, **wrong})
        problem(answer, 400, code, about)
    for missing in SEEN:
        body = {name: value for name, value in SEEN.items() if name != missing}
        problem(clerk.post(f"/orders/{order.id}/confirm", body), 400, f"invalid_{missing}", missing)
    assert everything(people) == before


def test_a_double_click_with_one_idempotency_key_confirms_once(
    clerk: Caller, people: People
) -> None:
    order = people.order()

    def press(_number: int) -> int:
        caller = Caller(people.app, clerk.headers)
        answer = caller.post(f"/orders/{order.id}/confirm", SEEN, **{"Idempotency-Key": "click"})
        return answer.status_code

    told = at_once(20, press)
    assert 200 in told
    assert set(told) <= {200, 409}
    read = done(clerk.get(f"/orders/{order.id}"))
    assert (read["amount_paid"], read["version"]) == (50_000, 2)


def test_a_cancelled_order_stays_cancelled(shop: Caller, people: People) -> None:
    order = people.order()
    told = done(shop.post(f"/orders/{order.id}/cancel", {"reason": "Sold out"}))
    assert (told["status"], told["version"], told["amount_due"]) == ("cancelled", 2, 0)
    problem(shop.post(f"/orders/{order.id}/cancel"), 409, "order_ended")
    assert done(shop.get(f"/orders/{order.id}")) == told


def test_a_paid_order_is_not_cancelled(shop: Caller, clerk: Caller, people: People) -> None:
    order = people.order()
    done(clerk.post(f"/orders/{order.id}/confirm", SEEN))
    problem(shop.post(f"/orders/{order.id}/cancel"), 409, "order_ended")


@ON_SQLITE
@pytest.mark.parametrize("reason", ["", "no", "r" * 501, 7])
def test_a_reason_to_cancel_is_a_reason(shop: Caller, people: People, reason: object) -> None:
    answer = shop.post(f"/orders/{people.order().id}/cancel", {"reason": reason})
    problem(answer, 400, "invalid_reason", "reason")


def test_money_is_given_back_whole_in_part_and_not_twice(
    shop: Caller, clerk: Caller, people: People
) -> None:
    order = people.order()
    path = f"/orders/{order.id}/refunds"
    problem(shop.post(path, {"reason": "Broken"}), 409, "nothing_to_refund")
    done(clerk.post(f"/orders/{order.id}/confirm", SEEN))
    problem(clerk.post(path, {"reason": "Broken"}), 403, "forbidden")
    for amount in (0, -1, 50_001, 10**15):
        answer = shop.post(path, {"reason": "Broken", "amount": amount})
        problem(answer, 400, "invalid_amount", "amount")
    for wrong in (1.5, "1", True):
        answer = shop.post(path, {"reason": "Broken", "amount": wrong})
        problem(answer, 400, "invalid_amount", "amount")
    problem(shop.post(path), 400, "invalid_reason", "reason")
    (part,) = done(shop.post(path, {"reason": "Broken", "amount": 20_000}), 201)["data"]
    assert (part["amount"], part["currency"], part["status"]) == (20_000, "VND", "requested")
    (rest,) = done(shop.post(path, {"reason": "Broken"}), 201)["data"]
    assert rest["amount"] == 30_000
    problem(shop.post(path, {"reason": "Broken"}), 409, "nothing_to_refund")
