"""Money goes back: never more than came, never twice, by the rail or by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from payments.domain import questions
from payments.domain.errors import (
    Conflict,
    Forbidden,
    InvalidAmount,
    InvalidInput,
    NotFound,
    PaychimeError,
    ProviderRefused,
    ProviderUnavailable,
    Unapplicable,
)
from payments.domain.notice import Notice
from payments.domain.order import Order, Payment
from payments.domain.ports import Refunded
from payments.domain.states import Kind
from payments.providers.circuit import FAILURES_TO_OPEN
from payments.providers.momo import Momo
from payments.services import refund_questions, refunds
from payments.services.access import Identity
from payments.services.reconcile import reconcile_everything
from payments.store import ledger, orders
from payments.store import refunds as kept
from payments.store.db import in_transaction, now
from payments.store.refunds import Refund
from tests.outside import ON_SQLITE, at_once, attempt_of, begin, everything, momo_calls, seen
from tests.people import People
from tests.providers.bench import Bench, Desk, opened
from tests.providers.case import Call, Json, Said
from tests.providers.cases import campay
from tests.sandbox.world import World
from tests.signing import JSON

PRICE = 50_000


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo"}


@pytest.fixture
def by_hand(people: People) -> Order:
    """An order whose money staff have seen: no rail can send it back."""
    order = people.order(PRICE)
    seen(people, order.id, PRICE)
    return order


@pytest.fixture
def by_momo(people: People, phone: World) -> Order:
    order = people.order(PRICE)
    begin(people, order.id)
    attempt = attempt_of(people, order.id)
    transaction = phone.decide("pay", attempt.reference, silent=True)["transId"]
    assert momo_calls(people.app, attempt, transId=transaction).status_code == 204
    return order


def gives_back(
    people: People,
    order: Order,
    amount: int | None = None,
    who: Identity | None = None,
    reason: str = "It was broken",
) -> list[Refund]:
    return people.in_app(
        refunds.refund, people.house.rails, who or people.manager, order.id, amount, reason
    )


def now_of(people: People, order: Order) -> Order:
    found = people.in_app(orders.find, order.id)
    assert found is not None
    return found


def state(people: People, order: Order) -> tuple[str, int]:
    found = now_of(people, order)
    return found.status.value, found.amount_refunded


def balances(people: People) -> dict[str, int]:
    return {account: n for (account, _), n in people.in_app(ledger.balances).items() if n}


def right(people: People) -> bool:
    return people.in_app(lambda: list(ledger.faults())) == []


def test_a_whole_refund_goes_back_by_the_rail(people: People, by_momo: Order) -> None:
    (made,) = gives_back(people, by_momo)
    assert (made.status, made.amount) == ("succeeded", PRICE)
    assert made.provider_refund_id
    assert state(people, by_momo) == ("refunded", PRICE)
    assert balances(people) == {}
    assert right(people)


def test_a_refund_in_parts_never_passes_the_whole(people: People, by_momo: Order) -> None:
    gives_back(people, by_momo, 20_000)
    assert state(people, by_momo) == ("partially_refunded", 20_000)
    for too_much in (30_001, PRICE, 10**12):
        with pytest.raises(InvalidAmount) as refused:
            gives_back(people, by_momo, too_much)
        assert refused.value.field == "amount"
    gives_back(people, by_momo, 30_000)
    assert state(people, by_momo) == ("refunded", PRICE)
    with pytest.raises(Conflict) as over:
        gives_back(people, by_momo, 1)
    assert over.value.code == "nothing_to_refund"
    assert balances(people) == {}
    assert right(people)


@ON_SQLITE
@pytest.mark.parametrize("amount", [0, -1, -PRICE])
def test_nothing_and_less_than_nothing_are_not_given_back(
    people: People, by_hand: Order, amount: int
) -> None:
    manager = people.manager
    before = everything(people)
    with pytest.raises(InvalidAmount):
        gives_back(people, by_hand, amount, who=manager)
    assert everything(people) == before


@ON_SQLITE
@pytest.mark.parametrize("reason", ["", "  ", "no", "r" * 501])
def test_a_refund_has_a_reason(people: People, by_hand: Order, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        gives_back(people, by_hand, reason=reason)
    assert refused.value.field == "reason"


def test_what_was_not_paid_is_not_given_back(people: People) -> None:
    with pytest.raises(Conflict):
        gives_back(people, people.order(PRICE))
    with pytest.raises(NotFound):
        people.in_app(
            refunds.refund, people.house.rails, people.manager, "none", None, "It was broken"
        )


def test_who_lacks_the_right_gives_nothing_back(people: People, by_hand: Order) -> None:
    for who in (people.clerk, people.accountant, people.owner):
        with pytest.raises(Forbidden):
            gives_back(people, by_hand, who=who)
    for who in (Identity(), Identity("browser", order_ids=frozenset({by_hand.id}))):
        with pytest.raises(PaychimeError) as refused:
            gives_back(people, by_hand, who=who)
        assert refused.value.code == "unauthorized"
    assert people.in_app(kept.of_order, by_hand.id) == []


def test_a_refund_by_hand_waits_until_staff_have_paid_it(people: People, by_hand: Order) -> None:
    (made,) = gives_back(people, by_hand, 20_000)
    assert made.status == "requested"
    assert state(people, by_hand) == ("paid", 0)
    assert balances(people) == {
        "clearing:manual": PRICE,
        "revenue": -30_000,
        "refunds_due": -20_000,
    }
    people.in_app(refunds.settle_by_hand, people.manager, made.id, "cash, receipt 7")
    assert state(people, by_hand) == ("partially_refunded", 20_000)
    assert balances(people) == {"clearing:manual": 30_000, "revenue": -30_000}
    with pytest.raises(Conflict):
        people.in_app(refunds.settle_by_hand, people.manager, made.id, "cash, receipt 8")
    with pytest.raises(Forbidden):
        people.in_app(refunds.settle_by_hand, people.clerk, made.id, "cash, receipt 8")
    with pytest.raises(NotFound):
        people.in_app(refunds.settle_by_hand, people.manager, "none", "cash, receipt 8")
    assert right(people)


def test_what_is_promised_is_not_promised_again(people: People, by_hand: Order) -> None:
    gives_back(people, by_hand, 30_000)
    with pytest.raises(InvalidAmount):
        gives_back(people, by_hand, 20_001)
    gives_back(people, by_hand)
    assert sum(one.amount for one in people.in_app(kept.of_order, by_hand.id)) == PRICE


def test_two_refunds_at_once_give_back_what_came_and_no_more(
    people: People, by_hand: Order
) -> None:
    manager = people.manager

    def press(_number: int) -> int:
        try:
            return sum(one.amount for one in gives_back(people, by_hand, 30_000, who=manager))
        except InvalidAmount:
            return 0

    assert sorted(at_once(10, press)) == [0] * 9 + [30_000]
    assert right(people)


def test_the_newest_money_goes_back_first_and_what_was_too_much_before_the_price(
    people: People,
) -> None:
    order = people.order(PRICE)
    seen(people, order.id, 20_000, "receipt 1")
    seen(people, order.id, 40_000, "receipt 2")
    assert now_of(people, order).amount_excess == 10_000
    (first,) = gives_back(people, order, 10_000)
    assert first.from_suspense == 10_000
    assert balances(people)["revenue"] == -PRICE
    people.in_app(refunds.settle_by_hand, people.manager, first.id, "cash, receipt 7")
    assert state(people, order)[0] == "paid"
    rest = gives_back(people, order)
    assert [(one.amount, one.from_suspense) for one in rest] == [(30_000, 0), (20_000, 0)]
    for one in rest:
        people.in_app(refunds.settle_by_hand, people.manager, one.id, f"cash for {one.id}")
    assert state(people, order) == ("refunded", 60_000)
    assert balances(people) == {}
    assert right(people)


def test_a_provider_that_refuses_leaves_the_money_where_it_was(
    people: People, by_momo: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_args: object) -> None:
        raise ProviderRefused("No.", code="refund_rejected")

    before = balances(people)
    with monkeypatch.context() as changed:
        changed.setattr(Momo, "refund", refuses)
        with pytest.raises(ProviderRefused):
            gives_back(people, by_momo)
    (failed,) = people.in_app(kept.of_order, by_momo.id)
    assert failed.status == "failed"
    assert balances(people) == before
    assert state(people, by_momo) == ("paid", 0)
    assert [one.status for one in gives_back(people, by_momo)] == ["succeeded"]
    assert right(people)


def test_a_provider_that_is_away_is_asked_again_for_the_same_refund(
    people: People, by_momo: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object) -> None:
        raise ProviderUnavailable("away")

    with monkeypatch.context() as changed:
        changed.setattr(Momo, "refund", away)
        (promised,) = gives_back(people, by_momo)
    assert promised.status == "requested"
    for _ in range(2):
        people.in_app(reconcile_everything, people.house.rails, lambda _done, _all: None)
    (ended,) = people.in_app(kept.of_order, by_momo.id)
    assert (ended.id, ended.status) == (promised.id, "succeeded")
    assert state(people, by_momo) == ("refunded", PRICE)
    assert right(people)


def test_a_refund_known_only_to_staff_is_not_sent_by_the_rail(
    people: People, by_momo: Order
) -> None:
    """Staff had confirmed the money and MoMo never bore it out: there is nothing at MoMo."""
    order = people.order(PRICE)
    begin(people, order.id)
    seen(people, order.id, PRICE, "receipt 9")
    assert [one.status for one in gives_back(people, order)] == ["requested"]


# ---- Refunds whose end the provider tells later ----


SENT = "0f4f1c52-6f5a-4f0e-9b1d-00000000000b"
"""CamPay's reference of the withdrawal by which the money goes back."""


