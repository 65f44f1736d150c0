"""Money without a home: it is held once, staff are told whose it may be, and they decide once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, update

from payments.domain import ledger as bookkeeping
from payments.domain.errors import Conflict, Forbidden, InvalidInput, NotFound, PaychimeError
from payments.domain.money import Money
from payments.domain.order import Order
from payments.services import callbacks, checkout, refunds, unmatched
from payments.services.access import Identity
from payments.services.unmatched import Candidate
from payments.store import audit, bank_lines, inbox, ledger, orders, tables
from payments.store.bank_lines import BankLine
from payments.store.db import db, in_transaction, now
from tests.feeds import SETTINGS, Transfer, gateway, pay2s, sepay
from tests.outside import ON_SQLITE, at_once, count, everything, seen
from tests.people import People
from tests.services.test_apply import attempt
from tests.services.test_matching import FT, attempts, balances, found, sound, state

PRICE = 50_000
WHY = "She named it on the phone"


@pytest.fixture
def environment() -> dict[str, str]:
    return {**SETTINGS, "CONFIRM_LIMIT": "VND:1000"}


@pytest.fixture
def order(people: People) -> Order:
    return people.order(PRICE)


def came(
    people: People, text: str = "no memo", amount: int = PRICE, id: int = 1, number: str = FT
) -> BankLine:
    """A line that fits no order."""
    assert pay2s(Transfer(text, amount, id, number)).to(people.app) == 200
    waits = people.in_app(bank_lines.waiting)
    return next(one for one in waits if one.event_id == str(id))


def assigned(
    people: People, line: BankLine, order: Order, who: Identity | None = None, reason: str = WHY
) -> Any:
    return people.in_app(unmatched.assign, who or people.clerk, line.id, order.id, reason)


def returned(people: People, line: BankLine, who: Identity | None = None) -> None:
    people.in_app(unmatched.give_back, who or people.manager, line.id, "Not ours", "FT back 1")


def candidates(people: People, line: BankLine) -> list[Candidate]:
    return people.in_app(unmatched.candidates_of, line)


class TestAssigning:
    def test_the_order_gets_the_money_and_suspense_gives_it_up(
        self, people: People, order: Order
    ) -> None:
        line = came(people)
        assert balances(people) == {"clearing:bank": PRICE, "suspense": -PRICE}
        payment = assigned(people, line, order)
        assert state(people, order) == ("paid", PRICE)
        assert balances(people) == {"clearing:bank": PRICE, "revenue": -PRICE}
        assert (payment.provider, payment.transaction_id) == ("bank", "pay2s:1")
        entry = people.in_app(inbox.find, line.id)
        assert entry is not None
        assert (entry.verdict, entry.order_id, entry.reference) == (
            *("applied", order.id, payment.reference),
        )
        assert people.in_app(inbox.unresolved) == []
        (deed,) = [
            one for one in people.in_app(audit.of_order, order.id) if one.action == "money.assigned"
        ]
        assert (deed.actor, deed.reason) == (people.clerk.actor, WHY)
        assert deed.detail == {
            "entry": line.id, "reference": payment.reference, "amount": PRICE,
        }  # fmt: skip
        sound(people)

    def test_the_attempt_that_waits_is_the_one_that_succeeds(
        self, people: People, order: Order
    ) -> None:
        attempt(people, order, "momo")
        begun = attempt(people, order, "bank")
        assert assigned(people, came(people), order).reference == begun.reference
        assert [one.status.value for one in attempts(people, order)] == ["pending", "succeeded"]
        sound(people)

    @ON_SQLITE
    def test_no_second_person_is_asked_however_much_it_is(self, people: People) -> None:
        order = people.order(10**9)
        assigned(people, came(people, amount=10**9), order)
        assert state(people, order) == ("paid", 10**9)

    @ON_SQLITE
    def test_less_is_a_part_more_is_held_and_late_is_late(self, people: People) -> None:
        order = people.order(PRICE)
        assigned(people, came(people, amount=20_000, id=1, number="A-12345678"), order)
        assert state(people, order) == ("partially_paid", 20_000)
        assigned(people, came(people, amount=40_000, id=2, number="B-12345678"), order)
        assert state(people, order) == ("paid", 60_000)
        assert found(people, order).amount_excess == 10_000
        cancelled = people.order(PRICE)
        people.in_app(checkout.cancel, people.shop, cancelled.id, "Sold out")
        assigned(people, came(people, id=3, number="C-12345678"), cancelled)
        assert state(people, cancelled) == ("cancelled", PRICE)
        assert balances(people)["suspense"] == -10_000 - PRICE
        sound(people)

    def test_the_same_person_may_press_again(self, people: People, order: Order) -> None:
        line = came(people)
        first = assigned(people, line, order)
        before = everything(people)
        assert assigned(people, line, order) == first
        assert everything(people) == before

    def test_a_second_person_and_a_second_order_are_told_no(
        self, people: People, order: Order
    ) -> None:
        line, other, manager = came(people), people.order(PRICE), people.manager
        assigned(people, line, order)
        before = everything(people)
        deeds = ((manager, order), (manager, other), (people.clerk, other))
        for who, which in deeds:
            with pytest.raises(Conflict) as refused:
                assigned(people, line, which, who=who)
            assert refused.value.code == "already_resolved"
        with pytest.raises(Conflict):
            returned(people, line)
        assert everything(people) == before
        sound(people)

    def test_twenty_presses_at_once_have_one_effect(self, people: People, order: Order) -> None:
        line, other = came(people), people.order(PRICE)
        clerk, manager = people.clerk, people.manager

        def press(number: int) -> str:
            try:
                if number % 4 == 3:
                    returned(people, line, manager)
                else:
                    which = other if number % 4 == 2 else order
                    assigned(people, line, which, who=(clerk, manager)[number % 2])
            except Conflict as refused:
                return refused.code
            return "done"

        told = at_once(20, press)
        assert set(told) == {"done", "already_resolved"}
        ends = state(people, order), state(people, other)
        paid = [end for end in ends if end == ("paid", PRICE)]
        back = balances(people) == {}
        assert len(paid) + back == 1
        assert "suspense" not in balances(people)
        sound(people)

    def test_whoever_may_not_confirm_may_not_assign(self, people: People, order: Order) -> None:
        line = came(people)
        nobody: list[Identity] = [Identity(), Identity("watch"), people.owner, people.accountant]
        for who in (*nobody, people.shop):
            with pytest.raises(PaychimeError):
                assigned(people, line, order, who=who)
        assert state(people, order) == ("pending", 0)
        sound(people)

    @pytest.mark.parametrize("reason", ["", "  ", "ab", "x" * 501, "a\x00b c", "a\x1bbcd"])
    @ON_SQLITE
    def test_a_reason_is_demanded(self, people: People, order: Order, reason: str) -> None:
        line = came(people)
        with pytest.raises(InvalidInput) as refused:
            assigned(people, line, order, reason=reason)
        assert (refused.value.code, refused.value.field) == ("invalid_reason", "reason")
        assert state(people, order) == ("pending", 0)

    @ON_SQLITE
    def test_what_does_not_fit_is_refused_and_the_money_still_waits(
        self, people: People, order: Order
    ) -> None:
        line, foreign = came(people), people.order(PRICE, "USD")
        for order_id, code in ((foreign.id, "another_currency"), ("none", "unknown_order")):
            with pytest.raises(InvalidInput) as refused:
                people.in_app(unmatched.assign, people.clerk, line.id, order_id, WHY)
            assert (refused.value.code, refused.value.field) == (code, "order_id")
        for entry_id in (line.id + 1_000, 2**62):
            with pytest.raises(NotFound):
                people.in_app(unmatched.assign, people.clerk, entry_id, order.id, WHY)
        assert people.in_app(bank_lines.waiting) == [line]
        sound(people)

    def test_money_that_waits_is_not_dealt_with_as_a_mere_callback(
        self, people: People, order: Order
    ) -> None:
        line = came(people)
        with pytest.raises(Conflict) as refused:
            people.in_app(callbacks.resolve, people.clerk, line.id, "Nothing to do")
        assert refused.value.code == "money_waits"
        assert people.in_app(bank_lines.count_waiting) == 1
        sound(people)

    @ON_SQLITE
    def test_another_feed_that_tells_of_it_afterwards_changes_nothing(
        self, people: People, order: Order
    ) -> None:
        assigned(people, came(people), order)
        sepay(Transfer("no memo either", PRICE, 9, FT)).to(people.app)
        assert state(people, order) == ("paid", PRICE)
        assert people.in_app(inbox.unresolved) == []
        sound(people)

    @ON_SQLITE
    def test_what_was_given_to_the_wrong_order_is_not_counted_again_when_a_feed_names_the_right_one(
        self, people: People, order: Order
    ) -> None:
        """The gateway names no number of the bank's: only the memo says that it is one transfer."""
        meant = people.order(PRICE)
        memo = attempt(people, meant, "bank").reference
        seen(people, meant.id, 1_000, "FT26305000001")
        assert gateway(memo, PRICE, id=5).to(people.app) == 200
        (line,) = people.in_app(bank_lines.waiting)
        assigned(people, line, order)
        assert pay2s(Transfer(memo, PRICE, 1, FT)).to(people.app) == 200
        assert state(people, order) == ("paid", PRICE)
        assert state(people, meant) == ("partially_paid", 1_000)
        assert people.in_app(inbox.unresolved) == []
        sound(people)

    @ON_SQLITE
    def test_what_staff_confirmed_with_another_amount_can_be_put_right(
        self, people: People, order: Order
    ) -> None:
        """They typed another amount: the line is the order's, and what they typed is over."""
        seen(people, order.id, 1_000, FT)
        line = came(people, amount=PRICE)
        assert line.reason == "differs_from_confirmation"
        assigned(people, line, order)
        assert state(people, order) == ("paid", PRICE + 1_000)
        house, manager = people.house, people.manager
        (promised,) = people.in_app(
            refunds.refund, house.rails, manager, order.id, 1_000, "It never came"
        )
        people.in_app(refunds.settle_by_hand, manager, promised.id, "never came")
        assert state(people, order)[0] == "paid"
        assert balances(people) == {"clearing:bank": PRICE, "revenue": -PRICE}
        sound(people)


