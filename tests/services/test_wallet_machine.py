"""Wallets under everything at once: whatever happens, in whatever order, the sums are right.

Deposits, payments, overpayments, refunds and withdrawals of two people in two currencies, on
PostgreSQL, with repeated callbacks, programs that die in the middle of a transaction, and commits
whose answers are lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Row, event, func, select

from payments.bootstrap import create_app
from payments.domain.errors import (
    InsufficientFunds,
    PaychimeError,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.facts import wallet_topic
from payments.domain.ledger import FEES, REFUNDS_DUE, WITHDRAWALS_DUE
from payments.domain.money import Money
from payments.domain.notice import Action, Notice, RawCallback
from payments.domain.order import Order, Payment
from payments.domain.ports import Fetched, Payer, Refunded, Started
from payments.domain.states import Kind
from payments.domain.withdrawals import Withdrawal
from payments.services import apply, checkout, expire, refunds
from payments.services.access import Identity
from payments.services.books import sealing
from payments.services.refund_questions import ask_refunds
from payments.services.wallets import deposits, withdrawals
from payments.services.wallets.payouts import ask_payouts
from payments.settings import load
from payments.store import inbox, ledger, outbox, wallets
from payments.store import refunds as promises
from payments.store import withdrawals as payouts
from payments.store.db import Busy, db, now
from payments.store.tables import entries, payments
from payments.store.tables import orders as order_rows
from payments.store.tables import refunds as refund_rows
from payments.store.tables import wallets as wallet_rows
from payments.store.tables import withdrawals as withdrawal_rows
from tests.conftest import ENVIRONMENT
from tests.databases import EmptyDatabases
from tests.outside import at_once
from tests.people import People
from tests.servers import PostgresServer
from tests.store.cut import Line, line_to

SHOP = {
    **ENVIRONMENT,
    "CAMPAY_API_URL": "http://127.0.0.1:9/api",
    "CAMPAY_PERMANENT_ACCESS_TOKEN": "token",
    "CAMPAY_WEBHOOK_KEY": "key of the webhook",
    "FEES": "withdrawal:*:VND=1%+500,withdrawal:campay:XAF=2%",
}
PRICE = 5_000
RAILS = {"VND": "momo", "XAF": "campay"}
PHONES = {"VND": "0901234567", "XAF": "237670000000"}

some = st.integers(min_value=0, max_value=7)
amounts = st.sampled_from([1_000, 4_999, PRICE, PRICE + 1, 20_000])
currencies = st.sampled_from(["VND", "VND", "XAF"])
people_of_the_shop = st.sampled_from([0, 1])


ENDS: dict[str, set[Kind | None]] = {
    "held": {None, *Kind},
    "settled": {Kind.SUCCEEDED},
    "returned": {Kind.FAILED, None},
}
"""What CamPay may have done with a withdrawal in this state; None: it never heard of it."""
Rows = Sequence[Row[Any]]


class Crash(BaseException):
    """The program dies here."""


class Provider:
    """MoMo and CamPay as they are called, and what they have truly done with other people's money.

    `answers` are what they say next: a refusal, or that they are away.
    """

    def __init__(self) -> None:
        self.answers: list[PaychimeError] = []
        self.refunded: set[str] = set()
        self.fates: dict[str, Kind] = {}

    def start(self, *_: Any) -> Started:
        return Started(Action("none"))

    def refund(self, _payment: Payment, name: str, *_: Any) -> Refunded:
        if name not in self.refunded:
            self._answer(lambda: self.refunded.add(name))
        return Refunded(f"RF-{name}")

    def payout(self, one: Withdrawal) -> str:
        def send() -> None:
            assert one.id not in self.fates, "it is sent a second time"
            self.fates[one.id] = Kind.PROCESSING

        self._answer(send)
        return f"PO-{one.id}"

    def fetch_payout(self, one: Withdrawal) -> Fetched:
        return Fetched(b"asked", (self.word_of(one),) if one.id in self.fates else ())

    def word_of(self, one: Withdrawal) -> Notice:
        return Notice(
            *("campay", f"{one.id}-{self.fates[one.id].value}", self.fates[one.id]),
            payout=one.id,
            transaction_id=f"PO-{one.id}",
            amount=one.amount,
            currency=one.currency,
        )

    def _answer(self, do: Callable[[], None]) -> None:
        """Does it, unless it refuses or cannot be reached; its answer may be lost after."""
        said = self.answers.pop() if self.answers else None
        if said is None or said.facts.get("sent"):
            do()
        if said is not None:
            raise said


class Shop:
    """The shop, two customers, and an outside that tells of money."""

    def __init__(self, app: Flask) -> None:
        self.app, self.people = app, People(app)
        self.provider = Provider()
        for name in RAILS.values():
            rail = self.people.house.rails.rail(name)
            for call in ("start", "refund", "payout", "fetch_payout"):
                setattr(rail, call, getattr(self.provider, call))
        self.customers = [self.people.person(name) for name in ("mai", "jo")]
        self.manager = self.people.manager
        self.orders: list[Order] = []
        self.attempts: list[Payment] = []
        self.told: list[Notice] = []
        self.came: dict[tuple[str, str | None], tuple[str, int]] = {}
        """What was truly paid: by rail and transaction, (currency, minor units)."""

    def do(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A refusal is a right answer too."""
        with suppress(PaychimeError):
            return self.people.in_app(call, *args, **kwargs)

    def deposit(self, who: Identity, amount: int, currency: str) -> None:
        begun = self.do(
            *(deposits.deposit, self.people.house.settings, self.people.house.rails, who),
            *(Money(amount, currency), RAILS[currency], Payer(phone=PHONES[currency])),
            description="Top-up",
            page=lambda order_id: f"http://localhost/checkout/{order_id}/return",
            locale="en",
        )
        if begun is not None:
            self.attempts.append(begun)

    def tell(self, notice: Notice) -> None:
        raw = RawCallback(notice.provider, "callback", notice.event_id.encode())
        self.people.in_app(apply.apply, [notice], raw)

    def count(self, notice: Notice) -> None:
        """What was told has come, unless the program had died: then it is to be told again."""
        heard = self.people.in_app(inbox.find_event, notice.provider, notice.event_id)
        if heard is not None and notice.kind is Kind.SUCCEEDED and notice.payout is None:
            # An order or an attempt of ours, and an amount that fits: nothing of it is parked.
            assert heard.verdict == "applied", heard
            assert notice.currency is not None
            assert notice.amount is not None
            self.came[notice.provider, notice.transaction_id] = (notice.currency, notice.amount)

    def says(self, payment: Payment, kind: Kind) -> Notice:
        return Notice(
            *(payment.provider, f"{payment.reference}-{kind.value}", kind),
            reference=payment.reference,
            transaction_id=f"T-{payment.reference}",
            amount=payment.amount,
            currency=payment.currency,
        )

    def pay(self, who: Identity, order: Order, rail: str, amount: int | None = None) -> Any:
        return self.do(
            *(checkout.start_payment, self.people.house.rails, who, order.id, rail),
            *(Payer(phone=PHONES[order.currency]), "http://localhost/back", "en"),
            amount=amount,
        )

    def withdraw(self, who: Identity, amount: int, currency: str) -> Withdrawal:
        """Raises whatever refuses it."""
        return self.people.in_app(
            *(withdrawals.withdraw, self.people.house.settings, self.people.house.rails, who),
            *(Money(amount, currency), PHONES[currency]),
            offload=lambda work, *about: work(*about),
        )

    def wrong(self) -> list[str]:
        """Sums of everything, as quick as can be; `ledger verify` is the slow and whole check."""
        totals = ledger.balances()
        went = db.session.execute(select(withdrawal_rows)).all()
        back = db.session.execute(select(refund_rows)).all()
        wrong = [
            f"{name} of {currency}: {is_now} instead of {due}"
            for currency in RAILS
            for name, is_now, due in self._sums(currency, totals, went, back)
            if is_now != due
        ]
        mine = select(wallet_rows.c.user_id, wallet_rows.c.currency, wallet_rows.c.balance)
        for user_id, currency, balance in db.session.execute(mine):
            owed = -totals.get((f"wallet:{user_id}", currency), 0)
            if not balance == owed >= 0:
                wrong.append(f"wallet of {user_id}: {balance} {currency}, its entries say {owed}")
        wrong += [f"order {order_id} and its payments differ" for order_id in _differing_orders()]
        return wrong + self._provider_and_shop_differ(went, back)

    def _sums(
        self, currency: str, totals: dict[tuple[str, str], int], went: Rows, back: Rows
    ) -> Iterator[tuple[str, int, int]]:
        """(what, what the ledger says, what it has to say), debits positive."""
        of = {account: n for (account, money), n in totals.items() if money == currency}
        out = [one for one in went if one.currency == currency]
        given = [one for one in back if one.currency == currency]
        settled = [one for one in out if one.status == "settled"]
        came = sum(amount for money, amount in self.came.values() if money == currency)
        left = sum(one.amount for one in settled) + sum(
            one.amount for one in given if one.status == "succeeded" and one.wallet_of is None
        )
        clearing = sum(n for account, n in of.items() if account.startswith("clearing:"))
        held = sum(one.amount + one.fee for one in out if one.status == "held")
        requested = sum(one.amount for one in given if one.status == "requested")
        yield "everything", sum(of.values()), 0
        yield "clearing", clearing, came - left
        yield "what is on its way out", of.get(WITHDRAWALS_DUE, 0), -held
        yield "fees", of.get(FEES, 0), -sum(one.fee for one in settled)
        yield "refunds due", of.get(REFUNDS_DUE, 0), -requested

    def _provider_and_shop_differ(self, went: Rows, back: Rows) -> list[str]:
        """What CamPay and MoMo have truly done is never the opposite of what the shop says."""
        fates = self.provider.fates
        wrong = [
            f"withdrawal {one.id} is {one.status}, it {fates.get(one.id)}"
            for one in went
            if one.provider == "campay" and fates.get(one.id) not in ENDS[one.status]
        ]
        return wrong + [
            f"refund {one.id} failed, and was paid"
            for one in back
            if one.status == "failed" and one.id in self.provider.refunded
        ]


