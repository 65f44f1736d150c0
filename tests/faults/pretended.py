"""Providers inside the simulation: what they were really paid, what they say of it, and when.

Nothing here uses the network or the clock: chance alone decides, and it can be had again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from payments.domain.errors import ProviderRefused, ProviderUnavailable
from payments.domain.money import Money
from payments.domain.notice import Action, Notice
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Answer, Fetched, Payer, Provider, Refunded, Started
from payments.domain.states import Kind
from payments.providers.momo import Momo
from payments.providers.registry import Rails
from payments.settings import Settings
from tests import feeds
from tests.signing import JSON, momo_ipn

Written = tuple[str, bytes, dict[str, str]]
"""Provider, body, headers."""

MOMO_SAYS = {"open": 1000, "paid": 0, "failed": 1006}
KINDS = {"open": Kind.PROCESSING, "paid": Kind.SUCCEEDED, "failed": Kind.FAILED}


@dataclass
class Letter:
    """A callback on its way. It is signed when it is sent; `lies` has to be refused."""

    write: Callable[[], Written]
    lies: bool = False


@dataclass
class Deal:
    """What a provider knows of one attempt. `heard`: we have its answer, or will ask about it."""

    rail: str
    reference: str
    order_id: str
    amount: int
    transaction: str
    heard: bool = True
    fate: str = "open"
    given_back: dict[str, int] = field(default_factory=dict)


@dataclass
class Transfer:
    """Money in the bank account; `aliases`: what each feed calls it."""

    line: feeds.Transfer
    aliases: set[str]


@dataclass
class Outside:
    """All providers together, and the letters that they have sent."""

    chance: random.Random
    away: bool = False
    deals: dict[str, Deal] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    told_by_shop: dict[str, tuple[str, set[int]]] = field(default_factory=dict)
    """The shop's own transactions that have come: the order, and every amount that was said."""
    refunds: dict[str, bool] = field(default_factory=dict)
    """Refunds that have ended, and whether they were really paid."""
    mail: list[Letter] = field(default_factory=list)
    numbers: int = 1_000
    at_once: Callable[[Letter], object] = lambda _letter: None
    dies_here: Callable[[str], None] = lambda _point: None

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def happens(self, probability: float) -> bool:
        return self.chance.random() < probability

    def reached(self) -> None:
        if self.away or self.happens(0.05):
            raise ProviderUnavailable("It is away.")

    def lost(self) -> None:
        """What was asked is done, and the answer never arrives; or we are gone by then."""
        self.dies_here("call")
        if self.happens(0.08):
            raise ProviderUnavailable("The answer was lost.")

    def take(self, rail: str, payment: Payment) -> Deal:
        """Asked to take an attempt."""
        self.reached()
        if self.happens(0.05):
            raise ProviderRefused("No.", code="rejected_by_issuer")
        order_id, amount = payment.order_id, payment.amount
        deal = Deal(rail, payment.reference, order_id, amount, str(self.number()), heard=False)
        self.deals[payment.reference] = deal
        if self.happens(0.1):
            self.decide(deal)
            if self.mail and self.happens(0.7):
                self.at_once(self.mail.pop())
        self.lost()
        deal.heard = True
        return deal

    def decide(self, deal: Deal) -> None:
        """The payer pays, or does not. One callback may never come, if we are to ask anyhow."""
        if deal.fate != "open":
            return
        if self.happens(0.1):
            # A failure that turns out to be none: then the true word does come.
            self.mail.append(Letter(lambda: said(deal, "failed")))
            deal.heard = False
        deal.fate = "paid" if self.happens(0.75) else "failed"
        if deal.heard and self.happens(0.2):
            return
        fate = deal.fate
        self.mail.append(Letter(lambda: said(deal, fate)))

    def give_back(self, deal: Deal, refund_id: str, money: Money) -> None:
        """The same refund twice is one; more than came never goes back."""
        self.reached()
        if refund_id in deal.given_back:
            return
        going = [n for one, n in deal.given_back.items() if self.refunds.get(one, True)]
        came = deal.amount if deal.fate == "paid" else 0
        if sum(going) + money.amount > came or self.happens(0.15):
            raise ProviderRefused("No.", code="refund_rejected")
        deal.given_back[refund_id] = money.amount


