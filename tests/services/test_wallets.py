"""A customer's balance: topped up, spent, given back, and never below zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask

from payments.domain.errors import (
    Conflict,
    Forbidden,
    InsufficientFunds,
    InvalidAmount,
    InvalidInput,
    ProviderRefused,
    Unauthenticated,
)
from payments.domain.facts import Fact, wallet_topic
from payments.domain.money import Money
from payments.domain.notice import Notice, RawCallback
from payments.domain.order import Order, Payment
from payments.domain.ports import Payer
from payments.domain.states import Kind
from payments.services import apply, checkout, refunds
from payments.services.access import NOBODY, Identity
from payments.services.expire import expire_once
from payments.services.wallets import deposits
from payments.services.wallets.wallet_view import wallet
from payments.store import ledger, orders, outbox, payments, wallets
from tests.people import People
from tests.services.life import Rail

PRICE = 50_000


class Wallets:
    """The shop with MoMo, which pays whatever it is told to pay."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.rail = Rail()
        momo = people.house.rails.rail("momo")
        momo.start = self.rail.start  # type: ignore[method-assign,assignment]
        self.mai = people.owner
        self.serial = 0

    @property
    def user_id(self) -> str:
        assert self.mai.user is not None
        return self.mai.user.id

    def deposit(self, amount: int = 100_000, who: Identity | None = None, **about: Any) -> Payment:
        return self.people.in_app(
            deposits.deposit,
            self.people.house.settings,
            self.people.house.rails,
            who or self.mai,
            Money(amount, about.get("currency", "VND")),
            about.get("provider", "momo"),
            Payer(),
            description="Top-up",
            page=lambda order_id: f"http://localhost/checkout/{order_id}/return",
            locale="en",
        )

    def comes(self, payment: Payment, kind: Kind = Kind.SUCCEEDED, **said: Any) -> str:
        """The provider says so; the verdict."""
        self.serial += 1
        notice = Notice(
            payment.provider,
            f"E{self.serial}",
            kind,
            reference=payment.reference,
            transaction_id=said.pop("transaction_id", f"T{self.serial}"),
            amount=said.pop("amount", payment.amount),
            currency="VND",
            **said,
        )
        raw = RawCallback(payment.provider, "callback", str(self.serial).encode())
        return self.people.in_app(apply.apply, [notice], raw)[0].word

    def topped_up(self, amount: int = 100_000) -> Payment:
        payment = self.deposit(amount)
        assert self.comes(payment) == "applied"
        return payment

    def pay(self, order: Order, amount: int | None = None, who: Identity | None = None) -> Payment:
        return self.people.in_app(
            checkout.start_payment,
            *(self.people.house.rails, who or self.mai, order.id, "wallet", Payer()),
            *("http://localhost/back", "en"),
            amount=amount,
        )

    def start(self, order: Order) -> Payment:
        return self.people.in_app(
            checkout.start_payment,
            *(self.people.house.rails, self.mai, order.id, "momo", Payer()),
            *("http://localhost/back", "en"),
        )

    def balance(self, currency: str = "VND") -> int:
        return self.people.in_app(wallets.balance, self.user_id, currency)

    def order(self, order_id: str) -> Order:
        found = self.people.in_app(orders.find, order_id)
        assert found is not None
        return found

    def told(self) -> Sequence[Fact]:
        return self.people.in_app(outbox.of_topic, wallet_topic(self.user_id), 0)

    def books(self) -> dict[str, int]:
        """Accounts that are not empty, in VND, debits positive."""
        found = self.people.in_app(ledger.balances)
        return {account: amount for (account, _), amount in found.items() if amount}

    def sale(self, amount: int = PRICE, **more: Any) -> Order:
        return self.people.order(amount, customer_id=self.user_id, **more)

    def stands(self) -> None:
        assert self.people.in_app(lambda: list(ledger.faults())) == []


@pytest.fixture
def shop(app: Flask) -> Wallets:
    return Wallets(People(app))


