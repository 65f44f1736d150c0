"""Whatever happens to orders, in whatever order, the books stay right after every step."""

from __future__ import annotations

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

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
from payments.domain.order import Order
from payments.domain.states import OrderStatus, PaymentStatus
from payments.services import checkout, confirm, expire, refunds
from payments.settings import load
from payments.store import ledger, orders, payments
from payments.store import refunds as promised
from payments.store.db import db, now
from tests.conftest import ENVIRONMENT
from tests.people import People
from tests.services.test_apply import attempt
from tests.signing import JSON, momo_ipn, shop_webhook

AMOUNT = 1_000
parts = st.sampled_from([1, 400, 999, 1_000, 1_001, 2_500])
which = st.integers(min_value=0, max_value=5)


class Books(RuleBasedStateMachine):
    """A shop with two orders, and everybody who can do something to them."""

    empty: Path

    @initialize()
    def open_shop(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.empty, self.folder / "books.db")
        url = f"sqlite:///{self.folder / 'books.db'}"
        self.app = create_app(
            load({**ENVIRONMENT, "DATABASE_URL": url, "INSTANCE_PATH": str(self.folder)})
        )
        self.people = People(self.app)
        self.client = self.app.test_client()
        self.orders = [self.people.order(AMOUNT) for _ in range(2)]
        self.manager = self.people.manager
        self.attempts = [attempt(self.people, order) for order in self.orders]
        self.told = 0

    def order(self, number: int) -> Order:
        found = self.people.in_app(orders.find, self.orders[number % 2].id)
        assert found is not None
        return found

    def try_to(self, call: Any, *args: Any) -> None:
        """A refusal is a right answer too; the books must be right after it."""
        try:
            self.people.in_app(call, *args)
        except PaychimeError:
            return

    @rule(number=which, amount=parts, transaction=which, again=st.booleans())
    def the_shop_is_told_of_money(
        self, number: int, amount: int, transaction: int, again: bool
    ) -> None:
        self.told += not again
        body, headers = shop_webhook(
            self.order(number).id, amount, transaction=f"T{transaction}", event=f"e{self.told}"
        )
        answer = self.client.post("/webhook/payment", data=body, headers=headers)
        assert answer.status_code == 200

    @rule(number=which, amount=parts, code=st.sampled_from([0, 0, 1000, 1006]))
    def momo_calls(self, number: int, amount: int, code: int) -> None:
        reference = self.attempts[number % 2].reference
        body = momo_ipn(reference, amount, code=code, trans_id=number % 2 + 1)
        assert self.client.post("/callbacks/momo", data=body, headers=JSON).status_code == 204

    @rule(number=which, amount=parts, evidence=st.sampled_from(["slip-1", "slip-2", "slip-3"]))
    def staff_confirm(self, number: int, amount: int, evidence: str) -> None:
        house = self.people.house
        self.try_to(
            confirm.confirm,
            *(house.settings, self.manager, self.order(number).id, amount, "Seen", evidence),
        )

    @rule(number=which)
    def staff_cancel(self, number: int) -> None:
        self.try_to(checkout.cancel, self.manager, self.order(number).id, "They left")

    @rule()
    def time_runs_out(self) -> None:
        self.people.in_app(expire.expire_once, now() + timedelta(days=1))

    @rule(number=which, amount=st.one_of(st.none(), parts))
    def a_manager_promises_a_refund(self, number: int, amount: int | None) -> None:
        # No rail here can refund: what is promised waits for staff.
        rails = self.people.house.rails
        rails.able = lambda key, ability: ability == "callback"  # type: ignore[method-assign]
        self.try_to(refunds.refund, rails, self.manager, self.order(number).id, amount, "Broken")

    @rule()
    def a_manager_pays_the_oldest_refund_by_hand(self) -> None:
        waiting = self.people.in_app(promised.by_hand)
        if waiting:
            self.try_to(refunds.settle_by_hand, self.manager, waiting[0].id, "cash")

    @invariant()
    def the_books_are_right(self) -> None:
        if not hasattr(self, "app"):
            return
        assert self.people.in_app(lambda: list(ledger.faults())) == []
        balances = self.people.in_app(ledger.balances)
        assert sum(balances.values()) == 0
        for account in ("revenue", "suspense", "refunds_due"):
            assert balances.get((account, "VND"), 0) <= 0, "nobody owes the shop's own accounts"

    @invariant()
    def an_order_says_what_its_payments_say(self) -> None:
        if not hasattr(self, "app"):
            return
        for number in range(2):
            order = self.order(number)
            received = sum(
                one.amount_received
                for one in self.people.in_app(payments.of_order, order.id)
                if one.status is PaymentStatus.SUCCEEDED
            )
            assert order.amount_paid == received
            if order.status is OrderStatus.PAID:
                assert order.amount_paid - order.amount_refunded >= AMOUNT
            if order.status is OrderStatus.PENDING:
                assert received == 0

    def teardown(self) -> None:
        if hasattr(self, "app"):
            with self.app.app_context():
                db.session.remove()
                db.engine.dispose()
            shutil.rmtree(self.folder)


@pytest.mark.parametrize(
    "stories",
    [12, pytest.param(250, marks=[pytest.mark.long, pytest.mark.timeout(3600)])],
)
def test_whatever_happens_the_books_stay_right(migrated_sqlite: Path, stories: int) -> None:
    Books.empty = migrated_sqlite
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=stories,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
