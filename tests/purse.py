"""A customer with money in their wallet, who wants it out: by the pretended CamPay or by staff."""

from __future__ import annotations

from typing import Any

from payments.domain.money import Money
from payments.domain.ports import Payer
from payments.domain.withdrawals import Withdrawal
from payments.providers import campay as adapter
from payments.services.access import Identity
from payments.services.wallets import deposits, payouts, withdrawals
from payments.store import ledger, outbox, wallets
from payments.store import withdrawals as kept
from payments.store.db import now
from tests.outside import seen
from tests.people import People
from tests.sandbox.campay import TOKEN, WEBHOOK_KEY, CampayWorld

PHONE = "6 77 12 34 56"
NOBODY_THERE = "677123000"
BANK = {"bank_bin": "970436", "account": "0011002233445", "name": "NGUYEN THI MAI"}
MOST = {"XAF": "campay", "VND": "bank"}


def campay_settings(world: CampayWorld) -> dict[str, str]:
    return {
        "CAMPAY_API_URL": world.api,
        "CAMPAY_PERMANENT_ACCESS_TOKEN": TOKEN,
        "CAMPAY_WEBHOOK_KEY": WEBHOOK_KEY,
        "BANK_BIN": "970436",
        "BANK_ACCOUNT": "0011002233445",
        "BANK_ACCOUNT_NAME": "PAYCHIME",
    }


class Purse:
    """Mai's, unless somebody else is named."""

    def __init__(self, people: People) -> None:
        self.people = people
        self.mai = people.owner
        self.serial = 0

    def user_id(self, who: Identity | None = None) -> str:
        user = (who or self.mai).user
        assert user is not None
        return user.id

    def filled(self, amount: int, currency: str = "XAF", who: Identity | None = None) -> None:
        """Topped up: staff have counted the money."""
        self.serial += 1
        payment = self.people.in_app(
            deposits.deposit,
            *(self.people.house.settings, self.people.house.rails, who or self.mai),
            *(Money(amount, currency), MOST[currency], Payer(phone=PHONE)),
            description="Top-up",
            page=lambda order_id: f"http://localhost/checkout/{order_id}/return",
            locale="en",
        )
        seen(self.people, payment.order_id, amount, f"filled {self.serial}")

    def withdraw(
        self,
        amount: int,
        to: object = PHONE,
        currency: str = "XAF",
        password: str | None = None,
        who: Identity | None = None,
    ) -> Withdrawal:
        return self.people.in_app(
            withdrawals.withdraw,
            *(self.people.house.settings, self.people.house.rails, who or self.mai),
            *(Money(amount, currency), to, password),
            offload=self.people.house.offload,
        )

    def asks(self, later: Any = None) -> int:
        """The questions that go on by themselves; `later`: how long from now."""
        at = now() + later if later is not None else None
        return self.people.in_app(payouts.ask_payouts, self.people.house.rails, at)

    def now(self, one: Withdrawal) -> Withdrawal:
        found = self.people.in_app(kept.find, one.id)
        assert found is not None
        return found

    def balance(self, currency: str = "XAF") -> int:
        return self.people.in_app(wallets.balance, self.user_id(), currency)

    def books(self, currency: str = "XAF") -> dict[str, int]:
        """Accounts that are not empty, debits positive."""
        found = self.people.in_app(ledger.balances)
        return {one: amount for (one, of), amount in found.items() if amount and of == currency}

    def told(self) -> list[tuple[str, str, int]]:
        """(event, status, the balance that was told) of each fact about a withdrawal."""
        facts = self.people.in_app(outbox.of_topic, f"wallet:{self.user_id()}", 0)
        return [
            (fact.event, fact.about["status"], fact.about["new_balance"])
            for fact in facts
            if fact.about.get("transaction_type") == "withdrawal"
        ]

    def stands(self) -> None:
        assert self.people.in_app(lambda: list(ledger.faults())) == []


def loses_answers(world: CampayWorld, monkeypatch: Any) -> None:
    """CamPay takes what it is asked for, and nobody hears that it did."""
    monkeypatch.setattr(adapter, "PROMPT_SECONDS", 0.2)
    world.app.config.update(ANSWER_SECONDS=0.6, CAMPAY_DEDUPES=0)
