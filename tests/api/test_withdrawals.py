"""Withdrawals and confirmed deposits, as programs and frontends call them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from payments.store import tables
from payments.store.db import db
from tests.outside import ON_SQLITE, Caller, Json, count, done, problem
from tests.people import PASSWORD, People
from tests.purse import BANK, PHONE, Purse, campay_settings
from tests.sandbox.campay import CampayWorld, opened_campay


@pytest.fixture
def world() -> Iterator[CampayWorld]:
    with opened_campay() as one:
        yield one


@pytest.fixture
def environment(world: CampayWorld) -> dict[str, str]:
    return {
        **campay_settings(world),
        "FEES": "withdrawal:*:XAF=100",
        "WITHDRAWAL_PASSWORD_ABOVE": "XAF:50000",
        "DEPOSIT_LIMITS": "VND:10000-5000000",
        "CONFIRM_LIMIT": "VND:1000000",
    }


@pytest.fixture
def purse(people: People) -> Purse:
    return Purse(people)


@pytest.fixture
def mai(app: Flask, people: People) -> Caller:
    return Caller(app, people.token(people.owner))


@pytest.fixture
def manager(app: Flask, people: People) -> Caller:
    return Caller(app, people.token(people.manager))


def asked(amount: int = 5_000, **more: Any) -> Json:
    return {"amount": amount, "currency": "XAF", "destination": PHONE, **more}


def test_a_customer_withdraws_and_is_told_the_new_balance(mai: Caller, purse: Purse) -> None:
    purse.filled(20_000)
    told = done(mai.post("/payment/withdraw", asked()), 201)
    assert told.pop("transactionId").startswith("W")
    assert told == {
        "status": "pending",
        "amount": 5_000,
        "fee": 100,
        "currency": "XAF",
        "newBalance": 14_900,
    }
    (listed,) = done(mai.get("/withdrawals"))["data"]
    assert (listed["status"], listed["provider"]) == ("held", "campay")
    assert listed["destination"] == {"phone": "237677123456"}


@ON_SQLITE
def test_whoever_has_one_balance_need_not_name_its_currency(mai: Caller, purse: Purse) -> None:
    body = {"amount": 5_000, "destination": {"phone": PHONE, "name": "Awa"}}
    problem(mai.post("/payment/withdraw", body), 400, "unknown_currency", "currency")
    purse.filled(20_000)
    assert done(mai.post("/payment/withdraw", body), 201)["currency"] == "XAF"
    purse.filled(50_000, "VND")
    problem(mai.post("/payment/withdraw", body), 400, "unknown_currency", "currency")


def test_the_same_key_twice_is_one_withdrawal(
    mai: Caller, purse: Purse, world: CampayWorld
) -> None:
    purse.filled(20_000)
    key = {"Idempotency-Key": "withdraw 1"}
    first = done(mai.post("/payment/withdraw", asked(), **key), 201)
    assert done(mai.post("/payment/withdraw", asked(), **key), 201) == first
    problem(mai.post("/payment/withdraw", asked(6_000), **key), 422, "idempotency_key_reused")
    assert (count(purse.people, "withdrawals"), len(world.sent("withdraw"))) == (1, 1)
    assert purse.balance() == 14_900


@ON_SQLITE
@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"amount": 20_000}, "insufficient_funds", "amount"),
        ({"amount": 0}, "invalid_amount", "amount"),
        ({"amount": -5}, "invalid_amount", "amount"),
        ({"amount": "5000"}, "invalid_amount", "amount"),
        ({"amount": 1}, "amount_outside_limits", "amount"),
        ({"currency": "VND", "destination": "0912345678"}, "no_wallet", "currency"),
        ({"currency": "ZZZ"}, "unknown_currency", "currency"),
        ({"destination": "12"}, "invalid_destination", "destination"),
        ({"destination": {"phone": PHONE, "x": "y"}}, "invalid_destination", "destination"),
        ({"destination": BANK}, "invalid_destination", "destination"),
        ({"amount": 60_000}, "insufficient_funds", "amount"),
    ],
)
def test_what_cannot_be_is_a_problem_and_nothing_is_held(
    mai: Caller, purse: Purse, change: Json, code: str, field: str
) -> None:
    purse.filled(20_000)
    problem(mai.post("/payment/withdraw", {**asked(), **change}), 400, code, field)
    assert (count(purse.people, "withdrawals"), purse.balance()) == (0, 20_000)


@ON_SQLITE
@pytest.mark.parametrize(
    "destination", [None, 5, [], ["a"], {"phone": 5}, {"phone": {}}, "x" * 101]
)
def test_a_destination_of_another_type_is_a_problem(
    mai: Caller, purse: Purse, destination: object
) -> None:
    purse.filled(20_000)
    answer = mai.post("/payment/withdraw", {**asked(), "destination": destination})
    assert answer.status_code == 400
    assert "destination" in answer.get_data(as_text=True)


@ON_SQLITE
def test_above_the_limit_the_password_is_asked_for_ten_times_a_minute(
    mai: Caller, purse: Purse
) -> None:
    purse.filled(200_000)
    large = asked(60_000)
    problem(mai.post("/payment/withdraw", large), 400, "password_needed", "password")
    wrong = {**large, "password": "not this one"}
    answers = [mai.post("/payment/withdraw", wrong) for _ in range(11)]
    problem(answers[0], 400, "wrong_password", "password")
    problem(answers[10], 429, "too_many_requests")
    right = {**large, "password": PASSWORD}
    problem(mai.post("/payment/withdraw", right), 429, "too_many_requests")
    assert done(mai.post("/payment/withdraw", asked()), 201)["status"] == "pending"
    assert purse.balance() == 194_900


@ON_SQLITE
def test_the_right_password_withdraws_and_is_kept_nowhere(mai: Caller, purse: Purse) -> None:
    purse.filled(200_000)
    body = asked(60_000, password=PASSWORD)
    done(mai.post("/payment/withdraw", body, **{"Idempotency-Key": "k"}), 201)

    def everything_kept() -> str:
        return str(
            [
                db.session.execute(getattr(tables, name).select()).all()
                for name in ("audit", "withdrawals", "outbox", "idempotency_keys", "inbox")
            ]
        )

    assert PASSWORD not in purse.people.in_app(everything_kept)


@ON_SQLITE
def test_a_refusal_of_the_rail_is_said_and_the_money_is_back(
    mai: Caller, purse: Purse, world: CampayWorld
) -> None:
    purse.filled(20_000)
    world.app.config["CAMPAY_WITHDRAWS"] = 0
    problem(mai.post("/payment/withdraw", asked()), 422, "payout_not_possible")
    assert purse.balance() == 20_000
    (listed,) = done(mai.get("/withdrawals"))["data"]
    assert (listed["status"], listed["reason"]) == ("returned", "payout_not_possible")


@ON_SQLITE
def test_a_key_and_nobody_have_no_wallet(app: Flask, people: People) -> None:
    for path in ("/payment/withdraw",):
        problem(Caller(app, people.key()).post(path, asked()), 403, "forbidden")
        problem(Caller(app).post(path, asked()), 401, "unauthorized")
    problem(Caller(app, people.key()).get("/withdrawals"), 403, "forbidden")
    problem(Caller(app).get("/withdrawals"), 401, "unauthorized")


# ---- Staff ----


def by_bank(mai: Caller, purse: Purse) -> str:
    purse.filled(50_000, "VND")
    body = {"amount": 20_000, "currency": "VND", "destination": BANK}
    return str(done(mai.post("/payment/withdraw", body), 201)["transactionId"])


def test_staff_settle_it_and_the_same_twice_is_one(
    mai: Caller, manager: Caller, purse: Purse
) -> None:
    path = f"/withdrawals/{by_bank(mai, purse)}"
    told = done(manager.post(f"{path}/settle", {"evidence": "FT 1"}))
    assert (told["status"], told["evidence"], told["provider"]) == ("settled", "FT 1", None)
    assert done(manager.post(f"{path}/settle", {"evidence": "FT 1"})) == told
    problem(manager.post(f"{path}/fail", {"reason": "No account"}), 409, "withdrawal_ended")
    other = f"/withdrawals/{by_bank(mai, purse)}/settle"
    refusal = manager.post(other, {"evidence": "FT 1"})
    problem(refusal, 409, "payout_evidence_used", "evidence")


def test_staff_give_it_back(mai: Caller, manager: Caller, purse: Purse) -> None:
    path = f"/withdrawals/{by_bank(mai, purse)}/fail"
    problem(manager.post(path, {"reason": "x"}), 400, "invalid_reason", "reason")
    told = done(manager.post(path, {"reason": "No such account"}))
    assert (told["status"], told["reason"]) == ("returned", "No such account")
    assert purse.balance("VND") == 50_000
    assert done(manager.post(path, {"reason": "No such account"})) == told


def test_what_a_rail_may_have_sent_is_given_back_only_by_whoever_has_looked(
    mai: Caller, manager: Caller, purse: Purse
) -> None:
    purse.filled(20_000)
    path = f"/withdrawals/{done(mai.post('/payment/withdraw', asked()), 201)['transactionId']}/fail"
    refusal = manager.post(path, {"reason": "He called"})
    problem(refusal, 409, "withdrawal_under_way", "not_sent")
    assert done(manager.post(path, {"reason": "He called", "not_sent": True}))["status"] == (
        "returned"
    )


@ON_SQLITE
def test_only_managers_end_withdrawals_and_never_their_own(
    app: Flask, mai: Caller, manager: Caller, purse: Purse
) -> None:
    path = f"/withdrawals/{by_bank(mai, purse)}"
    people = purse.people
    for who in (people.clerk, people.accountant, people.owner):
        caller = Caller(app, people.token(who))
        problem(caller.post(f"{path}/settle", {"evidence": "FT 1"}), 403, "forbidden")
        problem(caller.post(f"{path}/fail", {"reason": "Because"}), 403, "forbidden")
    problem(
        Caller(app, people.key()).post(f"{path}/settle", {"evidence": "FT 1"}), 403, "forbidden"
    )
    problem(manager.post("/withdrawals/none/settle", {"evidence": "FT 1"}), 404, "not_found")
    purse.filled(50_000, "VND", who=people.manager)
    body = {"amount": 20_000, "currency": "VND", "destination": BANK}
    own = done(manager.post("/payment/withdraw", body), 201)["transactionId"]
    problem(manager.post(f"/withdrawals/{own}/fail", {"reason": "Mine"}), 403, "forbidden")


@ON_SQLITE
def test_the_list_goes_on_where_its_page_ended_and_shows_no_strangers(
    app: Flask, mai: Caller, manager: Caller, purse: Purse
) -> None:
    mine = [by_bank(mai, purse) for _ in range(3)]
    first = done(mai.get("/withdrawals?limit=2"))
    rest = done(mai.get(f"/withdrawals?limit=2&cursor={first['next_cursor']}"))
    assert [one["id"] for one in first["data"] + rest["data"]] == mine[::-1]
    assert rest["next_cursor"] is None
    stranger = Caller(app, purse.people.token(purse.people.stranger))
    assert done(stranger.get("/withdrawals"))["data"] == []
    assert len(done(manager.get("/withdrawals"))["data"]) == 3
    problem(mai.get("/withdrawals?cursor=x"), 400, "invalid_cursor")
    problem(mai.get("/withdrawals?limit=0"), 400, "invalid_limit", "limit")


# ---- Deposits ----


def deposit(caller: Caller, amount: int = 50_000) -> str:
    body = {"amount": amount, "provider": "bank", "currency": "VND"}
    return str(done(caller.post("/payment/deposit", body), 201)["transactionId"])


@ON_SQLITE
@pytest.mark.parametrize("amount", [9_999, 5_000_001])
def test_a_deposit_outside_the_shops_limits_is_refused_before_it_is_made(
    mai: Caller, people: People, amount: int
) -> None:
    body = {"amount": amount, "provider": "bank", "currency": "VND"}
    problem(mai.post("/payment/deposit", body), 400, "amount_outside_limits", "amount")
    assert count(people, "orders") == 0


def test_staff_confirm_a_deposit_whose_money_they_have_seen(
    app: Flask, mai: Caller, people: People, purse: Purse
) -> None:
    name = deposit(mai)
    clerk = Caller(app, people.token(people.clerk))
    told = done(clerk.post("/payment/confirm-deposit", {"transactionId": name}))
    assert told == {
        "transactionId": name,
        "status": "completed",
        "amount": 50_000,
        "currency": "VND",
        "newBalance": 50_000,
    }
    again = clerk.post("/payment/confirm-deposit", {"transactionId": name})
    problem(again, 409, "order_not_payable")
    assert purse.balance("VND") == 50_000
    purse.stands()


@ON_SQLITE
def test_a_large_deposit_needs_a_second_person(
    app: Flask, mai: Caller, manager: Caller, people: People, purse: Purse
) -> None:
    name = deposit(mai, 2_000_000)
    clerk = Caller(app, people.token(people.clerk))
    told = done(clerk.post("/payment/confirm-deposit", {"transactionId": name}), 202)
    assert (told["status"], purse.balance("VND")) == ("held", 0)
    done(manager.post(f"/confirmations/{told['confirmation_id']}/approve"))
    assert purse.balance("VND") == 2_000_000


@ON_SQLITE
def test_nobody_confirms_their_own_deposit_or_what_is_none(
    app: Flask, mai: Caller, people: People
) -> None:
    clerk = Caller(app, people.token(people.clerk))
    path = "/payment/confirm-deposit"
    problem(mai.post(path, {"transactionId": deposit(mai)}), 403, "forbidden")
    problem(clerk.post(path, {"transactionId": deposit(clerk)}), 403, "forbidden")
    problem(clerk.post(path, {"transactionId": people.order().id}), 404, "not_found")
    problem(clerk.post(path, {"transactionId": "nothing"}), 404, "not_found")
    stranger = Caller(app, people.token(people.stranger))
    problem(stranger.post(path, {"transactionId": deposit(mai)}), 404, "not_found")
    problem(Caller(app).post(path, {"transactionId": "x"}), 401, "unauthorized")
    problem(Caller(app, people.key()).post(path, {"transactionId": deposit(mai)}), 403, "forbidden")


class TestInTheSandbox:
    @pytest.fixture
    def environment(self, world: CampayWorld) -> dict[str, str]:
        return {**campay_settings(world), "SANDBOX": "1"}

    def test_the_owner_says_that_the_money_came(self, mai: Caller, purse: Purse) -> None:
        name = deposit(mai)
        told = done(mai.post("/payment/confirm-deposit", {"transactionId": name}))
        assert (told["status"], told["newBalance"]) == ("completed", 50_000)
        purse.stands()
