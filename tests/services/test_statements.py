"""A person reads every movement of their own wallets, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert

from payments.domain import ledger as bookkeeping
from payments.domain.errors import InvalidInput, UnknownCurrency
from payments.domain.money import Money
from payments.domain.notice import Notice, RawCallback
from payments.domain.order import Order
from payments.domain.states import Kind
from payments.services import apply, refunds
from payments.services.wallets import statements
from payments.store import ledger
from payments.store.db import db, in_transaction, now
from payments.store.statements import Filters, Line, Total
from payments.store.tables import withdrawals
from tests.outside import at_once
from tests.people import People
from tests.services.test_wallets import PRICE, Wallets


class Statements(Wallets):
    """The shop, with what a reader of statements asks of it."""

    def lines(self, limit: int = 50, **filters: Any) -> Sequence[Line]:
        shown, _ = self.people.in_app(
            statements.page, self.user_id, Filters(**filters), None, limit
        )
        return shown

    def totals(self, **filters: Any) -> Sequence[Total]:
        return self.people.in_app(statements.totals, self.user_id, Filters(**filters))

    def refunded(self, order: Order, amount: int) -> str:
        (made,) = self.people.in_app(
            refunds.refund,
            *(self.people.house.rails, self.people.manager, order.id, amount, "one was broken"),
        )
        return made.id

    def paid_again(self, order: Order, amount: int) -> None:
        """More money for an order that is paid."""
        notice = Notice(
            *("generic", "G1", Kind.SUCCEEDED),
            order_id=order.id,
            transaction_id="G1",
            amount=amount,
            currency="VND",
            any_amount=True,
        )
        raw = RawCallback("generic", "callback", b"{}")
        assert self.people.in_app(apply.apply, [notice], raw)[0].word == "applied"

    def withdrawn(self, amount: int, fee: int = 0, *, returned: bool = False) -> str:
        """As it is booked; sending it is another matter."""
        withdrawal_id, money = "W1", Money(amount, "VND")

        def change() -> None:
            db.session.execute(
                insert(withdrawals).values(
                    id=withdrawal_id,
                    user_id=self.user_id,
                    currency="VND",
                    amount=amount,
                    fee=fee,
                    status="held",
                    destination={"account": "1"},
                    created_at=now(),
                )
            )
            cause = f"withdrawal:{withdrawal_id}"
            ledger.append(bookkeeping.withdrawal_held(cause, self.user_id, money, fee), None)
            if returned:
                cause = f"withdrawal-returned:{withdrawal_id}"
                back = bookkeeping.withdrawal_returned(cause, self.user_id, money, fee)
                ledger.append(back, None)

        self.people.in_app(in_transaction, change)
        return withdrawal_id


@pytest.fixture
def shop(app: Flask) -> Statements:
    return Statements(People(app))


def told(line: Line) -> tuple[str, int, int]:
    return line.kind, line.amount, line.balance


def test_every_movement_is_a_line_with_the_balance_after_it(shop: Statements) -> None:
    deposit = shop.topped_up(100_000)
    sale = shop.sale(description="Beans")
    payment = shop.pay(sale)
    refund = shop.refunded(sale, 20_000)
    other = shop.sale()
    shop.comes(shop.start(other))
    shop.paid_again(other, 7_000)
    withdrawal = shop.withdrawn(30_000, fee=500, returned=True)
    found = shop.lines()
    assert [told(line) for line in found] == [
        ("withdrawal_returned", 30_500, 77_000),
        ("withdrawal", -30_500, 46_500),
        ("excess", 7_000, 77_000),
        ("refund", 20_000, 70_000),
        ("payment", -50_000, 50_000),
        ("deposit", 100_000, 100_000),
    ]
    back, gone, excess, came_back, paid, first = found
    assert (first.reference, first.order_id) == (deposit.reference, deposit.order_id)
    assert (paid.reference, paid.order_id) == (payment.reference, sale.id)
    assert (paid.description, paid.fee) == ("Beans", 0)
    assert (came_back.reference, came_back.order_id) == (refund, sale.id)
    assert excess.order_id == other.id
    assert {back.reference, gone.reference} == {withdrawal}
    assert (back.fee, gone.fee, gone.order_id) == (500, 500, None)
    assert found[0].balance == shop.balance()
    assert shop.people.in_app(statements.newest, shop.user_id, 2) == [back, gone]


def test_what_has_no_word_yet_is_a_line_all_the_same(shop: Statements) -> None:
    by_hand = bookkeeping.posting(
        "by hand:1", "VND", ("revenue", 5), (bookkeeping.wallet(shop.user_id), -5)
    )
    shop.people.in_app(in_transaction, lambda: ledger.append(by_hand, None))
    (line,) = shop.lines()
    assert (told(line), line.reference) == (("other", 5, 5), "1")


def test_a_stranger_reads_only_their_own(shop: Statements) -> None:
    shop.topped_up()
    stranger = shop.people.stranger.user
    assert stranger is not None
    assert shop.people.in_app(statements.newest, stranger.id, 10) == []
    assert shop.people.in_app(statements.totals, stranger.id, Filters()) == []


def test_a_reader_misses_nothing_while_money_comes_and_goes(shop: Statements) -> None:
    for _ in range(5):
        shop.topped_up(10_000)
    everything = [line.id for line in shop.lines()]
    seen, before = [], None
    while True:
        shown, before = shop.people.in_app(statements.page, shop.user_id, Filters(), before, 2)
        seen += [line.id for line in shown]
        if before is None:
            break
        shop.topped_up(1_000)
    assert seen == everything


def test_a_page_that_holds_exactly_the_rest_is_the_last(shop: Statements) -> None:
    for _ in range(2):
        shop.topped_up()
    _, more = shop.people.in_app(statements.page, shop.user_id, Filters(), None, 2)
    assert more is None


def test_the_whole_of_it_is_read_in_parts(
    shop: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        shop.topped_up(10_000)
    monkeypatch.setattr(statements, "READ_AT_ONCE", 2)

    def all_of_it() -> list[Line]:
        return list(statements.whole(shop.user_id, Filters()))

    assert shop.people.in_app(all_of_it) == shop.lines()


def test_of_many_at_once_each_line_goes_on_from_the_one_before(shop: Statements) -> None:
    shop.topped_up(100_000)
    sales = [shop.sale(1_000) for _ in range(8)]
    at_once(8, lambda number: shop.pay(sales[number]))
    balance = 0
    for line in reversed(shop.lines()):
        balance += line.amount
        assert line.balance == balance
    assert balance == 92_000


NIGHT = datetime(2026, 3, 1, 16, 59, 59, tzinfo=UTC)
"""One second before the second of March, in Ho Chi Minh City."""


def on(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr(ledger, "now", lambda: at)


@pytest.fixture
def environment() -> dict[str, str]:
    return {"SHOP_TIMEZONE": "Asia/Ho_Chi_Minh"}


@pytest.fixture
def march(shop: Statements, monkeypatch: pytest.MonkeyPatch) -> Statements:
    """100,000 came on the first, 50,000 went on the second, 20,000 came back on the third."""
    on(monkeypatch, NIGHT)
    shop.topped_up(100_000)
    on(monkeypatch, NIGHT + timedelta(seconds=1))
    sale = shop.sale()
    shop.pay(sale)
    on(monkeypatch, NIGHT + timedelta(days=1, seconds=1))
    shop.refunded(sale, 20_000)
    return shop


def days(shop: Statements, since: str | None, until: str | None, **more: Any) -> Filters:
    words = {"currency": None, "kind": None, **more}
    asked, _ = statements.asked(shop.people.house.settings, since=since, until=until, **words)
    return asked


@pytest.mark.parametrize(
    ("since", "until", "kinds"),
    [
        (None, None, ["refund", "payment", "deposit"]),
        ("2026-03-02", None, ["refund", "payment"]),
        (None, "2026-03-01", ["deposit"]),
        ("2026-03-02", "2026-03-02", ["payment"]),
        ("2026-03-04", None, []),
    ],
)
def test_a_day_is_the_shops_own_from_midnight_to_midnight(
    march: Statements, since: str | None, until: str | None, kinds: list[str]
) -> None:
    found, _ = march.people.in_app(
        statements.page, march.user_id, days(march, since, until), None, 10
    )
    assert [line.kind for line in found] == kinds


def test_the_balance_before_and_what_came_and_went_is_the_balance_after(
    march: Statements,
) -> None:
    def total(since: str | None, until: str | None, **more: Any) -> Sequence[Total]:
        return march.people.in_app(
            statements.totals, march.user_id, days(march, since, until, **more)
        )

    assert total(None, None) == [Total("VND", 0, 70_000, 120_000, PRICE)]
    assert total("2026-03-02", None) == [Total("VND", 100_000, 70_000, 20_000, PRICE)]
    assert total("2026-03-02", "2026-03-02") == [Total("VND", 100_000, 50_000, 0, PRICE)]
    assert total("2026-03-04", None) == [Total("VND", 70_000, 70_000, 0, 0)]
    assert total(None, "2026-02-28") == []
    assert total(None, None, kind="deposit") == [Total("VND", 0, 70_000, 100_000, 0)]
    assert total(None, None, currency="INR") == []


def test_each_currency_has_lines_and_balances_of_its_own(shop: Statements) -> None:
    shop.topped_up(100_000)
    rupees = bookkeeping.posting(
        "receipt:R1", "INR", ("clearing:upi", 700), (bookkeeping.wallet(shop.user_id), -700)
    )
    shop.people.in_app(in_transaction, lambda: ledger.append(rupees, None))
    assert [(one.currency, one.balance) for one in shop.lines()] == [
        ("INR", 700),
        ("VND", 100_000),
    ]
    assert [one.currency for one in shop.lines(currency="VND")] == ["VND"]
    assert [(one.currency, one.closing) for one in shop.totals()] == [
        ("INR", 700),
        ("VND", 100_000),
    ]


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"since": "21.11.2026"}, "from"),
        ({"since": "2026-02-30"}, "from"),
        ({"since": "0001-01-01"}, "from"),
        ({"until": "9999-12-31"}, "to"),
        ({"until": "2026-1-1"}, "to"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "to"),
        ({"kind": "gift"}, "kind"),
        ({"kind": "'"}, "kind"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "vnd"}, "currency"),
    ],
)
def test_what_is_no_filter_is_refused_by_name(
    people: People, words: dict[str, str], field: str
) -> None:
    nothing = dict.fromkeys(("currency", "kind", "since", "until"))
    with pytest.raises((InvalidInput, UnknownCurrency)) as refused:
        statements.asked(people.house.settings, **{**nothing, **words})
    assert refused.value.field == field