def said(deal: Deal, fate: str, **changes: int) -> Written:
    """What the provider calls with, whether or not it is true."""
    if deal.rail == "campay":
        body = {"ref": deal.reference, "tx": deal.transaction, "says": fate}
        return "campay", json.dumps(body).encode(), dict(JSON)
    transaction = 0 if fate == "open" else int(deal.transaction)
    amount = changes.pop("amount", deal.amount)
    told = momo_ipn(deal.reference, amount, code=MOMO_SAYS[fate], trans_id=transaction)
    return "momo", told, dict(JSON)


class PretendedMomo(Momo):
    """The real adapter, which verifies and reads; whom it asks is pretended."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        super().__init__(settings)
        self._outside = outside

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        self._outside.take("momo", payment)
        return Started(Action("qr", qr="000201"))

    def fetch(self, payment: Payment) -> Fetched:
        self._outside.reached()
        deal = self._outside.deals.get(payment.reference)
        if deal is None:
            return Fetched(b"{}", ())
        answer = {
            "orderId": deal.reference,
            "amount": deal.amount,
            "transId": 0 if deal.fate == "open" else int(deal.transaction),
            "resultCode": MOMO_SAYS[deal.fate],
        }
        return Fetched(json.dumps(answer).encode(), (self._notice(answer, None),))

    def refund(self, payment: Payment, refund_id: str, money: Money, reason: str) -> Refunded:
        self._outside.give_back(self._outside.deals[payment.reference], refund_id, money)
        self._outside.refunds[refund_id] = True
        self._outside.lost()
        final = self._outside.happens(0.8)
        return Refunded(f"B{refund_id}" if final else None, final=final)


class Doorbell:
    """A provider whose callbacks prove nothing (`domain.ports.Provider`): it has to be asked."""

    answer = Answer()

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def check(self, order: Order, payer: Payer) -> Payer:
        return payer

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Anybody may ring."""

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        rung = json.loads(body)
        event = f"{rung['tx']}:{rung['says']}"
        return [
            Notice(
                "campay",
                event,
                Kind.PROCESSING,
                reference=rung["ref"],
                transaction_id=rung["tx"],
                proven=False,
            )
        ]

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        deal = self._outside.take("campay", payment)
        return Started(Action("ussd", ussd_code="#150#"), transaction_id=deal.transaction)

    def fetch(self, payment: Payment) -> Fetched:
        self._outside.reached()
        deal = self._outside.deals.get(payment.reference)
        if deal is None:
            return Fetched(b"{}", ())
        told = Notice(
            "campay",
            f"{deal.transaction}:{deal.fate}",
            KINDS[deal.fate],
            reference=deal.reference,
            transaction_id=deal.transaction,
            amount=deal.amount,
            currency="XAF",
            reason_code="declined_by_payer" if deal.fate == "failed" else None,
        )
        return Fetched(deal.fate.encode(), (told,))

    def refund(self, payment: Payment, refund_id: str, money: Money, reason: str) -> Refunded:
        self._outside.give_back(self._outside.deals[payment.reference], refund_id, money)
        self._outside.lost()
        return Refunded(f"W{refund_id}", final=False)

    def fetch_refund(self, payment: Payment, refund_id: str, provider_refund_id: str) -> Fetched:
        self._outside.reached()
        deal = self._outside.deals[payment.reference]
        amount = deal.given_back[refund_id]
        # Asked once more it says the same.
        paid = self._outside.refunds.setdefault(refund_id, self._outside.happens(0.8))
        told = Notice(
            "campay",
            f"W{refund_id}:{paid}",
            Kind.SUCCEEDED if paid else Kind.FAILED,
            transaction_id=f"W{refund_id}",
            amount=amount,
            currency="XAF",
            refund=refund_id,
        )
        return Fetched(str(paid).encode(), (told,))


class PretendedRails(Rails):
    """The shop's rails; of those that ask somebody, somebody pretended is asked."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        super().__init__(settings)
        # What their rows do not say they are able to do, they have not.
        self._pretended: dict[str, Any] = {
            "momo": PretendedMomo(settings, outside),
            "campay": Doorbell(outside),
        }

    def rail(self, key: str) -> Provider:
        return self._pretended.get(key) or super().rail(key)
