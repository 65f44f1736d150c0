"""The same Idempotency-Key: the same answer, and nothing done twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from payments.domain.errors import ProviderUnavailable
from payments.services import checkout
from payments.store import idempotency
from payments.store.db import db, in_transaction, now
from payments.store.tables import idempotency_keys
from tests.outside import ON_SQLITE, ORDER, Caller, at_once, count, done, problem
from tests.people import People


@pytest.fixture
def shop(app: Flask, people: People) -> Caller:
    return Caller(app, people.key())


def opens(caller: Caller, key: str, **changes: object) -> dict[str, object]:
    return done(caller.post("/orders", {**ORDER, **changes}, **{"Idempotency-Key": key}), 201)


def test_the_same_call_again_is_answered_alike_and_opens_nothing(
    shop: Caller, people: People
) -> None:
    first = shop.post("/orders", ORDER, **{"Idempotency-Key": "one"})
    again = shop.post("/orders", ORDER, **{"Idempotency-Key": "one"})
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert count(people, "orders") == 1


def test_another_body_with_the_same_key_is_refused(shop: Caller, people: People) -> None:
    opens(shop, "one")
    other = shop.post("/orders", {**ORDER, "amount": 1}, **{"Idempotency-Key": "one"})
    problem(other, 422, "idempotency_key_reused")
    assert count(people, "orders") == 1


def test_another_address_with_the_same_key_is_refused(shop: Caller, people: People) -> None:
    order = people.order()
    opens(shop, "one")
    other = shop.post(f"/orders/{order.id}/cancel", ORDER, **{"Idempotency-Key": "one"})
    problem(other, 422, "idempotency_key_reused")


def test_callers_have_keys_of_their_own(app: Flask, people: People) -> None:
    callers = [Caller(app, headers) for headers in (people.key(), people.token(people.clerk))]
    assert opens(callers[0], "one") != opens(callers[1], "one", amount=1)
    assert count(people, "orders") == 2


def test_two_api_keys_of_one_name_are_two_callers(app: Flask, people: People) -> None:
    one, other = (Caller(app, people.key()) for _ in range(2))
    assert opens(one, "one")["id"] != opens(other, "one")["id"]


def test_a_key_is_bound_to_one_call_and_each_call_may_have_its_own(
    shop: Caller, people: People
) -> None:
    assert opens(shop, "one")["id"] != opens(shop, "two")["id"]


def test_twenty_at_once_with_one_key_open_one_order(
    app: Flask, shop: Caller, people: People
) -> None:
    def open_one(_number: int) -> tuple[int, str]:
        answer = Caller(app, shop.headers).post("/orders", ORDER, **{"Idempotency-Key": "one"})
        told = answer.get_json(force=True)
        return answer.status_code, told.get("id") or told["code"]

    answers = set(at_once(20, open_one))
    assert count(people, "orders") == 1
    assert len({told for status, told in answers if status == 201}) == 1
    assert {told for status, told in answers if status != 201} <= {"still_running"}


def test_while_the_first_call_runs_the_second_is_told_so(
    app: Flask, shop: Caller, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = people.order()
    seen = []

    def slowly(*_args: object, **_more: object) -> object:
        seen.append(shop.post(path, body, **key))
        raise ProviderUnavailable("away")

    path, body, key = (
        f"/orders/{order.id}/payments",
        {"provider": "momo"},
        {"Idempotency-Key": "one"},
    )
    monkeypatch.setattr(checkout, "start_payment", slowly)
    shop.post(path, body, **key)
    problem(seen[0], 409, "still_running")


def test_a_call_that_was_cut_off_is_never_done_again_and_says_so(
    shop: Caller, people: People
) -> None:
    """Its server died: whether it had opened the order is for the caller to look."""
    opens(shop, "one")
    begun = now() - idempotency.LONGEST - timedelta(seconds=1)
    cut_off = update(idempotency_keys).values(status=None, body=None, created_at=begun)
    people.in_app(in_transaction, lambda: db.session.execute(cut_off))
    problem(shop.post("/orders", ORDER, **{"Idempotency-Key": "one"}), 409, "outcome_unknown")
    assert count(people, "orders") == 1
    assert opens(shop, "two")["id"]


def test_a_refusal_is_kept_as_the_answer(shop: Caller, people: People) -> None:
    wrong = {**ORDER, "amount": 0}
    for _ in range(2):
        answer = shop.post("/orders", wrong, **{"Idempotency-Key": "one"})
        problem(answer, 400, "invalid_amount", "amount")
    problem(
        shop.post("/orders", ORDER, **{"Idempotency-Key": "one"}), 422, "idempotency_key_reused"
    )


@pytest.mark.parametrize("fault", [ProviderUnavailable("away"), RuntimeError("ours")])
def test_a_call_that_failed_on_our_side_frees_its_key(
    shop: Caller, people: People, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fails(*_args: object, **_more: object) -> None:
        raise fault

    with monkeypatch.context() as broken:
        broken.setattr(checkout, "open_order", fails)
        answer = shop.post("/orders", ORDER, **{"Idempotency-Key": "one"})
        assert answer.status_code >= 500
        assert answer.content_type == "application/problem+json"
    opens(shop, "one")
    assert count(people, "idempotency_keys") == 1


@ON_SQLITE
@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there"])
def test_a_key_that_is_no_key_is_refused(shop: Caller, people: People, key: str) -> None:
    problem(shop.post("/orders", ORDER, **{"Idempotency-Key": key}), 400, "invalid_key")
    assert count(people, "orders") == 0


def test_whoever_is_nobody_leaves_no_key_behind(app: Flask, people: People) -> None:
    problem(Caller(app).post("/orders", ORDER, **{"Idempotency-Key": "one"}), 401, "unauthorized")
    assert count(people, "idempotency_keys") == 0