class TestGivingBack:
    def test_it_leaves_suspense_and_the_account(self, people: People) -> None:
        line = came(people)
        returned(people, line)
        assert balances(people) == {}
        assert people.in_app(bank_lines.waiting) == []
        entry = people.in_app(inbox.find, line.id)
        assert entry is not None
        assert (entry.verdict, entry.order_id) == ("parked", None)
        assert entry.resolved_at is not None
        deed = people.in_app(audit.of_entry, line.id, "money.returned", None)
        assert deed is not None
        assert (deed.actor, deed.reason) == (people.manager.actor, "Not ours")
        assert deed.detail["evidence"] == "FT back 1"
        sound(people)

    def test_it_is_given_back_once(self, people: People, order: Order) -> None:
        line, other = came(people), people.person("admin", "admin")
        returned(people, line)
        clerk = people.clerk
        before = everything(people)
        returned(people, line)
        with pytest.raises(Conflict):
            returned(people, line, other)
        with pytest.raises(Conflict):
            assigned(people, line, order, clerk)
        assert everything(people) == before

    @ON_SQLITE
    def test_another_feed_that_tells_of_it_afterwards_brings_it_not_back(
        self, people: People
    ) -> None:
        returned(people, came(people))
        sepay(Transfer("no memo", PRICE, 9, FT)).to(people.app)
        assert people.in_app(bank_lines.waiting) == []
        assert balances(people) == {}
        sound(people)

    @ON_SQLITE
    def test_only_whoever_may_refund_may_say_so(self, people: People) -> None:
        line = came(people)
        for who in (people.clerk, people.accountant, people.shop, people.owner):
            with pytest.raises(Forbidden):
                returned(people, line, who)
        assert people.in_app(bank_lines.count_waiting) == 1

    @ON_SQLITE
    def test_evidence_is_demanded(self, people: People) -> None:
        line = came(people)
        for evidence in ("", "ab", "x" * 101):
            with pytest.raises(InvalidInput) as refused:
                people.in_app(unmatched.give_back, people.manager, line.id, "Not ours", evidence)
            assert refused.value.field == "evidence"
        assert people.in_app(bank_lines.count_waiting) == 1


