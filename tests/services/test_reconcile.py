"""A provider that stays silent is asked, and its answer is applied like a callback of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from payments.domain.errors import ProviderRefused
from payments.domain.order import Order, Payment, begun
from payments.domain.ports import Fetched
from payments.domain.states import OrderStatus, PaymentStatus
from payments.providers.circuit import FAILURES_TO_OPEN, FIRST_PAUSE
from payments.services import checkout, expire, reconcile
from payments.services.ids import new_reference
from payments.services.reconcile import (
    BATCH,
    ask_watched,
    reconcile_everything,
    reconcile_once,
)
from payments.store import inbox, ledger, orders, payments, tables
from payments.store.db import db, in_transaction, now
from tests.outside import attempt_of, begin, count, momo_calls
from tests.people import People
from tests.providers.bench import Desk, opened
from tests.providers.case import Said
from tests.providers.cases.campay import CASE as CAMPAY
from tests.sandbox.world import World
from tests.servers import free_port

PRICE = 50_000
LATER = timedelta(hours=2)


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo"}


@pytest.fixture
def order(people: People) -> Order:
    made = people.order(PRICE)
    begin(people, made.id)
    return made


def status_of(people: People, order: Order) -> OrderStatus:
    found = people.in_app(orders.find, order.id)
    assert found is not None
    return found.status


def ask(people: People, after: timedelta = LATER) -> int:
    return people.in_app(reconcile_once, people.house.rails, "momo", now() + after)


def test_money_that_nobody_told_us_of_is_found_by_asking(
    people: People, order: Order, phone: World
) -> None:
    phone.decide("pay", attempt_of(people, order.id).reference, silent=True)
    assert ask(people, timedelta(seconds=5)) == 0, "it is too early to ask"
    assert ask(people, timedelta(seconds=11)) == 1
    assert status_of(people, order) is OrderStatus.PAID


def test_the_late_callback_of_money_that_was_found_has_no_second_effect(
    people: People, order: Order, phone: World
) -> None:
    attempt = attempt_of(people, order.id)
    transaction = phone.decide("pay", attempt.reference, silent=True)["transId"]
    ask(people)
    assert momo_calls(people.app, attempt, transId=transaction).status_code == 204
    found = people.in_app(orders.find, order.id)
    assert found is not None
    assert (found.amount_paid, found.version) == (PRICE, 3)
    assert people.in_app(inbox.unresolved) == []
    assert people.in_app(lambda: list(ledger.faults())) == []


def test_the_truth_is_found_behind_a_callback_that_lied(
    people: People, order: Order, phone: World
) -> None:
    attempt = attempt_of(people, order.id)
    transaction = phone.decide("pay", attempt.reference, silent=True)["transId"]
    momo_calls(people.app, attempt, transId=transaction, amount=PRICE - 1_000)
    assert status_of(people, order) is OrderStatus.PENDING
    ask(people)
    assert status_of(people, order) is OrderStatus.PAID


def test_a_declined_payment_is_learned_of(people: People, order: Order, phone: World) -> None:
    phone.decide("decline", attempt_of(people, order.id).reference, silent=True)
    ask(people)
    failed = attempt_of(people, order.id)
    assert (failed.status, failed.failure_code) == (PaymentStatus.FAILED, "declined_by_payer")
    assert ask(people, timedelta(days=1)) == 0, "a failed payment is not asked about again"


def test_a_payer_who_takes_their_time_is_asked_about_more_and_more_seldom(
    people: People, order: Order
) -> None:
    at, pauses = now(), []
    for _ in range(6):
        waited = 0
        while people.in_app(reconcile_once, people.house.rails, "momo", at) == 0:
            at += timedelta(seconds=5)
            waited += 5
            assert waited < 4000
        pauses.append(waited)
    assert attempt_of(people, order.id).asked == 6
    assert pauses[1] <= pauses[-1]
    assert status_of(people, order) is OrderStatus.PENDING


@pytest.mark.parametrize("ended", ["expired", "cancelled"])
def test_money_paid_in_the_last_second_of_an_order_is_found(
    people: People, order: Order, phone: World, ended: str
) -> None:
    phone.decide("pay", attempt_of(people, order.id).reference, silent=True)
    if ended == "expired":
        people.in_app(expire.expire_once, now() + timedelta(days=1))
    else:
        people.in_app(checkout.cancel, people.clerk, order.id, "They left")
    assert status_of(people, order).value == ended
    ask(people)
    found = people.in_app(orders.find, order.id)
    assert found is not None
    if ended == "expired":
        assert (found.status, found.late) == (OrderStatus.PAID, True)
    else:
        assert (found.status, found.amount_excess) == (OrderStatus.CANCELLED, PRICE)


def test_nobody_asks_for_ever_about_an_order_that_ended(people: People, order: Order) -> None:
    people.in_app(expire.expire_once, now() + timedelta(days=1))
    at, rounds = now(), 0
    while at < now() + timedelta(days=10):
        at += timedelta(hours=2)
        rounds += people.in_app(reconcile_once, people.house.rails, "momo", at)
    assert 30 < rounds < 40, "every two hours for three days, then never again"


def test_a_provider_that_is_away_stops_nobody(
    people: People, order: Order, phone: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.decide("pay", attempt_of(people, order.id).reference, silent=True)
    nowhere = f"http://127.0.0.1:{free_port()}"
    momo = people.house.rails.receiver("momo")
    known = people.house.settings.rails.momo
    assert known is not None
    monkeypatch.setattr(momo, "_momo", replace(known, api_url=nowhere))
    asked = people.in_app(reconcile_everything, people.house.rails, lambda *_: None)
    assert asked == 1
    assert status_of(people, order) is OrderStatus.PENDING


def test_a_question_that_crashes_is_not_asked_faster(
    people: People, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr(people.house.rails.receiver("momo"), "fetch", crash)
    with pytest.raises(RuntimeError):
        people.in_app(reconcile_once, people.house.rails, "momo", now() + timedelta(seconds=11))
    assert ask(people, timedelta(seconds=2)) == 0


# ---- Many attempts, many rails ----


@pytest.fixture
def desk() -> Iterator[Desk]:
    with opened(CAMPAY) as desk:
        yield desk


def waiting(
    people: People, rail: str, how_many: int, age: timedelta = timedelta(minutes=1)
) -> list[Payment]:
    """Attempts begun so long ago, about which a question has been due since."""
    money = {"momo": (PRICE, "VND"), "campay": (CAMPAY.price, "XAF")}[rail]
    made = []
    for _ in range(how_many):
        order = people.order(*money)
        payment = replace(
            begun(new_reference(), order, rail, order.amount, now() - age),
            status=PaymentStatus.PENDING,
        )
        if rail == "campay":
            payment = CAMPAY.begun(payment)

        def begin(one: Payment = payment) -> None:
            payments.add(one, ask_at=now() - age)

        people.in_app(in_transaction, begin)
        made.append(payment)
    return made


def asked(people: People, some: list[Payment]) -> list[int]:
    found = [people.in_app(payments.find, one.reference) for one in some]
    return [one.asked for one in found if one]


def next_questions(people: People, some: list[Payment]) -> list[datetime]:
    def read() -> list[datetime]:
        named = tables.payments.c.reference.in_([one.reference for one in some])
        return list(db.session.execute(select(tables.payments.c.ask_at).where(named)).scalars())

    return people.in_app(read)


@pytest.fixture
def momo_away(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens where MoMo was."""
    known = people.house.settings.rails.momo
    assert known is not None
    nowhere = replace(known, api_url=f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(people.house.rails.receiver("momo"), "_momo", nowhere)


def test_one_round_asks_twenty_and_the_longest_due_first(people: People) -> None:
    old = waiting(people, "momo", BATCH, timedelta(hours=2))
    young = waiting(people, "momo", 5)
    assert ask(people, timedelta()) == BATCH
    assert asked(people, old) == [1] * BATCH
    assert asked(people, young) == [0] * 5
    assert ask(people, timedelta()) == 5
    assert ask(people, timedelta()) == 0


def test_many_that_began_together_are_not_asked_about_together_for_ever(people: People) -> None:
    some = waiting(people, "momo", BATCH, timedelta(minutes=20))
    at = now()
    people.in_app(reconcile_once, people.house.rails, "momo", at)
    pauses = [(one - at).total_seconds() for one in next_questions(people, some)]
    assert len(set(pauses)) == BATCH
    assert all(0.9 * 600 <= pause <= 1.1 * 601 for pause in pauses), pauses


class TestTwoRails:
    @pytest.fixture
    def environment(self, phone: World, desk: Desk) -> dict[str, str]:
        return {"MOMO_API_URL": f"{phone.url}/momo", **CAMPAY.settings(desk.url)}

    @pytest.mark.usefixtures("momo_away")
    def test_a_rail_that_is_away_is_left_in_peace_and_the_others_are_asked(
        self, people: People, desk: Desk
    ) -> None:
        momo, campay = waiting(people, "momo", 6), waiting(people, "campay", 6)
        rails, at = people.house.rails, now()
        assert people.in_app(reconcile_once, rails, "momo", at) == FAILURES_TO_OPEN
        assert people.in_app(reconcile_once, rails, "momo", at) == 0
        assert people.in_app(reconcile_once, rails, "campay", at) == 6
        assert len(desk.asked) == 6
        assert sum(asked(people, momo)) == FAILURES_TO_OPEN
        assert asked(people, campay) == [1] * 6

    @pytest.mark.usefixtures("momo_away")
    def test_after_a_pause_one_question_tries_and_the_pause_doubles(self, people: People) -> None:
        waiting(people, "momo", 30)
        rails, at = people.house.rails, now()
        assert people.in_app(reconcile_once, rails, "momo", at) == FAILURES_TO_OPEN
        probes, second = [], 0
        while second < 80:
            second += 1
            moment = at + timedelta(seconds=second)
            if tried := people.in_app(reconcile_once, rails, "momo", moment):
                assert tried == 1
                probes.append(second)
        assert probes == [10, 30, 70]

    def test_when_it_is_back_all_are_asked_again(self, people: People) -> None:
        some = waiting(people, "momo", 8)
        rails, at = people.house.rails, now()
        for _ in range(FAILURES_TO_OPEN):
            rails.circuits.failed("momo", at)
        assert people.in_app(reconcile_once, rails, "momo", at) == 0
        assert people.in_app(reconcile_once, rails, "momo", at + FIRST_PAUSE) == 8
        assert asked(people, some) == [1] * 8

    def test_a_refusal_is_an_answer(self, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuses(_payment: Payment) -> None:
            raise ProviderRefused("no")

        waiting(people, "campay", 6)
        monkeypatch.setattr(people.house.rails.receiver("campay"), "fetch", refuses)
        assert people.in_app(reconcile_once, people.house.rails, "campay", now()) == 6

    @pytest.mark.usefixtures("momo_away")
    def test_asking_about_everything_goes_round_a_rail_that_is_away(
        self, people: People, desk: Desk
    ) -> None:
        waiting(people, "momo", 5)
        for payment in waiting(people, "campay", 5):
            desk.truth[payment.reference] = Said(
                payment.order_id, payment.reference, payment.amount, "XAF"
            )
        told: list[tuple[int, int]] = []
        done = people.in_app(
            reconcile_everything, people.house.rails, lambda *step: told.append(step)
        )
        assert done == FAILURES_TO_OPEN + 5
        assert told == [(step, 10) for step in range(1, 11)]
        assert count(people, "postings") == 5


# ---- Everything, whatever its age ----


def test_everything_is_asked_about_whatever_its_age_and_its_next_question(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one page of it, what is due tomorrow, and what nobody would ask about again."""
    monkeypatch.setattr(reconcile, "CHUNK", 4)
    ages = (timedelta(), timedelta(hours=1), timedelta(days=30), timedelta(days=400))
    some = [waiting(people, "momo", 3, age) for age in ages]

    def later() -> None:
        for one, at in zip(some[1] + some[2], [None] * 3 + [now() + LATER] * 3, strict=True):
            payments.move(one, ask_at=at)

    people.in_app(in_transaction, later)
    rails = people.house.rails
    assert people.in_app(reconcile_everything, rails, lambda *_: None) == 12
    assert [asked(people, group) for group in some] == [[1] * 3] * 4


def test_a_crash_in_the_middle_leaves_the_rest_to_the_next(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = waiting(people, "momo", 5)
    momo, calls = people.house.rails.receiver("momo"), 0
    real = momo.fetch

    def third(payment: Payment) -> Fetched:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("power cut")
        return real(payment)

    monkeypatch.setattr(momo, "fetch", third)
    with pytest.raises(RuntimeError):
        ask(people, timedelta())
    assert sorted(asked(people, some)) == [0, 0, 1, 1, 1]
    assert ask(people, timedelta()) == 2
    assert ask(people, timedelta(seconds=11.5)) == 1, "the one that was cut off"


# ---- Somebody is looking ----


def look(people: People, some: list[Payment], at: datetime) -> int:
    return people.in_app(ask_watched, [one.order_id for one in some], at)


def test_while_a_page_is_open_its_payment_is_asked_about_every_ten_seconds(
    people: People,
) -> None:
    (old,) = watched = waiting(people, "momo", 1, timedelta(hours=3))
    rails, start = people.house.rails, now()
    moments = []
    for second in range(0, 61, 2):
        at = start + timedelta(seconds=second)
        look(people, watched, at)
        if people.in_app(reconcile_once, rails, "momo", at):
            moments.append(second)
    assert moments == [0, 10, 20, 30, 40, 50, 60]
    assert asked(people, [old]) == [7]


def test_what_nobody_looks_at_waits_for_its_time(people: People) -> None:
    watched, other = (waiting(people, "momo", 1, timedelta(hours=3)) for _ in range(2))
    start = now()
    assert ask(people, timedelta()) == 2
    assert look(people, watched, start + timedelta(seconds=12)) == 1
    assert ask(people, timedelta(seconds=13)) == 1
    assert (asked(people, watched), asked(people, other)) == ([2], [1])


def test_looking_at_what_has_ended_asks_nobody(people: People, order: Order, phone: World) -> None:
    attempt = attempt_of(people, order.id)
    phone.decide("decline", attempt.reference, silent=True)
    ask(people)
    assert look(people, [attempt], now() + LATER) == 0
    assert look(people, [], now()) == 0


def test_a_thousand_open_pages_are_no_thousand_questions_at_once(people: People) -> None:
    some = waiting(people, "momo", 3, timedelta(hours=3))
    nobody = [replace(some[0], order_id=f"order-{number}") for number in range(1_200)]
    assert ask(people, timedelta()) == 3
    assert look(people, nobody + some, now() + timedelta(seconds=12)) == 3
    assert ask(people, timedelta(seconds=12)) == 3