class Withdrawals:
    """CamPay, which takes a refund at once and pays it later."""

    def __init__(self) -> None:
        self.state = "PENDING"
        self.amount = "5000.00"
        self.refund_id = ""
        self.sent = 0

    def answers(self, path: str, truth: Mapping[str, Said]) -> tuple[int, Json]:
        if path == "/withdraw/":
            self.sent += 1
            return 200, {"reference": SENT, "status": "PENDING"}
        if path == "/history/":
            return 200, {"data": []}
        if path != f"/transaction/{SENT}/":
            return campay.answers(path, truth)
        told = campay.record(next(iter(truth.values())))
        mine = {"reference": SENT, "external_reference": self.refund_id, "endpoint": "withdraw"}
        return 200, told | mine | {"status": self.state, "amount": self.amount}

    def callback(self) -> Call:
        body = {"status": self.state, "reference": SENT, "external_reference": self.refund_id}
        more = {"amount": self.amount, "currency": "XAF", "endpoint": "withdraw"}
        signed = {"signature": campay.jwt(), "operator": "MTN", "code": "CP1"}
        return Call(dict(JSON), json.dumps(body | more | signed).encode())


class TestToldLater:
    @pytest.fixture
    def theirs(self) -> Withdrawals:
        return Withdrawals()

    @pytest.fixture
    def desk(self, theirs: Withdrawals) -> Iterator[Desk]:
        with opened(replace(campay.CASE, answers=theirs.answers)) as desk:
            yield desk

    @pytest.fixture
    def environment(self, desk: Desk) -> dict[str, str]:
        return dict(campay.CASE.settings(desk.url))

    @pytest.fixture
    def bench(self, people: People, desk: Desk) -> Bench:
        return Bench(people, campay.CASE, desk)

    @pytest.fixture
    def order(self, people: People, bench: Bench) -> Order:
        said = bench.order()
        bench.tell(said)
        return bench.found(said)

    @pytest.fixture
    def promised(self, people: People, order: Order, theirs: Withdrawals) -> Refund:
        (made,) = gives_back(people, order)
        assert (made.status, made.provider_refund_id) == ("requested", SENT)
        theirs.refund_id = made.id
        return made

    def ask(self, people: People, after: timedelta = timedelta(seconds=15)) -> int:
        return people.in_app(refund_questions.ask_refunds, people.house.rails, now() + after)

    def of(self, people: People, promised: Refund) -> str:
        found = people.in_app(kept.find, promised.id)
        assert found is not None
        return found.status

    def test_it_is_promised_until_they_say_that_it_is_paid(
        self, people: People, order: Order, promised: Refund, theirs: Withdrawals
    ) -> None:
        assert self.ask(people, timedelta(seconds=5)) == 0, "too early"
        assert self.ask(people) == 1
        assert self.of(people, promised) == "requested"
        assert state(people, order) == ("paid", 0)
        theirs.state = "SUCCESSFUL"
        assert self.ask(people, timedelta(seconds=30)) == 1
        assert self.of(people, promised) == "succeeded"
        assert state(people, order) == ("refunded", 5_000)
        assert balances(people) == {}
        assert right(people)
        assert self.ask(people, timedelta(days=1)) == 0, "nobody asks about what has ended"
        assert theirs.sent == 1

    def test_one_that_fails_leaves_the_money_where_it_was_and_can_be_tried_again(
        self, people: People, order: Order, promised: Refund, theirs: Withdrawals
    ) -> None:
        theirs.state = "FAILED"
        self.ask(people)
        assert self.of(people, promised) == "failed"
        assert state(people, order) == ("paid", 0)
        assert balances(people) == {"clearing:campay": 5_000, "revenue": -5_000}
        assert right(people)
        (again,) = gives_back(people, order)
        assert again.status == "requested"
        assert theirs.sent == 2

    def test_their_callback_makes_us_ask_at_once_and_is_not_believed(
        self, people: People, order: Order, bench: Bench, promised: Refund, theirs: Withdrawals
    ) -> None:
        theirs.state = "SUCCESSFUL"
        call = theirs.callback()
        theirs.state = "PENDING"
        assert bench.send(call).status_code == 200
        assert self.of(people, promised) == "requested"
        assert self.ask(people, timedelta(seconds=1)) == 1
        assert self.of(people, promised) == "requested", "they say that it is not paid yet"
        theirs.state = "SUCCESSFUL"
        assert bench.send(theirs.callback()).status_code == 200
        assert self.ask(people, timedelta(seconds=2)) in {0, 1}
        self.ask(people)
        assert self.of(people, promised) == "succeeded"
        assert right(people)

    def test_an_answer_about_another_amount_ends_nothing_and_keeps_nobody_waiting(
        self, people: People, order: Order, bench: Bench, promised: Refund, theirs: Withdrawals
    ) -> None:
        theirs.state, theirs.amount = "SUCCESSFUL", "4999.00"
        assert self.ask(people) == 1
        assert self.of(people, promised) == "requested"
        assert state(people, order) == ("paid", 0)
        theirs.amount = "5000.00"
        assert self.ask(people, timedelta(minutes=1)) == 1
        assert self.of(people, promised) == "succeeded"
        assert right(people)

    def test_of_ten_that_ask_at_once_one_pays_it(
        self, people: People, order: Order, promised: Refund, theirs: Withdrawals
    ) -> None:
        theirs.state = "SUCCESSFUL"
        at_once(10, lambda _n: self.ask(people))
        assert state(people, order) == ("refunded", 5_000)
        assert balances(people) == {}
        assert right(people)

    def test_the_same_end_told_twice_is_one_and_another_end_is_kept_apart(
        self, people: People, order: Order, promised: Refund
    ) -> None:
        def says(kind: Kind, amount: int = 5_000, name: str = SENT) -> None:
            notice = Notice("campay", "e", kind, amount=amount, currency="XAF", refund=name)
            people.in_app(in_transaction, lambda: refunds.told(notice))

        says(Kind.PROCESSING)
        assert self.of(people, promised) == "requested"
        says(Kind.SUCCEEDED)
        says(Kind.SUCCEEDED, name=promised.id)
        assert state(people, order) == ("refunded", 5_000)
        for kind, amount, name, reason in (
            (Kind.FAILED, 5_000, SENT, "impossible_move"),
            (Kind.SUCCEEDED, 4_000, SENT, "another_amount"),
            (Kind.SUCCEEDED, 5_000, "nobodys", "unknown_refund"),
        ):
            with pytest.raises(Unapplicable) as refused:
                says(kind, amount, name)
            assert refused.value.reason == reason
        assert state(people, order) == ("refunded", 5_000)
        assert right(people)