@ON_SQLITE
class TestCandidates:
    def test_the_likeliest_is_first_and_each_says_why(self, people: People) -> None:
        people.order(7_777)
        amount = people.order(PRICE)
        named = people.order(PRICE, customer_name="Nguyễn Thị Đào")
        mistyped = people.order(12_000)
        memo = attempt(people, mistyped, "bank").reference
        line = came(people, f"NGUYEN THI DAO ck {memo[:9]}")
        shown = [(one.order.id, one.signs) for one in candidates(people, line)]
        assert shown[:3] == [
            (mistyped.id, ("memo", "time")),
            (named.id, ("amount", "name", "time")),
            (amount.id, ("amount", "time")),
        ]
        assert state(people, mistyped) == ("pending", 0), "it only ranks"

    def test_an_order_named_in_the_text_is_found_however_old_the_others_make_it(
        self, people: People
    ) -> None:
        wanted = people.order(99_000, id="DH-1042")
        for _ in range(120):
            people.order(1_000)
        for id, written in enumerate(("DH-1042", "dh-1042"), 1):
            line = came(people, f"thanh toan don {written} cam on", id=id, number="")
            first = candidates(people, line)[0]
            assert (first.order.id, first.signs) == (wanted.id, ("order", "time"))

    def test_a_part_that_is_still_due_is_the_same_amount(self, people: People) -> None:
        order = people.order(PRICE)
        assigned(people, came(people, amount=20_000), order)
        (one,) = candidates(people, came(people, amount=30_000, id=2, number=""))
        assert (one.order.id, one.signs) == (order.id, ("amount", "time"))

    def test_what_is_paid_in_another_currency_or_long_ago_is_not_shown(
        self, people: People
    ) -> None:
        paid, old = people.order(PRICE), people.order(PRICE)
        assigned(people, came(people), paid)
        people.order(PRICE, "USD")

        def age() -> None:
            long_ago = now() - timedelta(days=15)
            db.session.execute(
                update(tables.orders).where(tables.orders.c.id == old.id).values(
                    created_at=long_ago
                )
            )  # fmt: skip

        people.in_app(in_transaction, age)
        assert candidates(people, came(people, id=2, number="")) == []

    def test_a_first_name_alone_is_anybodys(self, people: People) -> None:
        people.order(1_000, customer_name="An")
        (one,) = candidates(people, came(people, "cam on an"))
        assert one.signs == ("time",)

    @pytest.mark.parametrize("text", ["", "%", "_" * 900, "P" * 900, "\\", "'); DROP TABLE x; --"])
    def test_no_text_is_a_fault(self, people: People, order: Order, text: str) -> None:
        assert [one.order.id for one in candidates(people, came(people, text))] == [order.id]