class TestTopUp:
    def test_what_a_customer_tops_up_is_theirs_and_no_revenue(self, shop: Wallets) -> None:
        payment = shop.deposit(100_000)
        assert payment.order_id == payment.reference
        assert shop.balance() == 0
        assert shop.comes(payment) == "applied"
        wallet_account = f"wallet:{shop.user_id}"
        assert shop.books() == {"clearing:momo": 100_000, wallet_account: -100_000}
        assert shop.balance() == 100_000
        assert shop.order(payment.order_id).status.value == "paid"
        shop.stands()

    def test_they_are_told_the_new_balance_with_the_deposit(self, shop: Wallets) -> None:
        payment = shop.deposit(100_000)
        shop.comes(payment, transaction_id="MOMO-1")
        waiting, done = shop.told()
        assert (waiting.event, waiting.about["status"]) == ("payment.status", "pending")
        assert (waiting.version, done.version) == (1, 2)
        assert done.event == "wallet.deposited"
        assert done.snapshot == {"balances": [{"currency": "VND", "amount": 100_000}]}
        said = {"transaction_id": payment.reference, "amount": 100_000, "new_balance": 100_000}
        said |= {"provider_transaction_id": "MOMO-1", "message": "Topped up with 100,000 VND"}
        assert said.items() <= done.about.items()

    def test_a_callback_that_comes_twice_tops_up_once(self, shop: Wallets) -> None:
        payment = shop.deposit(100_000)
        assert shop.comes(payment, transaction_id="T") == "applied"
        assert shop.comes(payment, transaction_id="T") == "applied"
        assert shop.balance() == 100_000
        assert [one.event for one in shop.told()] == ["payment.status", "wallet.deposited"]
        shop.stands()

    def test_a_deposit_that_fails_says_so_and_changes_nothing(self, shop: Wallets) -> None:
        payment = shop.deposit()
        shop.comes(payment, Kind.FAILED)
        assert [one.about["status"] for one in shop.told()] == ["pending", "failed"]
        assert (shop.balance(), shop.books()) == (0, {})

    def test_a_refused_deposit_can_be_paid_another_way_on_its_page(self, shop: Wallets) -> None:
        shop.rail.starts.append(ProviderRefused("No.", code="no_funds"))
        with pytest.raises(ProviderRefused):
            shop.deposit()
        (waiting,) = shop.people.in_app(deposits.under_way, shop.user_id)
        assert shop.comes(shop.start(waiting)) == "applied"
        assert shop.balance() == 100_000
        shop.stands()

    def test_what_comes_after_its_time_is_still_theirs(self, shop: Wallets) -> None:
        payment = shop.deposit()
        at = shop.order(payment.order_id).expires_at
        assert shop.people.in_app(expire_once, at) == 1
        assert shop.comes(payment) == "applied"
        assert shop.balance() == 100_000
        shop.stands()

    @pytest.mark.parametrize(
        ("amount", "about"),
        [
            (999, {}),
            (100_000, {"provider": "nobody"}),
            (100_000, {"provider": "wallet"}),
            (100_000, {"currency": "INR"}),
        ],
        ids=["below the rail's least", "no such rail", "out of itself", "another currency"],
    )
    def test_what_cannot_be_is_refused_and_leaves_nothing(
        self, shop: Wallets, amount: int, about: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidInput):
            shop.deposit(amount, **about)
        assert shop.people.in_app(deposits.under_way, shop.user_id) == []
        assert shop.told() == []

    def test_a_key_has_no_wallet_and_nobody_has_none_either(self, shop: Wallets) -> None:
        with pytest.raises(Forbidden):
            shop.deposit(who=shop.people.shop)
        with pytest.raises(Unauthenticated):
            shop.deposit(who=NOBODY)

    def test_a_deposit_is_not_refunded_for_it_is_in_the_wallet(self, shop: Wallets) -> None:
        payment = shop.topped_up()
        with pytest.raises(Conflict):
            shop.people.in_app(
                refunds.refund,
                *(shop.people.house.rails, shop.people.manager, payment.order_id, None),
                "they asked",
            )
        assert shop.balance() == 100_000


