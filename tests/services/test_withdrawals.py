"""Money leaves a wallet: held at once, sent once, settled or returned, whoever tells and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from payments.domain.errors import (
    Conflict,
    Forbidden,
    InsufficientFunds,
    InvalidAmount,
    InvalidInput,
    NotFound,
    PaychimeError,
    ProviderRefused,
    Unauthenticated,
)
from payments.domain.withdrawals import Withdrawal
from payments.services.access import NOBODY, Identity
from payments.services.wallets import payouts, withdrawals
from payments.store import tables
from payments.store.db import db, in_transaction
from tests.outside import ON_SQLITE, at_once, count
from tests.people import PASSWORD, People
from tests.providers.test_campay_rail import calls_of, forwarded
from tests.purse import BANK, NOBODY_THERE, Purse, campay_settings, loses_answers
from tests.sandbox.campay import MTN, CampayWorld, opened_campay


@pytest.fixture
def world() -> Iterator[CampayWorld]:
    with opened_campay() as one:
        yield one


@pytest.fixture
def environment(world: CampayWorld) -> dict[str, str]:
    return {
        **campay_settings(world),
        "FEES": "withdrawal:campay:XAF=1%+50,withdrawal:*:VND=3300",
        "WITHDRAWAL_LIMITS": "XAF:500-100000,VND:10000-5000000",
        "WITHDRAWAL_PASSWORD_ABOVE": "XAF:50000",
    }


@pytest.fixture
def purse(people: People) -> Purse:
    return Purse(people)


def leaves(purse: Purse, one: Withdrawal, world: CampayWorld) -> None:
    """CamPay says that it has arrived, and the shop asks whether that is so."""
    name = purse.now(one).payout_id
    assert name is not None
    world.settled(name)
    assert forwarded(purse.people, world.merchant.heard[-1]).status_code == 200
    purse.asks(timedelta())


# ---- By the rail ----


def test_what_a_customer_withdraws_is_held_at_once_and_has_left_when_the_rail_says_so(
    purse: Purse, world: CampayWorld
) -> None:
    purse.filled(20_000)
    wallet = f"wallet:{purse.user_id()}"
    one = purse.withdraw(10_000)
    assert (one.status, one.fee, one.provider) == ("held", 150, "campay")
    assert purse.balance() == 9_850
    assert purse.books() == {
        "clearing:manual": 20_000,
        wallet: -9_850,
        "withdrawals_due": -10_150,
    }
    (row,) = world.sent("withdraw")
    assert (row["phone_number"], row["amount"]) == (MTN, 10_000)
    leaves(purse, one, world)
    assert purse.now(one).status == "settled"
    assert purse.books() == {
        "clearing:manual": 20_000,
        "clearing:campay": -10_000,
        wallet: -9_850,
        "fees": -150,
    }
    assert purse.told() == [
        ("payment.status", "pending", 9_850),
        ("wallet.withdrawn", "completed", 9_850),
    ]
    purse.stands()


@ON_SQLITE
def test_its_doorbell_and_our_questions_told_again_change_nothing(
    purse: Purse, world: CampayWorld
) -> None:
    purse.filled(20_000)
    one = purse.withdraw(10_000)
    leaves(purse, one, world)
    leaves(purse, one, world)
    assert purse.asks() == 0
    assert [event for event, _, _ in purse.told()] == ["payment.status", "wallet.withdrawn"]
    assert purse.balance() == 9_850
    purse.stands()


@ON_SQLITE
def test_what_does_not_arrive_is_in_the_wallet_again_with_its_fee(
    purse: Purse, world: CampayWorld
) -> None:
    purse.filled(20_000)
    one = purse.withdraw(10_000, NOBODY_THERE)
    assert purse.balance() == 9_850
    leaves(purse, one, world)
    assert (purse.now(one).status, purse.balance()) == ("returned", 20_000)
    assert purse.told()[-1] == ("payment.status", "failed", 20_000)
    purse.stands()


@ON_SQLITE
@pytest.mark.parametrize(
    ("spoil", "code"),
    [("forbidden", "payout_not_possible"), ("empty", "balance_too_low")],
)
def test_a_refusal_returns_the_money_at_once_and_says_why(
    purse: Purse, world: CampayWorld, spoil: str, code: str
) -> None:
    purse.filled(20_000)
    if spoil == "forbidden":
        world.app.config["CAMPAY_WITHDRAWS"] = 0
    else:
        held = world.done(world.call("GET", "/balance/"))["mtn_balance"]
        world.withdraw("W-of-another", amount=str(held))
    with pytest.raises(ProviderRefused) as refused:
        purse.withdraw(10_000)
    assert refused.value.code == code
    (one,) = purse.people.in_app(withdrawals.listed, purse.mai, None, 5)
    assert (one.status, one.reason, one.payout_id) == ("returned", code, None)
    assert purse.balance() == 20_000
    assert purse.asks() == 0
    purse.stands()


@ON_SQLITE
def test_a_number_that_the_rail_refuses_gets_nothing(purse: Purse, world: CampayWorld) -> None:
    purse.filled(20_000)
    with pytest.raises(ProviderRefused) as refused:
        purse.withdraw(10_000, "620123456")
    assert refused.value.code == "carrier_not_taken"
    assert purse.balance() == 20_000


@ON_SQLITE
def test_one_whose_answer_was_lost_is_asked_about_and_never_sent_twice(
    purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse.filled(20_000)
    with monkeypatch.context() as lost:
        loses_answers(world, lost)
        one = purse.withdraw(10_000)
    assert (one.status, one.sent, one.known_as) == ("held", True, None)
    for _ in range(3):
        purse.asks()
    assert purse.now(one).status == "settled"
    assert len(world.sent("withdraw")) == 1
    purse.stands()


@ON_SQLITE
def test_one_that_nothing_can_be_learned_of_stays_held_for_staff(
    purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from payments.providers import campay as adapter

    purse.filled(20_000)
    with monkeypatch.context() as lost:
        loses_answers(world, lost)
        one = purse.withdraw(10_000)
    monkeypatch.setattr(adapter, "HISTORY", ("from", "to"))
    for _ in range(3):
        purse.asks()
    assert purse.now(one).status == "held"
    assert len(world.sent("withdraw")) == 1


@ON_SQLITE
def test_one_that_waits_for_a_rail_that_is_away_is_sent_when_it_is_back(
    purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    purse.filled(20_000)
    calls = calls_of(purse.people)
    there = calls._campay
    with monkeypatch.context() as away:
        away.setattr(calls, "_campay", replace(there, api_url="http://127.0.0.1:9"))
        one = purse.withdraw(10_000)
        assert (one.status, one.sent) == ("held", False)
        assert purse.asks(timedelta(minutes=1)) == 1
    assert world.sent("withdraw") == []
    for _ in range(2):
        purse.asks()
    assert purse.now(one).status == "settled"
    assert len(world.sent("withdraw")) == 1
    purse.stands()


@ON_SQLITE
def test_one_that_a_crash_left_before_it_was_sent_is_sent_then(
    purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse.filled(20_000)
    with monkeypatch.context() as dies:
        dies.setattr(payouts, "send", _dies)
        with pytest.raises(SystemExit):
            purse.withdraw(10_000)
    (one,) = purse.people.in_app(withdrawals.listed, purse.mai, None, 5)
    assert (one.status, one.sent, purse.balance()) == ("held", False, 9_850)
    assert purse.asks(timedelta(seconds=30)) == 0, "a call could still be under way"
    assert purse.asks(timedelta(minutes=3)) == 1
    assert len(world.sent("withdraw")) == 1
    purse.asks()
    assert purse.now(one).status == "settled"


@ON_SQLITE
def test_one_that_a_crash_left_while_it_was_sent_is_not_sent_again(
    purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether it had gone out: it had not, and staff find that out."""
    purse.filled(20_000)
    rail = purse.people.house.rails.rail("campay")
    with monkeypatch.context() as dies:
        dies.setattr(rail, "payout", _dies)
        with pytest.raises(SystemExit):
            purse.withdraw(10_000)
    (one,) = purse.people.in_app(withdrawals.listed, purse.mai, None, 5)
    assert one.sent
    for _ in range(3):
        purse.asks()
    assert world.sent("withdraw") == []
    with pytest.raises(Conflict) as refused:
        fails(purse, one)
    assert refused.value.code == "withdrawal_under_way"
    assert fails(purse, one, not_sent=True).status == "returned"
    assert purse.balance() == 20_000
    purse.stands()


