"""Money goes back: never more than came, never twice, by the rail or by hand."""

from __future__ import annotations

import pytest

from payments.domain.errors import (
    Conflict,
    Forbidden,
    InvalidAmount,
    InvalidInput,
    NotFound,
    PaychimeError,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.order import Order
from payments.providers.momo import Momo
from payments.services import refunds
from payments.services.access import Identity
from payments.services.reconcile import reconcile_everything
from payments.store import ledger, orders
from payments.store import refunds as kept
from payments.store.refunds import Refund
from tests.outside import ON_SQLITE, at_once, attempt_of, begin, everything, momo_calls, seen
from tests.people import People
from tests.sandbox.world import World

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
