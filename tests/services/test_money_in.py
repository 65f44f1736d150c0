"""Feeds, staff who confirm, assign and give back, in whatever order: each dong counts once."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from payments.bootstrap import create_app
from payments.domain.errors import PaychimeError
from payments.services import confirm, expire, unmatched
from payments.settings import load
from payments.store import bank_lines, ledger, orders, payments
from payments.store.db import db, now
from tests.conftest import ENVIRONMENT
from tests.feeds import SETTINGS, Transfer, gateway, pay2s
from tests.people import People
from tests.services.test_apply import attempt
from tests.services.test_matching import FEEDS

PRICE = 1_000
which = st.integers(min_value=0, max_value=4)


class MoneyIn(RuleBasedStateMachine):
    """Two orders and five transfers; what has really come is what anybody has seen of them."""

    empty: Path

    @initialize()
    def open_shop(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.empty, self.folder / "books.db")
        url = f"sqlite:///{self.folder / 'books.db'}"
        own = {"DATABASE_URL": url, "INSTANCE_PATH": str(self.folder)}
        self.app = create_app(load({**ENVIRONMENT, **SETTINGS, **own}))
        self.people = People(self.app)
        self.manager = self.people.manager
        self.orders = [self.people.order(PRICE) for _ in range(2)]
        memos = [attempt(self.people, one, "bank").reference for one in self.orders]
        self.transfers = [
            Transfer(f"ct {memos[0]}", 400, 1, "FT2630500001"),
            Transfer(f"ct {memos[0]}", 400, 2, "FT2630500002"),
            Transfer(f"{memos[1]} ck", PRICE, 3, "FT2630500003"),
            Transfer("no memo at all", 400, 4, "FT2630500004"),
            Transfer("nor here", 2_500, 5, "FT2630500005"),
        ]
        self.memos = memos
        self.came: set[int] = set()
        self.back: set[int] = set()

    @rule(number=which, feed=st.sampled_from(sorted(FEEDS)))
    def a_feed_tells_of_a_transfer(self, number: int, feed: str) -> None:
        assert FEEDS[feed](self.transfers[number]).to(self.app) == 200
        self.came.add(number)

    @rule()
    def the_gateway_tells_of_the_third(self) -> None:
        assert gateway(self.memos[1], PRICE, id=3).to(self.app) == 200
        self.came.add(2)

    @rule(number=which, order=st.integers(0, 1))
    def staff_confirm_what_they_saw_in_the_banks_app(self, number: int, order: int) -> None:
        """Where the transfer names an order they confirm that one."""
        seen = self.transfers[number]
        order = {0: 0, 1: 0, 2: 1}.get(number, order)
        try:
            self.people.in_app(
                confirm.confirm,
                *(self.people.house.settings, self.manager, self.orders[order].id),
                *(seen.amount, "Seen", seen.number),
            )
        except PaychimeError:
            return
        assert number not in self.came, "its money has been counted already"
        self.came.add(number)

    @rule(place=which, order=st.integers(0, 1))
    def staff_assign_what_waits(self, place: int, order: int) -> None:
        waits = self.people.in_app(bank_lines.waiting)
        if waits:
            line = waits[place % len(waits)]
            reason = "They said so"
            self.people.in_app(
                unmatched.assign, self.manager, line.id, self.orders[order].id, reason
            )

    @rule(place=which)
    def staff_send_back_what_waits(self, place: int) -> None:
        waits = self.people.in_app(bank_lines.waiting)
        if waits:
            line = waits[place % len(waits)]
            self.people.in_app(unmatched.give_back, self.manager, line.id, "Not ours", "back 1")
            # The gateway, which names no number, tells of the third alone.
            number = line.number or self.transfers[2].number
            self.back.add(next(n for n, one in enumerate(self.transfers) if one.number == number))

    @rule()
    def time_runs_out(self) -> None:
        self.people.in_app(expire.expire_once, now())

    @property
    def money(self) -> int:
        balances = self.people.in_app(ledger.balances)
        return sum(n for (account, _), n in balances.items() if account.startswith("clearing:"))

    def value(self, numbers: set[int]) -> int:
        return sum(self.transfers[number].amount for number in numbers)

    @invariant()
    def no_dong_counts_twice(self) -> None:
        if not hasattr(self, "app"):
            return
        assert self.people.in_app(lambda: list(ledger.faults())) == []
        # A second equal transfer may at first be taken for the one that staff have confirmed.
        assert self.money <= self.value(self.came - self.back)

    @invariant()
    def an_order_has_what_its_attempts_have(self) -> None:
        if not hasattr(self, "app"):
            return
        for one in self.orders:
            found = self.people.in_app(orders.find, one.id)
            assert found is not None
            received = [p.amount_received for p in self.people.in_app(payments.of_order, one.id)]
            assert found.amount_paid == sum(received)

    def each_dong_counts_once_all_is_told(self) -> None:
        assert pay2s(*self.transfers).to(self.app) == 200
        assert self.money == self.value(set(range(5)) - self.back)
        assert self.people.in_app(lambda: list(ledger.faults())) == []

    def teardown(self) -> None:
        if hasattr(self, "app"):
            self.each_dong_counts_once_all_is_told()
            with self.app.app_context():
                db.session.remove()
                db.engine.dispose()
            shutil.rmtree(self.folder)


@pytest.mark.parametrize(
    "stories",
    [12, pytest.param(250, marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
)
def test_in_whatever_order_it_is_told_each_dong_counts_once(
    migrated_sqlite: Path, stories: int
) -> None:
    MoneyIn.empty = migrated_sqlite
    run_state_machine_as_test(
        MoneyIn,
        settings=settings(
            max_examples=stories,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