class TestOneOnItsWay:
    """A refund that the provider has not answered yet is not sent beside itself."""

    def test_nobody_sends_it_while_the_call_is_out(
        self, people: People, by_momo: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, meanwhile = Momo.refund, list[int]()

        def slow(momo: Momo, payment: Payment, *more: Any) -> Refunded:
            at = now() + timedelta(seconds=45)
            meanwhile.append(people.in_app(refund_questions.ask_refunds, people.house.rails, at))
            return real(momo, payment, *more)

        monkeypatch.setattr(Momo, "refund", slow)
        gives_back(people, by_momo)
        assert meanwhile == [0]
        assert state(people, by_momo) == ("refunded", PRICE)

    def test_a_ring_does_not_send_it_either(
        self, people: People, by_momo: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cut_off(*_args: object) -> None:
            raise RuntimeError("power cut")

        with monkeypatch.context() as changed:
            changed.setattr(Momo, "refund", cut_off)
            with pytest.raises(RuntimeError):
                gives_back(people, by_momo)
        (promised,) = people.in_app(kept.of_order, by_momo.id)
        bell = Notice("momo", "e", Kind.PROCESSING, refund=promised.id, proven=False)
        people.in_app(in_transaction, lambda: refunds.ring(bell))
        rails = people.house.rails
        assert (
            people.in_app(refund_questions.ask_refunds, rails, now() + timedelta(seconds=30)) == 0
        )
        late = now() + questions.IN_FLIGHT
        assert people.in_app(refund_questions.ask_refunds, rails, late) == 1, "it was never taken"
        assert state(people, by_momo) == ("refunded", PRICE)
        assert right(people)


def test_a_rail_that_is_away_is_not_asked_for_each_of_its_refunds(
    people: People, by_momo: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def away(*_args: object) -> None:
        nonlocal calls
        calls += 1
        raise ProviderUnavailable("away")

    with monkeypatch.context() as changed:
        changed.setattr(Momo, "refund", away)
        for _ in range(8):
            gives_back(people, by_momo, 1_000)
        assert calls == 8, "staff who press are answered"
        soon = now() + timedelta(minutes=1)
        people.in_app(refund_questions.ask_refunds, people.house.rails, soon)
    assert calls == 8 + FAILURES_TO_OPEN
    people.house.rails.circuits.worked("momo")
    later = now() + timedelta(hours=1)
    assert people.in_app(refund_questions.ask_refunds, people.house.rails, later) == 8
    assert state(people, by_momo) == ("partially_refunded", 8_000)
    assert right(people)


def test_more_than_a_page_of_them_is_asked_about(
    people: People, by_hand: Order, by_momo: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object) -> None:
        raise ProviderUnavailable("away")

    monkeypatch.setattr(refund_questions, "BATCH", 2)
    with monkeypatch.context() as changed:
        changed.setattr(Momo, "refund", away)
        for _ in range(5):
            gives_back(people, by_momo, 1_000)
    gives_back(people, by_hand, 1_000)
    assert people.in_app(refund_questions.ask_refunds, people.house.rails, None) == 5
    waits = [one.order_id for one in people.in_app(kept.by_hand)]
    assert waits == [by_hand.id], "those by hand are for staff, and nobody is asked"
