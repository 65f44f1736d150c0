"""Staff confirm money they have seen: with evidence that pays once, above a limit by two people."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from payments.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, PaychimeError
from payments.domain.order import Order
from payments.services import checkout, confirm, expire
from payments.services.access import Identity
from payments.services.confirm import Confirmed
from payments.store import audit, confirmations, ledger, orders, payments, tables
from payments.store.db import db, in_transaction
from tests.outside import ON_SQLITE, at_once, attempt_of, begin, count, everything, momo_calls
from tests.people import People
from tests.sandbox.world import World
from tests.signing import shop_webhook

LIMIT = 40_000


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"CONFIRM_LIMIT": f"VND:{LIMIT}", "MOMO_API_URL": f"{phone.url}/momo"}


@pytest.fixture
def order(people: People) -> Order:
    return people.order(LIMIT)


def confirmed(
    people: People,
    order: Order,
    amount: object = LIMIT,
    evidence: str = "receipt 1",
    who: Identity | None = None,
    reason: str = "I counted it",
) -> Confirmed:
    return people.in_app(
        confirm.confirm,
        people.house.settings,
        who or people.clerk,
        order.id,
        amount,
        reason,
        evidence,
    )


def now_of(people: People, order: Order) -> Order:
    found = people.in_app(orders.find, order.id)
    assert found is not None
    return found


def balances(people: People) -> dict[str, int]:
    return {account: n for (account, _), n in people.in_app(ledger.balances).items() if n}


def right(people: People) -> bool:
    return people.in_app(lambda: list(ledger.faults())) == []


def test_it_pays_the_order_and_says_who_saw_what(people: People, order: Order) -> None:
    assert confirmed(people, order) == Confirmed(
        people.in_app(confirmations.of_order, order.id)[0].id, held=False
    )
    assert now_of(people, order).status.value == "paid"
    attempt = attempt_of(people, order.id)
    assert (attempt.provider, attempt.confirmed_by) == ("manual", people.clerk.actor)
    assert balances(people) == {"clearing:manual": LIMIT, "revenue": -LIMIT}
    (line,) = [
        line
        for line in people.in_app(audit.of_order, order.id)
        if line.action == "payment.confirmed"
    ]
    assert (line.actor, line.reason) == (people.clerk.actor, "I counted it")
    assert right(people)


def test_part_of_the_money_pays_part_and_too_much_is_held(people: People) -> None:
    order = people.order(30_000)
    confirmed(people, order, 10_000, "receipt 1")
    assert now_of(people, order).status.value == "partially_paid"
    confirmed(people, order, 25_000, "receipt 2")
    paid = now_of(people, order)
    assert (paid.status.value, paid.amount_paid, paid.amount_excess) == ("paid", 35_000, 5_000)
    assert balances(people) == {"clearing:manual": 35_000, "revenue": -30_000, "suspense": -5_000}
    assert right(people)


def test_money_that_came_late_is_confirmed_as_late(people: People, order: Order) -> None:
    people.in_app(expire.expire_once, order.expires_at)
    assert now_of(people, order).status.value == "expired"
    confirmed(people, order)
    paid = now_of(people, order)
    assert (paid.status.value, paid.late) == ("paid", True)


def test_evidence_pays_once_across_all_orders(people: People, order: Order) -> None:
    confirmed(people, order)
    other = people.order(LIMIT)
    before = everything(people)
    for evidence in ("receipt 1", "  receipt \t 1 "):
        with pytest.raises(Conflict) as refused:
            confirmed(people, other, evidence=evidence)
        assert (refused.value.code, refused.value.field) == ("evidence_used", "evidence")
    assert everything(people) == before
    assert now_of(people, other).status.value == "pending"


def test_evidence_of_a_held_confirmation_is_used_too(people: People, order: Order) -> None:
    assert confirmed(people, people.order(), 50_000).held
    with pytest.raises(Conflict):
        confirmed(people, order)


WRONG: list[tuple[object, str, str, str]] = [
    *(
        (amount, "receipt", "I saw it", "invalid_amount")
        for amount in (0, -1, 1.5, "5", True, None)
    ),
    (10**12, "receipt", "I saw it", "invalid_amount"),
    *((1, evidence, "I saw it", "invalid_evidence") for evidence in ("", "  ", "ab", "e" * 101)),
    *(
        (1, evidence, "I saw it", "invalid_evidence")
        for evidence in ("a\x00bc", "abc\u200b", "a\x1bb")
    ),
    *((1, "receipt", reason, "invalid_reason") for reason in ("", "no", "r" * 501, "a\x00bc")),
]


def test_without_evidence_reason_and_amount_nothing_is_confirmed(
    people: People, order: Order
) -> None:
    people.person("clerk", "clerk")
    before = everything(people)
    for amount, evidence, reason, code in WRONG:
        with pytest.raises(InvalidInput) as refused:
            confirmed(people, order, amount, evidence, reason=reason)
        assert refused.value.code == code
        assert refused.value.field == code.removeprefix("invalid_")
    assert everything(people) == before


def test_only_a_person_with_the_right_confirms(people: People, order: Order) -> None:
    askers = (people.shop, people.accountant, people.owner, Identity("watch"))
    for who in askers:
        with pytest.raises(Forbidden):
            confirmed(people, order, who=who)
    for who in (Identity(), Identity("browser", order_ids=frozenset({order.id}))):
        with pytest.raises(PaychimeError) as refused:
            confirmed(people, order, who=who)
        assert refused.value.code == "unauthorized"
    assert count(people, "confirmations") == 0


def test_an_order_that_does_not_exist_is_not_confirmed(people: People) -> None:
    with pytest.raises(NotFound):
        people.in_app(
            confirm.confirm, people.house.settings, people.clerk, "none", 1, "seen", "receipt"
        )


def test_what_is_paid_or_cancelled_is_not_confirmed(people: People, order: Order) -> None:
    cancelled = people.order(LIMIT)
    people.in_app(checkout.cancel, people.shop, cancelled.id, "Sold out")
    confirmed(people, order)
    for ended in (order, cancelled):
        with pytest.raises(Conflict) as refused:
            confirmed(people, ended, evidence="receipt 2")
        assert refused.value.code == "order_not_payable"


def test_twenty_presses_at_once_have_one_effect(people: People, order: Order) -> None:
    clerk = people.clerk

    def press(_number: int) -> str:
        try:
            return "held" if confirmed(people, order, who=clerk).held else "done"
        except Conflict as refused:
            return refused.code

    told = at_once(20, press)
    assert told.count("done") == 1
    assert set(told) <= {"done", "evidence_used", "order_not_payable"}
    assert now_of(people, order).amount_paid == LIMIT
    assert count(people, "confirmations") == 1
    assert right(people)


class TestAboveTheLimit:
    @pytest.fixture
    def held(self, people: People) -> Order:
        order = people.order(LIMIT + 1)
        assert confirmed(people, order, LIMIT + 1).held
        return order

    def which(self, people: People, order: Order) -> str:
        (one,) = [c for c in people.in_app(confirmations.held) if c.order_id == order.id]
        return one.id

    def test_a_large_amount_in_small_parts_is_a_large_amount(self, people: People) -> None:
        order = people.order(LIMIT + 1)
        assert not confirmed(people, order, LIMIT // 2, "part 1").held
        assert not confirmed(people, order, LIMIT // 2, "part 2").held
        assert confirmed(people, order, 1, "part 3").held
        assert now_of(people, order).amount_paid == LIMIT

    def test_nothing_is_paid_until_a_second_person_agrees(
        self, people: People, held: Order
    ) -> None:
        waiting = now_of(people, held)
        assert (waiting.status.value, waiting.version) == ("pending", 1)
        assert balances(people) == {}
        people.in_app(confirm.approve, people.manager, self.which(people, held))
        assert now_of(people, held).status.value == "paid"
        assert balances(people) == {"clearing:manual": LIMIT + 1, "revenue": -LIMIT - 1}
        assert attempt_of(people, held.id).confirmed_by == people.clerk.actor
        deeds = {line.action: line.actor for line in people.in_app(audit.of_order, held.id)}
        assert deeds["confirmation.held"] == people.clerk.actor
        assert deeds["confirmation.approved"] == people.manager.actor
        assert right(people)

    def test_nobody_approves_their_own(self, people: People) -> None:
        order = people.order()
        confirmed(people, order, 50_000, who=people.manager)
        with pytest.raises(Forbidden):
            people.in_app(confirm.approve, people.manager, self.which(people, order))
        assert now_of(people, order).status.value == "pending"
        people.in_app(confirm.approve, people.person("admin", "admin"), self.which(people, order))
        assert now_of(people, order).status.value == "paid"

    def test_only_a_manager_or_an_admin_approves(self, people: People, held: Order) -> None:
        other_clerk = people.person("other", "clerk")
        for who in (other_clerk, people.accountant, people.owner, people.shop):
            with pytest.raises(Forbidden):
                people.in_app(confirm.approve, who, self.which(people, held))
        assert now_of(people, held).status.value == "pending"

    def test_what_does_not_wait_is_not_approved(self, people: People, held: Order) -> None:
        with pytest.raises(NotFound):
            people.in_app(confirm.approve, people.manager, "none")
        which = self.which(people, held)
        people.in_app(confirm.approve, people.manager, which)
        with pytest.raises(Conflict):
            people.in_app(confirm.approve, people.manager, which)

    def test_an_order_that_was_paid_meanwhile_is_not_paid_again(
        self, people: People, held: Order
    ) -> None:
        body, headers = shop_webhook(held.id, LIMIT + 1)
        client = people.app.test_client()
        assert client.post("/webhook/payment", data=body, headers=headers).status_code == 200
        with pytest.raises(Conflict):
            people.in_app(confirm.approve, people.manager, self.which(people, held))
        assert right(people)

    def test_twenty_approvals_at_once_have_one_effect(self, people: People, held: Order) -> None:
        manager, which = people.manager, self.which(people, held)

        def press(_number: int) -> str:
            try:
                people.in_app(confirm.approve, manager, which)
            except Conflict as refused:
                return refused.code
            return "done"

        assert at_once(20, press).count("done") == 1
        assert now_of(people, held).amount_paid == LIMIT + 1
        assert right(people)

    def test_what_a_second_person_turns_down_is_never_paid_and_its_receipt_may_be_used_again(
        self, people: People, held: Order
    ) -> None:
        which = self.which(people, held)
        people.in_app(confirm.decline, people.manager, which, "No such transfer")
        assert people.in_app(confirmations.held) == []
        for deed in (
            lambda: confirm.approve(people.manager, which),
            lambda: confirm.decline(people.manager, which, "Once more"),
        ):
            with pytest.raises(NotFound):
                people.in_app(deed)
        assert now_of(people, held).status.value == "pending"
        assert balances(people) == {}
        (line,) = [
            one
            for one in people.in_app(audit.of_order, held.id)
            if one.action == "confirmation.declined"
        ]
        assert (line.actor, line.reason) == (people.manager.actor, "No such transfer")
        assert line.detail == {
            "confirmation": which,
            "amount": LIMIT + 1,
            "evidence": "receipt 1",
            "requested_by": people.clerk.actor,
            "requested_for": "I counted it",
        }
        assert not confirmed(people, held, LIMIT).held
        assert right(people)

    def test_whoever_asked_may_take_it_back_and_no_other_clerk(
        self, people: People, held: Order
    ) -> None:
        strangers = (people.accountant, people.owner, people.shop, people.person("c2", "clerk"))
        which, before = self.which(people, held), everything(people)
        for who in strangers:
            for one in (which, "none"):
                with pytest.raises(Forbidden):
                    people.in_app(confirm.decline, who, one, "Not mine")
        with pytest.raises(InvalidInput):
            people.in_app(confirm.decline, people.clerk, which, "x")
        assert everything(people) == before
        people.in_app(confirm.decline, people.clerk, which, "I mistyped the amount")
        assert people.in_app(confirmations.held) == []

    def test_approved_and_turned_down_at_once_is_one_of_both(
        self, people: People, held: Order
    ) -> None:
        manager, which = people.manager, self.which(people, held)

        def press(number: int) -> str:
            try:
                if number % 2:
                    people.in_app(confirm.approve, manager, which)
                else:
                    people.in_app(confirm.decline, manager, which, "No such transfer")
            except (Conflict, NotFound) as refused:
                return refused.code
            return "approved" if number % 2 else "declined"

        ends = at_once(10, press)
        (done,) = [one for one in ends if one in {"approved", "declined"}]
        assert now_of(people, held).amount_paid == (LIMIT + 1 if done == "approved" else 0)
        assert right(people)

    def test_another_currency_has_a_limit_of_its_own_or_none(self, people: People) -> None:
        order = people.order(10**9, "INR")
        assert not confirmed(people, order, 10**9).held


class TestWhenTheProviderSpeaksAfterwards:
    @pytest.fixture
    def order(self, people: People) -> Order:
        made = people.order(LIMIT)
        begin(people, made.id)
        return made

    def test_its_word_bears_staff_out_and_is_no_second_payment(
        self, people: People, order: Order
    ) -> None:
        confirmed(people, order)
        attempt = attempt_of(people, order.id)
        assert (attempt.provider, attempt.status.value) == ("momo", "succeeded")
        assert balances(people) == {"clearing:manual": LIMIT, "revenue": -LIMIT}
        paid = now_of(people, order)
        for _ in range(3):
            assert momo_calls(people.app, attempt).status_code == 204
        assert balances(people) == {"clearing:momo": LIMIT, "revenue": -LIMIT}
        assert now_of(people, order) == paid
        assert attempt_of(people, order.id).transaction_id == "4088878653"
        assert right(people)

    def test_another_amount_is_kept_for_staff_and_pays_nothing(
        self, people: People, order: Order
    ) -> None:
        confirmed(people, order)
        attempt = attempt_of(people, order.id)
        assert momo_calls(people.app, attempt, amount=LIMIT - 1).status_code == 204
        assert balances(people) == {"clearing:manual": LIMIT, "revenue": -LIMIT}
        assert count(people, "payments") == 1
        assert right(people)

    def test_a_failure_does_not_take_back_what_staff_saw(
        self, people: People, order: Order
    ) -> None:
        confirmed(people, order)
        attempt = attempt_of(people, order.id)
        assert momo_calls(people.app, attempt, resultCode=1006).status_code == 204
        assert now_of(people, order).status.value == "paid"
        assert attempt_of(people, order.id).status.value == "succeeded"

    def test_staff_confirm_what_the_provider_called_a_failure(
        self, people: People, order: Order
    ) -> None:
        attempt = attempt_of(people, order.id)
        assert momo_calls(people.app, attempt, resultCode=1006).status_code == 204
        confirmed(people, order)
        assert now_of(people, order).status.value == "paid"
        assert people.in_app(payments.of_order, order.id)[0].status.value == "succeeded"


@ON_SQLITE
def test_a_utr_has_twelve_digits(people: People) -> None:
    """No rail of UPI is here yet, so the attempt is dressed up as one."""
    order = people.order(LIMIT)
    confirmed(people, order, 1_000)

    def dress_up() -> None:
        db.session.execute(update(tables.payments).values(provider="upi"))

    people.in_app(in_transaction, dress_up)
    for evidence in ("12345678901", "1234567890123", "12345678901a", "١٢٣٤٥٦٧٨٩٠١٢"):
        with pytest.raises(InvalidInput) as refused:
            confirmed(people, order, 1_000, evidence)
        assert refused.value.field == "evidence"
    confirmed(people, order, 1_000, "123456789012")
