"""Everything that can happen to a shop's money, as deeds that a story can be made of."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, TypeVar

from payments.domain.errors import PaychimeError, ProviderRefused, ProviderUnavailable
from payments.domain.money import Money
from payments.domain.notice import Action, Notice, RawCallback
from payments.domain.order import Order, Payment
from payments.domain.ports import Payer, Refunded, Started
from payments.domain.states import Kind
from payments.services import apply, callbacks, checkout, confirm, expire, refunds, unmatched
from payments.services.access import Identity
from payments.services.wallets import deposits, withdrawals
from payments.store import bank_lines, confirmations, inbox, orders, payments
from payments.store import refunds as promises
from payments.store import withdrawals as payouts
from payments.store.db import now
from payments.store.refunds import Refund
from tests.feeds import SETTINGS, Told, Transfer, casso, pay2s, sepay
from tests.people import People
from tests.signing import JSON, momo_ipn, shop_webhook

T = TypeVar("T")

PRICE = 50_000
LIMIT = 60_000
GATEWAY = ("PAY2S_PARTNER_CODE", "PAY2S_ACCESS_KEY", "PAY2S_SECRET_KEY")
ENVIRONMENT = {
    # Without the gateway, which would be called for a page of its own.
    **{name: value for name, value in SETTINGS.items() if name not in GATEWAY},
    "CONFIRM_LIMIT": f"VND:{LIMIT}",
    "FEES": "withdrawal:*:VND=1%+500",
}


class Rail:
    """Stands for MoMo where it is called: it answers what the story wants next."""

    def __init__(self) -> None:
        self.starts: list[Started | PaychimeError] = []
        self.refunds: list[Refunded | PaychimeError] = []

    def start(self, *_: Any) -> Started:
        usual = Started(Action("qr", qr="000201"), handle={"at": "momo"})
        return _said(self.starts.pop(0) if self.starts else usual)

    def refund(self, *_: Any) -> Refunded:
        return _said(self.refunds.pop(0) if self.refunds else Refunded("RF-1"))


def _said(answer: T | PaychimeError) -> T:
    if isinstance(answer, PaychimeError):
        raise answer
    return answer


class Life:
    """One shop, whose deeds may be refused: a refusal is a right answer too."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.client = people.app.test_client()
        self.rail = Rail()
        momo = people.house.rails.rail("momo")
        momo.start = self.rail.start  # type: ignore[method-assign,assignment]
        momo.refund = self.rail.refund  # type: ignore[method-assign,assignment]
        self.clerk, self.manager = people.clerk, people.manager
        self.customers = [people.person(name) for name in ("mai", "jo")]
        self.orders: list[Order] = []
        self.serial = 0

    def next(self) -> int:
        self.serial += 1
        return self.serial

    def try_to(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with suppress(PaychimeError):
            return self.people.in_app(call, *args, **kwargs)

    def order(self, amount: int = PRICE, customer: Identity | None = None) -> Order:
        owner = customer.user.id if customer and customer.user else None
        made = self.people.order(amount, expires_in=timedelta(hours=1), customer_id=owner)
        self.orders.append(made)
        return made

    def begin(self, order: Order, rail: str) -> Payment | None:
        self.try_to(
            *(checkout.start_payment, self.people.house.rails, self.people.shop, order.id, rail),
            *(Payer(), "http://localhost/back", "en"),
        )
        return self.people.in_app(payments.last_of, order.id)

    def deposit(self, who: Identity, amount: int) -> Payment | None:
        """Begun by MoMo; the money comes by `momo_says`."""
        begun = self.try_to(
            *(deposits.deposit, self.people.house.settings, self.people.house.rails, who),
            *(Money(amount, "VND"), "momo", Payer()),
            description="Top-up",
            page=lambda order_id: f"http://localhost/checkout/{order_id}/return",
            locale="en",
        )
        assert begun is None or isinstance(begun, Payment)
        return begun

    def top_up(self, who: Identity, amount: int, transaction: int) -> None:
        begun = self.deposit(who, amount)
        assert begun is not None
        self.momo_says(begun.reference, amount, transaction)

    def pay_from_wallet(self, who: Identity, order: Order, amount: int | None = None) -> Any:
        return self.try_to(
            *(checkout.start_payment, self.people.house.rails, who, order.id, "wallet"),
            *(Payer(), "http://localhost/back", "en"),
            amount=amount,
        )

    def withdraw(self, who: Identity, amount: int) -> Any:
        return self.try_to(
            *(withdrawals.withdraw, self.people.house.settings, self.people.house.rails, who),
            *(Money(amount, "VND"), "0901234567"),
            offload=lambda work, *about: work(*about),
        )

    def send_the_oldest_withdrawal(self) -> None:
        for one in self.people.in_app(payouts.by_hand, 1):
            evidence = f"FT out {self.next()}"
            self.try_to(withdrawals.settle_by_hand, self.manager, one.id, evidence)

    def return_the_oldest_withdrawal(self) -> None:
        for one in self.people.in_app(payouts.by_hand, 1):
            self.try_to(withdrawals.fail_by_hand, self.manager, one.id, "No such account")

    def momo_says(self, reference: str, amount: int, transaction: int, code: int = 0) -> bytes:
        body = momo_ipn(reference, amount, trans_id=transaction, code=code)
        assert self.client.post("/callbacks/momo", data=body, headers=JSON).status_code == 204
        return body

    def shop_says(self, order_id: str, amount: int, transaction: str, **more: Any) -> None:
        event = more.pop("event", None) or f"e{self.next()}"
        body, headers = shop_webhook(order_id, amount, transaction=transaction, event=event, **more)
        answer = self.client.post("/webhook/payment", data=body, headers=headers)
        assert answer.status_code == 200

    def feed_says(self, told: Told) -> None:
        assert told.to(self.people.app) == 200

    def staff_see(self, order: Order, amount: int, evidence: str, who: Any = None) -> Any:
        return self.try_to(
            *(confirm.confirm, self.people.house.settings, who or self.clerk, order.id),
            *(amount, "I saw it", evidence),
        )

    def approve(self) -> None:
        for held in self.people.in_app(confirmations.held):
            self.try_to(confirm.approve, self.manager, held.id)

    def refund(
        self, order: Order, amount: int | None = None, *, to_wallet: bool = False
    ) -> list[Refund]:
        self.try_to(
            *(refunds.refund, self.people.house.rails, self.manager, order.id, amount),
            "It was broken",
            to_wallet=to_wallet,
        )
        return list(self.people.in_app(promises.of_order, order.id))

    def provider_says_of_refund(self, name: str, kind: Kind, amount: int) -> None:
        said = Notice(
            *("momo", f"refund{self.next()}", kind), refund=name, transaction_id=name, amount=amount
        )
        self.people.in_app(apply.apply, [said], RawCallback("momo", "callback", b"refund"))

    def pay_refunds_by_hand(self) -> None:
        for one in self.people.in_app(promises.by_hand):
            self.try_to(refunds.settle_by_hand, self.manager, one.id, f"cash {self.next()}")

    def cancel(self, order: Order) -> None:
        self.try_to(checkout.cancel, self.manager, order.id, "They left")

    def time_runs_out(self) -> None:
        self.people.in_app(expire.expire_once, now() + timedelta(hours=2))

    def staff_deal_with_the_oldest(self) -> None:
        for entry in self.people.in_app(inbox.unresolved)[:1]:
            self.try_to(callbacks.resolve, self.clerk, entry.id, "Looked at it")

    def assign(self, order: Order) -> None:
        for line in self.people.in_app(bank_lines.waiting)[:1]:
            self.try_to(unmatched.assign, self.clerk, line.id, order.id, "She named it")

    def give_back(self) -> None:
        for line in self.people.in_app(bank_lines.waiting)[:1]:
            self.try_to(unmatched.give_back, self.manager, line.id, "Not ours", "FT back")

    def a_bit_of_everything(self) -> None:
        """Each way that money can take, once at least."""
        # An order paid by MoMo, told twice, in other words too, and late failed.
        paid = self.order()
        attempt = self.begin(paid, "momo")
        assert attempt is not None
        self.momo_says(attempt.reference, 1, 1)
        body = self.momo_says(attempt.reference, PRICE, 2)
        self.client.post("/callbacks/momo", data=body, headers=JSON)
        self.momo_says(attempt.reference, PRICE, 9, code=1006)
        # Given back in three ways: at once, taken and told later, and in vain.
        self.rail.refunds = [
            Refunded("RF-7"),
            Refunded("RF-8", final=False),
            Refunded("RF-9", final=False),
            ProviderRefused("No.", code="refund_rejected"),
            ProviderUnavailable("Away."),
        ]
        for amount in (1_000, 2_000, 3_000, 4_000, 5_000):
            self.refund(paid, amount)
        self.provider_says_of_refund("RF-8", Kind.SUCCEEDED, 2_000)
        self.provider_says_of_refund("RF-9", Kind.FAILED, 3_000)
        self.provider_says_of_refund("RF-0", Kind.SUCCEEDED, 1)
        # Not taken by the provider, then paid in two parts and too much by the shop's own backend.
        partly = self.order()
        self.rail.starts = [ProviderRefused("No.", code="refused")]
        self.begin(partly, "momo")
        self.shop_says(partly.id, 20_000, "T-1", event="msg-1")
        self.shop_says(partly.id, 20_001, "T-1b", event="msg-1")
        self.shop_says(partly.id, 40_000, "T-2")
        self.shop_says(partly.id, 7_000, "T-3")
        self.shop_says("nobodys", 7_000, "T-4")
        self.refund(partly, 30_000)
        self.pay_refunds_by_hand()
        self.refund(partly)
        # By hand, alone and by two; the bank bears one of them out.
        seen = self.order()
        self.begin(seen, "bank")
        self.staff_see(seen, 20_000, "FT26305112277")
        self.staff_see(seen, 45_000, "receipt 45")
        self.approve()
        self.staff_see(self.order(90_000), 90_000, "receipt 90")
        self.feed_says(pay2s(Transfer("CT den nobody", 20_000, self.next(), "FT26305112277")))
        # By bank: named, named twice by two feeds, again with the same memo, and without a home.
        banked = self.order()
        line = self.begin(banked, "bank")
        assert line is not None
        told = Transfer(f"ck {line.reference}", PRICE, self.next(), "FT26305119999")
        self.feed_says(pay2s(told))
        self.feed_says(sepay(told))
        self.feed_says(pay2s(Transfer(f"ck {line.reference}", 3_000, self.next(), "FT1111111111")))
        for amount, number in ((PRICE, "FT3000000001"), (1_234, "FT3000000002"), (99, "FT3000003")):
            self.feed_says(casso(Transfer("no memo", amount, self.next(), number)))
        self.assign(self.order())
        self.give_back()
        # One feed told too little to find the order; another tells enough.
        found = self.order()
        later = self.begin(found, "bank")
        assert later is not None
        self.feed_says(pay2s(Transfer("cut memo", PRICE, self.next(), "FT26305118888")))
        self.feed_says(sepay(Transfer(later.reference, PRICE, self.next(), "FT26305118888")))
        # Cancelled, run out of time, and paid all the same.
        left, late = self.order(), self.order()
        cancelled, expired = self.begin(left, "momo"), self.begin(late, "momo")
        assert cancelled is not None
        assert expired is not None
        self.cancel(left)
        self.time_runs_out()
        self.momo_says(cancelled.reference, PRICE, 31)
        self.momo_says(expired.reference, PRICE, 32)
        self.refund(left)
        self.staff_deal_with_the_oldest()
        self.order(1_000)
        self.wallets_too()

    def wallets_too(self) -> None:
        """Each way that a customer's own money can take."""
        mai, jo = self.customers
        self.top_up(mai, 200_000, 101)
        self.top_up(jo, 30_000, 102)
        # One deposit fails, one runs out of its time, one comes late.
        failed, late = self.deposit(mai, 10_000), self.deposit(jo, 12_000)
        self.deposit(jo, 15_000)
        assert failed is not None
        assert late is not None
        self.momo_says(failed.reference, 10_000, 103, code=1006)
        self.time_runs_out()
        self.momo_says(late.reference, 12_000, 104)
        # Whole, as a part with the rest by MoMo, too much, and with more than there is.
        whole, part, over = (self.order(customer=mai) for _ in range(3))
        self.pay_from_wallet(mai, whole)
        self.pay_from_wallet(mai, whole)
        self.pay_from_wallet(mai, part, 20_000)
        rest = self.begin(part, "momo")
        assert rest is not None
        self.momo_says(rest.reference, 30_000, 105)
        self.shop_says(over.id, 57_000, "T-over")
        self.pay_from_wallet(jo, self.order(customer=jo))
        # Given back: to where it came from, and into the wallet whatever it came by.
        self.refund(whole, 15_000)
        self.refund(part, 40_000, to_wallet=True)
        self.refund(over, to_wallet=True)
        # Out of the wallet: sent, returned, waiting, and more than there is.
        self.withdraw(mai, 40_000)
        self.send_the_oldest_withdrawal()
        self.withdraw(jo, 20_000)
        self.return_the_oldest_withdrawal()
        self.withdraw(jo, 10_000)
        self.withdraw(jo, 10_000_000)

    def anything(self, chance: random.Random) -> None:
        """One deed by chance."""
        customer = chance.choice(self.customers)
        if len(self.orders) < 2 or chance.random() < 0.1:
            self.order(customer=chance.choice([customer, None]))
        order = chance.choice(self.orders)
        amount = chance.choice([1, 20_000, PRICE, PRICE, PRICE + 1, 80_000])
        attempts = self.people.in_app(payments.of_order, order.id)
        reference = chance.choice(attempts).reference if attempts else "PNONE"
        serial, number = chance.randrange(1, 6), f"FT2630511{chance.randrange(4):04}"
        feeds: list[Callable[[Transfer], Told]] = [pay2s, sepay, casso]
        feed = chance.choice(feeds)
        taken: list[Refunded | PaychimeError] = [
            Refunded(f"RF{serial}", final=False),
            ProviderRefused("No.", code="refund_rejected"),
        ]
        text = chance.choice([reference, "no memo"])
        deeds: list[Callable[[], Any]] = [
            lambda: self.begin(order, chance.choice(["momo", "bank"])),
            lambda: self.momo_says(reference, amount, serial, chance.choice([0, 0, 1006])),
            lambda: self.shop_says(order.id, amount, f"T{serial}", event=f"m{serial}"),
            lambda: self.feed_says(feed(Transfer(text, amount, chance.randrange(9), number))),
            lambda: self.staff_see(order, amount, chance.choice([number, f"slip {serial}"])),
            self.approve,
            lambda: self.refund(
                order, chance.choice([None, 1, 20_000]), to_wallet=chance.random() < 0.3
            ),
            lambda: self.rail.refunds.append(chance.choice(taken)),
            lambda: self.provider_says_of_refund(
                f"RF{chance.randrange(9)}", chance.choice([Kind.SUCCEEDED, Kind.FAILED]), 1
            ),
            self.pay_refunds_by_hand,
            lambda: self.cancel(order) if chance.random() < 0.3 else None,
            lambda: self.time_runs_out() if chance.random() < 0.3 else None,
            lambda: self.assign(order),
            lambda: self.give_back() if chance.random() < 0.3 else None,
            self.staff_deal_with_the_oldest,
            lambda: self.orders.extend(self._deposit_of(customer, amount)),
            lambda: self.pay_from_wallet(customer, order, chance.choice([None, 1, 20_000])),
            lambda: self.withdraw(customer, amount),
            self.send_the_oldest_withdrawal,
            self.return_the_oldest_withdrawal,
        ]
        chance.choice(deeds)()

    def _deposit_of(self, who: Identity, amount: int) -> list[Order]:
        """Its order, so that whatever happens to orders happens to it."""
        begun = self.deposit(who, amount)
        found = self.people.in_app(orders.find, begun.order_id) if begun else None
        return [found] if found else []


def orders_now(people: People) -> list[Order]:
    return list(people.in_app(orders.page, limit=200))