class TestPaying:
    def test_an_order_is_paid_at_once_out_of_the_balance(self, shop: Wallets) -> None:
        shop.topped_up()
        order = shop.sale()
        payment = shop.pay(order)
        assert payment.status.value == "succeeded"
        assert shop.order(order.id).status.value == "paid"
        assert shop.balance() == 50_000
        books = shop.books()
        assert (books["revenue"], books[f"wallet:{shop.user_id}"]) == (-50_000, -50_000)
        told = shop.told()[-1]
        assert told.event == "payment.status"
        said = {"transaction_type": "payment", "status": "completed", "new_balance": 50_000}
        assert said.items() <= told.about.items()
        shop.stands()

    def test_a_part_from_the_wallet_and_the_rest_by_another_rail(self, shop: Wallets) -> None:
        shop.topped_up(20_000)
        order = shop.sale()
        shop.pay(order, 20_000)
        assert shop.order(order.id).status.value == "partially_paid"
        rest = shop.start(shop.order(order.id))
        assert rest.amount == 30_000
        assert shop.comes(rest) == "applied"
        assert shop.order(order.id).status.value == "paid"
        assert shop.balance() == 0
        shop.stands()

    def test_more_than_the_balance_is_refused_and_nothing_moves(self, shop: Wallets) -> None:
        shop.topped_up(20_000)
        order = shop.sale()
        with pytest.raises(InsufficientFunds) as refusal:
            shop.pay(order)
        assert refusal.value.facts == {"balance": 20_000, "currency": "VND"}
        assert shop.people.in_app(payments.of_order, order.id) == []
        assert shop.order(order.id).version == 1
        assert shop.balance() == 20_000

    @pytest.mark.parametrize("amount", [0, -1, PRICE + 1])
    def test_a_part_is_more_than_nothing_and_no_more_than_due(
        self, shop: Wallets, amount: int
    ) -> None:
        shop.topped_up()
        with pytest.raises(InvalidAmount):
            shop.pay(shop.sale(), amount)

    def test_the_second_of_two_presses_finds_it_paid(self, shop: Wallets) -> None:
        shop.topped_up()
        order = shop.sale()
        shop.pay(order)
        with pytest.raises(Conflict):
            shop.pay(order)
        assert shop.balance() == 50_000

    def test_a_stranger_pays_out_of_their_own_wallet_only(self, shop: Wallets) -> None:
        shop.topped_up()
        with pytest.raises(InsufficientFunds):
            shop.pay(shop.sale(), who=shop.people.stranger)
        assert shop.balance() == 100_000

    def test_a_rail_takes_no_part(self, shop: Wallets) -> None:
        with pytest.raises(InvalidInput):
            shop.people.in_app(
                checkout.start_payment,
                *(shop.people.house.rails, shop.mai, shop.sale().id, "momo", Payer()),
                *("http://localhost/back", "en"),
                amount=5,
            )


class TestComingBack:
    def test_what_an_order_had_too_much_is_in_its_customers_wallet(self, shop: Wallets) -> None:
        order = shop.sale()
        assert shop.comes(shop.start(order)) == "applied"
        second = shop.people.in_app(
            apply.apply,
            [
                Notice(
                    "generic",
                    "G1",
                    Kind.SUCCEEDED,
                    order_id=order.id,
                    transaction_id="G1",
                    amount=7_000,
                    currency="VND",
                    any_amount=True,
                )
            ],
            RawCallback("generic", "callback", b"{}"),
        )
        assert second[0].word == "applied"
        after = shop.order(order.id)
        assert (after.amount_paid, after.amount_credited, after.amount_excess) == (57_000, 7_000, 0)
        assert shop.balance() == 7_000
        shop.stands()

    def test_a_refund_may_go_into_the_customers_wallet(self, shop: Wallets) -> None:
        order = shop.sale()
        shop.comes(shop.start(order), amount=PRICE)
        made = shop.people.in_app(
            refunds.refund,
            *(shop.people.house.rails, shop.people.manager, order.id, None, "they asked"),
            to_wallet=True,
        )
        assert [one.amount for one in made] == [PRICE]
        assert shop.order(order.id).status.value == "refunded"
        assert shop.balance() == PRICE
        assert shop.told()[-1].about["transaction_type"] == "refund"
        shop.stands()

    def test_what_a_wallet_paid_goes_back_into_it_at_once(self, shop: Wallets) -> None:
        shop.topped_up()
        order = shop.sale()
        shop.pay(order)
        (made,) = shop.people.in_app(
            refunds.refund,
            *(shop.people.house.rails, shop.people.manager, order.id, 20_000, "one was broken"),
        )
        assert made.status == "succeeded"
        assert shop.balance() == 70_000
        assert shop.order(order.id).status.value == "partially_refunded"
        shop.stands()

    def test_a_customer_without_an_account_has_no_wallet_to_refund_into(
        self, shop: Wallets
    ) -> None:
        order = shop.people.order(PRICE, customer_id="nobody-here")
        shop.comes(shop.start(order))
        with pytest.raises(InvalidInput):
            shop.people.in_app(
                refunds.refund,
                *(shop.people.house.rails, shop.people.manager, order.id, None, "they asked"),
                to_wallet=True,
            )
        assert shop.order(order.id).status.value == "paid"


def test_a_page_reads_balance_and_version_of_one_moment(shop: Wallets) -> None:
    shop.topped_up()
    seen = shop.people.in_app(wallet, shop.user_id)
    assert seen == {"balances": [{"currency": "VND", "amount": 100_000}], "version": 2}