def _differing_orders() -> Sequence[str]:
    sums = (
        select(payments.c.order_id, func.sum(payments.c.amount_received).label("amount"))
        .group_by(payments.c.order_id)
        .subquery()
    )
    return (
        db.session.execute(
            select(order_rows.c.id)
            .outerjoin(sums, sums.c.order_id == order_rows.c.id)
            .where(order_rows.c.amount_paid != func.coalesce(sums.c.amount, 0))
        )
        .scalars()
        .all()
    )


MISHAPS = st.sampled_from([*[None] * 40, *range(0, 24, 2), "kept", "lost"])
"""To a deed: none, the program dies after so many statements, or a commit's answer is lost."""


def deed(**given: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule whose deed may be cut off anywhere."""

    def of(what: Callable[..., None]) -> Any:
        @wraps(what)
        def perhaps_cut_off(self: Wallets, mishap: int | str | None, **arguments: Any) -> None:
            with self.under(mishap):
                what(self, **arguments)

        made: Any = rule(mishap=MISHAPS, **given)
        return made(perhaps_cut_off)

    return of


class Wallets(RuleBasedStateMachine):
    databases: EmptyDatabases
    line: Line
    folder: Path
    verify_each = 25
    steps = 0
    met: Counter[str]
    """What has been met with at the end of each story: for the test to mean anything."""

    @initialize()
    def open_shop(self) -> None:
        self.url = self.databases.take()
        own = {"DATABASE_URL": self.url, "INSTANCE_PATH": str(self.folder)}
        self.app = create_app(load({**SHOP, **own}))
        self.shop = Shop(self.app)
        self.statements_left: int | None = None
        self.just_told: Notice | None = None
        self.through_line = False
        with self.app.app_context():
            event.listen(db.engine, "before_cursor_execute", self._count)
            event.listen(db.engine, "do_connect", self._connect)
        self.done = 0
        for who in self.shop.customers:
            for currency in RAILS:
                self.shop.deposit(who, 30_000, currency)
        # What a rail has paid, it can be asked to give back.
        for currency, rail in RAILS.items():
            sold = self.shop.people.order(PRICE, currency)
            self.shop.orders.append(sold)
            self.shop.attempts.append(self.shop.pay(self.shop.people.shop, sold, rail))
        for begun in self.shop.attempts:
            self.shop.tell(self.shop.says(begun, Kind.SUCCEEDED))
            self.shop.count(self.shop.says(begun, Kind.SUCCEEDED))

    def _connect(self, _dialect: Any, _record: Any, _how: Any, names: dict[str, Any]) -> None:
        """By the line that can be cut, where this deed is to lose an answer: it is slow."""
        if self.through_line:
            names["port"] = self.line.port

    def _count(self, *_: Any) -> None:
        if self.statements_left is not None:
            self.statements_left -= 1
            if self.statements_left < 0:
                self.met["a crash"] += 1
                raise Crash

    @contextmanager
    def under(self, mishap: int | str | None) -> Iterator[None]:
        """The deed inside dies after so many statements, or the answer to its commit is lost."""
        self.statements_left = mishap if isinstance(mishap, int) else None
        self._go_through_line(isinstance(mishap, str))
        self.line.done = mishap == "kept"
        try:
            with suppress(Crash):
                yield
        finally:
            self.statements_left = None
            self._go_through_line(False)
            self.done += 1
            if self.just_told is not None:
                self.shop.count(self.just_told)
                self.just_told = None

    def _go_through_line(self, through: bool) -> None:
        self.line.cuts = int(through)
        if through is not self.through_line:
            self.through_line = through
            with self.app.app_context():
                db.engine.dispose()

    @rule(
        answer=st.sampled_from(
            [
                ProviderRefused("No.", code="refused"),
                ProviderUnavailable("Away."),
                ProviderUnavailable("Its answer was lost.", sent=True),
            ]
        )
    )
    def the_provider_answers_otherwise_next(self, answer: PaychimeError) -> None:
        self.shop.provider.answers = [answer]

    # ---- What people do ----

    @deed(who=people_of_the_shop, amount=amounts, currency=currencies)
    def somebody_tops_up(self, who: int, amount: int, currency: str) -> None:
        self.shop.deposit(self.shop.customers[who], amount, currency)

    @deed(who=st.sampled_from([None, 0, 0, 1]), currency=currencies)
    def somebody_orders(self, who: int | None, currency: str) -> None:
        user = self.shop.customers[who].user if who is not None else None
        hour = timedelta(hours=1)
        mine = user.id if user else None
        order = self.shop.people.order(PRICE, currency, customer_id=mine, expires_in=hour)
        self.shop.orders.append(order)

    @precondition(lambda self: self.shop.orders)
    @deed(who=people_of_the_shop, which=some, part=st.sampled_from([None, 1, 2_000]))
    def somebody_pays_from_their_wallet(self, who: int, which: int, part: int | None) -> None:
        self.shop.pay(self.shop.customers[who], self._order(which), "wallet", part)

    @precondition(lambda self: self.shop.orders)
    @deed(which=some)
    def somebody_begins_to_pay(self, which: int) -> None:
        order = self._order(which)
        begun = self.shop.pay(self.shop.people.shop, order, RAILS[order.currency])
        self.shop.attempts += [begun] if begun else []

    @deed(who=people_of_the_shop, amount=amounts, currency=currencies)
    def somebody_withdraws(self, who: int, amount: int, currency: str) -> None:
        with suppress(PaychimeError):
            self.shop.withdraw(self.shop.customers[who], amount, currency)

    # ---- What the outside tells ----

    @precondition(lambda self: self.shop.attempts)
    @deed(which=some, kind=st.sampled_from([Kind.SUCCEEDED, Kind.SUCCEEDED, Kind.FAILED]))
    def a_provider_tells_of_an_attempt(self, which: int, kind: Kind) -> None:
        attempts = self.shop.attempts
        self._told(self.shop.says(attempts[-1 - which % len(attempts)], kind))

    @precondition(lambda self: self.shop.orders)
    @deed(which=some, amount=amounts)
    def the_shop_is_told_of_money(self, which: int, amount: int) -> None:
        order, number = self._order(which), f"G{self.done}"
        self._told(money_for(order, amount, number))

    @precondition(lambda self: self.shop.told)
    @deed(which=some)
    def something_is_told_again(self, which: int) -> None:
        notice = self.shop.told[-1 - which % len(self.shop.told)]
        self._heard(notice)

    @deed(which=some, kind=st.sampled_from([Kind.SUCCEEDED, Kind.FAILED]), tell=st.booleans())
    def campay_has_sent_a_withdrawal_or_not(self, which: int, kind: Kind, tell: bool) -> None:
        waiting = self.shop.people.in_app(payouts.at_providers, 50)
        sent = [one for one in waiting if one.id in self.shop.provider.fates]
        if not sent:
            return
        one = sent[which % len(sent)]
        if self.shop.provider.fates[one.id] is Kind.PROCESSING:
            self.shop.provider.fates[one.id] = kind
        if tell:
            self._told(self.shop.provider.word_of(one))

    def _told(self, notice: Notice) -> None:
        self.shop.told.append(notice)
        self._heard(notice)

    def _heard(self, notice: Notice) -> None:
        self.just_told = notice
        self.shop.tell(notice)

    # ---- What the shop does ----

    @deed(settle=st.booleans())
    def staff_deal_with_the_oldest_withdrawal(self, settle: bool) -> None:
        for one in self.shop.people.in_app(payouts.by_hand, 1):
            if settle:
                self.shop.do(withdrawals.settle_by_hand, self.shop.manager, one.id, one.id)
            else:
                self.shop.do(withdrawals.fail_by_hand, self.shop.manager, one.id, "No account")

    @precondition(lambda self: self.shop.orders)
    @deed(which=some, amount=st.sampled_from([None, 1, 2_000]), to_wallet=st.booleans())
    def staff_refund(self, which: int, amount: int | None, to_wallet: bool) -> None:
        self.shop.do(
            *(refunds.refund, self.shop.people.house.rails, self.shop.manager),
            *(self._order(which).id, amount, "It was broken"),
            to_wallet=to_wallet,
        )

    @deed()
    def staff_pay_the_oldest_refund(self) -> None:
        for one in self.shop.people.in_app(promises.by_hand)[:1]:
            self.shop.do(refunds.settle_by_hand, self.shop.manager, one.id, "cash")

    @precondition(lambda self: self.shop.orders)
    @deed(which=some)
    def staff_cancel(self, which: int) -> None:
        self.shop.do(checkout.cancel, self.shop.manager, self._order(which).id, "They left")

    @deed()
    def time_runs_out(self) -> None:
        self.shop.do(expire.expire_once, now() + timedelta(days=1))

    @deed()
    def the_periodic_work_is_done(self) -> None:
        self.shop.do(ask_payouts, self.shop.people.house.rails, None)
        self.shop.do(ask_refunds, self.shop.people.house.rails, None)

    @deed()
    def the_books_are_sealed(self) -> None:
        self.shop.do(sealing.seal)

    # ---- What is always so ----

    @invariant()
    def every_sum_is_right(self) -> None:
        if not hasattr(self, "shop"):
            return
        type(self).steps += 1
        assert self.shop.people.in_app(self.shop.wrong) == []
        if self.done % self.verify_each == 0:
            self._verify()

    def _verify(self) -> None:
        assert self.shop.people.in_app(lambda: list(ledger.faults())) == []

    def _order(self, which: int) -> Order:
        return self.shop.orders[-1 - which % len(self.shop.orders)]

    def teardown(self) -> None:
        if not hasattr(self, "shop"):
            return
        try:
            self._verify()
            with self.app.app_context():
                sealing.seal()
                words = select(withdrawal_rows.c.status).union_all(select(refund_rows.c.status))
                self.met.update(db.session.execute(words).scalars())
            self._verify()
        finally:
            with self.app.app_context():
                event.remove(db.engine, "before_cursor_execute", self._count)
                event.remove(db.engine, "do_connect", self._connect)
                db.session.remove()
                db.engine.dispose()
            self.databases.give_back(self.url)


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(240, marks=pytest.mark.timeout(900)),
        pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)]),
    ],
)
def test_whatever_happens_to_wallets_every_sum_is_right(
    postgres: PostgresServer, empty_postgres: EmptyDatabases, tmp_path: Path, steps: int
) -> None:
    Wallets.databases, Wallets.folder, Wallets.steps = empty_postgres, tmp_path, 0
    Wallets.met = Counter()
    with line_to(postgres.port) as Wallets.line:
        while Wallets.steps < steps:
            run_state_machine_as_test(
                Wallets,
                settings=settings(
                    max_examples=6,
                    stateful_step_count=40,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                ),
            )
    met = {*Wallets.met, *(["a cut"] if Wallets.line.cut else [])}
    assert "a crash" in met
    rare = {"a cut", "held", "settled", "returned", "requested", "succeeded", "failed"}
    assert rare <= met or steps < 10_000


class TestAtOnce:
    """Everybody moves one wallet at the same moment."""

    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return SHOP

    @pytest.fixture
    def shop(self, app: Flask) -> Shop:
        return Shop(app)

    def test_callbacks_and_withdrawals_at_once_end_exact(self, shop: Shop) -> None:
        """Half of the deeds tell of 1,000 dong that came, the others take 3,000 and a fee."""
        mai = shop.customers[0]
        assert mai.user is not None
        # SQLite has one writer at a time: fewer wait for it there.
        postgresql = "postgresql" in shop.people.house.settings.database_url
        deeds = 200 if postgresql else 40
        shop.deposit(mai, 30_000, "VND")
        shop.tell(shop.says(shop.attempts[0], Kind.SUCCEEDED))
        for _ in range(deeds // 20):
            shop.deposit(mai, 1_000, "VND")
        paid = shop.people.order(PRICE, "VND", customer_id=mai.user.id)
        shop.tell(money_for(paid, PRICE, "G"))
        sold = [shop.people.order(2_000, "VND", customer_id=mai.user.id) for _ in range(deeds // 4)]

        def tells(number: int) -> int:
            """A deposit that is told in two ways at once, or too much for an order."""
            if number < deeds // 20 * 2:
                shop.tell(shop.says(shop.attempts[1 + number // 2], Kind.SUCCEEDED))
                return 1_000 if number % 2 else 0
            shop.tell(money_for(paid, 1_000, f"G{number}"))
            return 1_000

        def takes(number: int) -> int:
            try:
                if number % 2:
                    made = shop.withdraw(mai, 3_000, "VND")
                    assert made.fee == 530
                    return -made.total
                shop.people.in_app(
                    *(checkout.start_payment, shop.people.house.rails, mai),
                    *(sold[number // 2].id, "wallet", Payer(), "http://localhost/back", "en"),
                )
            except InsufficientFunds:
                return 0
            return -2_000

        def deed(number: int) -> int:
            work = tells if number % 2 else takes
            while True:
                try:
                    return work(number // 2)
                except Busy:
                    # Nothing of it is kept: whoever was told so tries again.
                    continue

        moved = at_once(deeds, deed)
        came, taken = sum(moved[1::2]), [one for one in moved[::2] if one]
        assert came == (deeds // 2 - deeds // 20) * 1_000
        assert len(taken) < deeds // 2, "somebody has to be refused, for the test to mean anything"
        balance = 30_000 + came + sum(taken)
        assert shop.people.in_app(wallets.balance, mai.user.id, "VND") == balance >= 0
        assert shop.people.in_app(lambda: list(ledger.faults())) == []
        # Each movement was told with the balance after it, in the order in which they were.
        assert shop.people.in_app(balances_told, mai.user.id) == shop.people.in_app(
            balances_booked, mai.user.id
        )


def money_for(order: Order, amount: int, transaction: str) -> Notice:
    return Notice(
        *("generic", transaction, Kind.SUCCEEDED),
        order_id=order.id,
        transaction_id=transaction,
        amount=amount,
        currency=order.currency,
        any_amount=True,
    )


def balances_told(user_id: str) -> list[int]:
    """Without what moved nothing: a deposit that waits."""
    facts = outbox.of_topic(wallet_topic(user_id), 0, limit=1_000)
    kept = [
        fact.about["new_balance"]
        for fact in facts
        if (fact.about["transaction_type"], fact.about["status"]) != ("deposit", "pending")
    ]
    assert all(
        fact.snapshot["balances"][0]["amount"] == fact.about["new_balance"]
        for fact in facts
        if fact.snapshot["balances"]
    )
    return kept


def balances_booked(user_id: str) -> list[int]:
    mine = select(entries.c.balance_after).where(entries.c.account == f"wallet:{user_id}")
    return list(db.session.execute(mine.order_by(entries.c.id)).scalars())