class TestTheBooksSayWhatIsWrong:
    """`flask ledger verify`: each parked bank line has one posting that holds it until it goes."""

    def wrong(self, people: People) -> str:
        return " / ".join(people.in_app(lambda: list(ledger.faults())))

    def post(self, people: People, posting: bookkeeping.Posting) -> None:
        people.in_app(in_transaction, lambda: ledger.append(posting, None))

    def test_money_that_is_not_held(self, people: People) -> None:
        line = came(people)

        def park_another() -> None:
            values = {"provider": "pay2s", "event_id": "77", "verdict": "parked"}
            entry = db.session.execute(
                insert(tables.inbox)
                .values(
                    source="callback", received_at=now(), headers={}, body=b"", digest="",
                    amount=5, currency="VND", **values,
                )
                .returning(tables.inbox.c.id)
            ).scalar_one()  # fmt: skip
            bank_lines.add(entry, None, None)

        people.in_app(in_transaction, park_another)
        assert self.wrong(people) == f"bank line {line.id + 1}: 5 came, 0 is held"

    def test_money_that_is_still_held_for_a_line_that_is_settled(self, people: People) -> None:
        line = came(people)
        people.in_app(in_transaction, lambda: inbox.resolve(line.id))
        assert "held, though it is settled" in self.wrong(people)

    @pytest.mark.parametrize("amount", [PRICE, PRICE - 1])
    def test_money_that_was_let_go_of_a_line_that_waits(self, people: People, amount: int) -> None:
        line = came(people)
        gone = bookkeeping.released("assigned", line.id, "bank", Money(amount, "VND"))
        self.post(people, gone)
        assert "not held, though it waits" in self.wrong(people)
        assert (f"{PRICE} was held, {amount} let go" in self.wrong(people)) is (amount != PRICE)

    def test_money_that_was_let_go_twice(self, people: People, order: Order) -> None:
        line = came(people)
        assigned(people, line, order)
        self.post(people, bookkeeping.released("returned", line.id, "bank", Money(PRICE, "VND")))
        assert "had been let go before" in self.wrong(people)

    def test_money_that_no_line_has_brought(self, people: People) -> None:
        self.post(
            people, bookkeeping.held(bookkeeping.unmatched_cause(77), "bank", Money(5, "VND"))
        )
        assert self.wrong(people) == "posting unmatched:77: no bank line is its cause"
        self.post(people, bookkeeping.released("returned", 78, "bank", Money(5, "VND")))
        assert "bank line 78: 0 was held, 5 let go" in self.wrong(people)

    def test_where_all_is_well_nothing_is_said(self, people: People, order: Order) -> None:
        for id, deed in ((1, assigned), (2, returned), (3, None)):
            line = came(people, id=id, number=f"NUMBER-{id}")
            if deed is assigned:
                assigned(people, line, order)
            elif deed is returned:
                returned(people, line)
        assert self.wrong(people) == ""
        assert count(people, "postings") == 3 + 2 + 1


def test_a_flood_of_strange_lines_is_held_to_the_last_dong(app: Flask, people: People) -> None:
    told = pay2s(*(Transfer(f"strange {n}", n, n, "") for n in range(1, 201)))
    assert told.to(app) == 200
    assert people.in_app(bank_lines.count_waiting) == 200
    assert balances(people)["suspense"] == -sum(range(1, 201))
    assert [one.amount for one in people.in_app(bank_lines.waiting, 3)] == [1, 2, 3]
    assert people.in_app(orders.page) == []
    sound(people)