def _dies(*_: object) -> None:
    raise SystemExit


def test_two_who_ask_at_once_send_it_once(
    purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse.filled(20_000)
    world.app.config["CAMPAY_DEDUPES"] = 0
    with monkeypatch.context() as dies:
        dies.setattr(payouts, "send", _dies)
        with pytest.raises(SystemExit):
            purse.withdraw(10_000)
    at_once(4, lambda _: purse.asks(timedelta(minutes=3)))
    assert len(world.sent("withdraw")) == 1


@ON_SQLITE
def test_a_doorbell_cannot_end_a_withdrawal_by_another_transaction(
    purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its signature covers no field: what it says is asked, and CamPay knows better."""
    purse.filled(20_000)
    world.app.config["CAMPAY_PAYOUT_SECONDS"] = 0.2
    other = world.withdraw("of another shop's", to="237677123000")
    world.settled(other["reference"])
    world.app.config["CAMPAY_PAYOUT_SECONDS"] = 60
    one = purse.withdraw(10_000)
    lie = {**world.merchant.heard[-1].fields, "external_reference": one.id}
    assert purse.people.app.test_client().post("/callbacks/campay", json=lie).status_code == 200
    purse.asks()
    assert purse.now(one).status == "held"
    assert purse.balance() == 9_850


# ---- By staff ----


def settles(
    purse: Purse, one: Withdrawal, evidence: str = "FT 0001", who: Identity | None = None
) -> Withdrawal:
    return purse.people.in_app(
        withdrawals.settle_by_hand, who or purse.people.manager, one.id, evidence
    )


def fails(
    purse: Purse, one: Withdrawal, reason: str = "No such account", *, not_sent: bool = False
) -> Withdrawal:
    return purse.people.in_app(
        withdrawals.fail_by_hand, purse.people.manager, one.id, reason, not_sent=not_sent
    )


def to_the_bank(purse: Purse, amount: int = 50_000) -> Withdrawal:
    purse.filled(100_000, "VND")
    return purse.withdraw(amount, BANK, "VND")


def test_what_no_rail_sends_waits_for_staff_who_settle_it_once(purse: Purse) -> None:
    one = to_the_bank(purse)
    assert (one.provider, one.ask_at, one.fee) == (None, None, 3_300)
    done = settles(purse, one)
    assert (done.status, done.evidence) == ("settled", "FT 0001")
    assert settles(purse, one).ended_at == done.ended_at
    assert purse.books("VND") == {
        "clearing:manual": 50_000,
        f"wallet:{purse.user_id()}": -46_700,
        "fees": -3_300,
    }
    with pytest.raises(Conflict) as refused:
        settles(purse, one, "FT 0002")
    assert refused.value.code == "withdrawal_ended"
    with pytest.raises(Conflict):
        fails(purse, one)
    assert [event for event, _, _ in purse.told()] == ["payment.status", "wallet.withdrawn"]
    purse.stands()


def test_staff_give_the_money_back_with_a_reason_and_twice_is_once(purse: Purse) -> None:
    one = to_the_bank(purse)
    assert fails(purse, one).reason == "No such account"
    assert fails(purse, one, "Once more").reason == "No such account"
    assert purse.balance("VND") == 100_000
    with pytest.raises(Conflict):
        settles(purse, one)
    purse.stands()


def test_one_piece_of_evidence_settles_one_withdrawal(purse: Purse) -> None:
    first, second = to_the_bank(purse), to_the_bank(purse)
    settles(purse, first)
    with pytest.raises(Conflict) as refused:
        settles(purse, second)
    assert refused.value.code == "payout_evidence_used"
    assert purse.now(second).status == "held"
    purse.stands()


@ON_SQLITE
def test_only_managers_settle_and_nobody_settles_what_is_not_there(purse: Purse) -> None:
    one = to_the_bank(purse)
    for who in (purse.people.clerk, purse.people.accountant, purse.mai, purse.people.shop):
        with pytest.raises(Forbidden):
            settles(purse, one, who=who)
    with pytest.raises(NotFound):
        purse.people.in_app(withdrawals.settle_by_hand, purse.people.manager, "Wnothing", "FT 0001")
    for evidence in ("", "ab", "x" * 101):
        with pytest.raises(InvalidInput):
            settles(purse, one, evidence)


@ON_SQLITE
def test_what_staff_settled_and_its_rail_bears_out_is_one(purse: Purse, world: CampayWorld) -> None:
    purse.filled(20_000)
    one = purse.withdraw(10_000)
    settles(purse, one)
    leaves(purse, one, world)
    assert purse.books()["clearing:campay"] == -10_000
    assert len(purse.told()) == 2
    purse.stands()


@ON_SQLITE
def test_what_staff_returned_and_its_rail_sent_after_all_is_kept_for_them(
    purse: Purse, world: CampayWorld
) -> None:
    purse.filled(20_000)
    one = purse.withdraw(10_000)
    fails(purse, one, not_sent=True)
    assert purse.asks() == 0
    assert purse.balance() == 20_000
    purse.stands()


# ---- Who may, and how much ----


@ON_SQLITE
@pytest.mark.parametrize(
    ("amount", "to", "kind", "code"),
    [
        (10_000, "12", InvalidInput, "invalid_destination"),
        (10_000, {"phone": "677123456", "bank": "X"}, InvalidInput, "invalid_destination"),
        (499, "677123456", InvalidAmount, "amount_outside_limits"),
        (100_001, "677123456", InvalidAmount, "amount_outside_limits"),
        (19_900, "677123456", InsufficientFunds, "insufficient_funds"),
    ],
    ids=["malformed", "with what does not belong", "too little", "too much", "with its fee"],
)
def test_what_cannot_be_is_refused_and_nothing_is_held(
    purse: Purse, world: CampayWorld, amount: int, to: object, kind: type[Exception], code: str
) -> None:
    purse.filled(20_000)
    with pytest.raises(kind) as refused:
        purse.withdraw(amount, to)
    assert isinstance(refused.value, PaychimeError)
    assert refused.value.code == code
    assert count(purse.people, "withdrawals") == 0
    assert (purse.balance(), purse.told(), world.sent("withdraw")) == (20_000, [], [])


@ON_SQLITE
def test_a_currency_without_a_wallet_is_said_so(purse: Purse) -> None:
    with pytest.raises(InvalidInput) as refused:
        purse.withdraw(10_000)
    assert (refused.value.code, refused.value.field) == ("no_wallet", "currency")


@ON_SQLITE
def test_a_key_and_nobody_withdraw_nothing(purse: Purse) -> None:
    with pytest.raises(Forbidden):
        purse.withdraw(10_000, who=purse.people.shop)
    with pytest.raises(Unauthenticated):
        purse.withdraw(10_000, who=NOBODY)


@ON_SQLITE
def test_above_a_limit_the_login_alone_does_not_do(purse: Purse) -> None:
    purse.filled(100_000)
    purse.withdraw(20_000)
    for password, code in ((None, "password_needed"), ("a wrong one", "wrong_password")):
        with pytest.raises(InvalidInput) as refused:
            purse.withdraw(60_000, password=password)
        assert (refused.value.code, refused.value.field) == (code, "password")
    assert purse.withdraw(60_000, password=PASSWORD).status == "held"


@ON_SQLITE
def test_a_person_of_the_shops_backend_has_no_password_to_give(purse: Purse) -> None:
    purse.filled(100_000)
    users = tables.users
    nothing = update(users).where(users.c.id == purse.user_id()).values(password_hash=None)
    purse.people.in_app(in_transaction, lambda: db.session.execute(nothing))
    with pytest.raises(Forbidden) as refused:
        purse.withdraw(60_000, password=PASSWORD, who=purse.people.owner)
    assert refused.value.code == "no_password"
    assert purse.balance() == 100_000


def test_many_at_once_never_take_more_than_there_is(purse: Purse, world: CampayWorld) -> None:
    purse.filled(20_000)

    def one(_: int) -> str:
        try:
            return purse.withdraw(4_950).status
        except InsufficientFunds:
            return "refused"

    ends = at_once(8, one)
    assert sorted(ends) == ["held"] * 3 + ["refused"] * 5
    assert purse.balance() == 20_000 - 3 * 5_050
    assert len(world.sent("withdraw")) == 3
    purse.stands()


@ON_SQLITE
def test_each_sees_their_own_and_staff_see_all(purse: Purse) -> None:
    one = to_the_bank(purse)

    def seen_by(who: Identity) -> list[str]:
        return [w.id for w in purse.people.in_app(withdrawals.listed, who, None, 10)]

    assert seen_by(purse.mai) == [one.id]
    assert seen_by(purse.people.stranger) == []
    for who in (purse.people.manager, purse.people.accountant, purse.people.clerk):
        assert seen_by(who) == [one.id]
    with pytest.raises(Forbidden):
        seen_by(purse.people.shop)
