"""A provider that stays silent is asked, and its answer is applied like a callback of its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from payments.domain.order import Order
from payments.domain.states import OrderStatus, PaymentStatus
from payments.services import checkout, expire
from payments.services.reconcile import SCHEDULE_SECONDS, reconcile_everything, reconcile_once
from payments.store import inbox, ledger, orders
from payments.store.db import now
from tests.outside import attempt_of, begin, momo_calls
from tests.people import People
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
    return people.in_app(reconcile_once, people.house.rails, now() + after)


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
        while people.in_app(reconcile_once, people.house.rails, at) == 0:
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


def test_nobody_asks_for_ever_about_an_order_that_ended(
    people: People, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.in_app(expire.expire_once, now() + timedelta(days=1))
    rounds = 0
    while people.in_app(reconcile_once, people.house.rails, now() + timedelta(days=30)):
        rounds += 1
        assert rounds <= len(SCHEDULE_SECONDS) + 1
    assert rounds == len(SCHEDULE_SECONDS) + 1


def test_a_provider_that_is_away_stops_nobody(
    people: People, order: Order, phone: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.decide("pay", attempt_of(people, order.id).reference, silent=True)
    nowhere = f"http://127.0.0.1:{free_port()}"
    momo = people.house.rails.receiver("momo")
    known = people.house.settings.momo
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
        people.in_app(reconcile_once, people.house.rails, now() + timedelta(seconds=11))
    assert ask(people, timedelta(seconds=2)) == 0
