"""`PROVIDERS`: every rail on one screen. A rail is a file, a row here, samples and a simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from payments.domain.errors import InvalidAmount, InvalidInput, NotFound
from payments.domain.money import Money, to_major
from payments.domain.ports import Provider
from payments.providers.circuit import Circuits
from payments.settings import Settings

START, FETCH, CALLBACK, CARDS = "start", "fetch", "callback", "cards"
REFUND, FETCH_REFUND = "refund", "fetch_refund"
PAYOUT = "payout"
"""To send money to customers, and to say how that stands."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """One way to run a rail. `path` is imported on first use.

    `setting` names the field of `RailSettings` without which it is not there. What `abilities`
    does not name is never called.
    """

    path: str
    setting: str
    abilities: frozenset[str]


@dataclass(frozen=True, slots=True)
class Spec:
    """One row. Of its adapters the first whose setting is there runs it.

    `limits`: currency to (least, most) minor units of one payment, as the rail says. `asks` are
    the fields that a payer has to fill in. A row without limits only takes callbacks; their
    attempts are on another row's rail.

    `payouts`: the field of a destination that it sends to, and the limits of one payout.
    """

    label: str
    adapters: tuple[Adapter, ...]
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    asks: tuple[str, ...] = ()
    payouts: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)


def _one(path: str, setting: str, *abilities: str) -> Adapter:
    return Adapter(f"payments.providers.{path}", setting, frozenset(abilities))


PROVIDERS: dict[str, Spec] = {
    "momo": Spec(
        "MoMo",
        (_one("momo:Momo", "momo", START, FETCH, REFUND, CALLBACK),),
        {"VND": (1_000, 50_000_000)},
    ),
    "campay": Spec(
        "CamPay",
        (_one("campay:Campay", "campay", START, FETCH, REFUND, FETCH_REFUND, PAYOUT, CALLBACK),),
        # UNCONFIRMED: CamPay publishes no limits; MTN and Orange have their own by customer.
        {"XAF": (2, 1_000_000)},
        asks=("phone",),
        payouts={"XAF": ("phone", 2, 1_000_000)},
    ),
    "bank": Spec(
        "VietQR",
        (_one("bank:Bank", "bank", START),),
        # NAPAS 247 takes less than 500 million; no least amount is published, and the rest of an
        # order may be small.
        {"VND": (1, 499_999_999)},
    ),
    "pay2s": Spec("Pay2S", (_one("pay2s:Feed", "pay2s_tokens", CALLBACK),)),
    "pay2s-gateway": Spec("Pay2S", (_one("pay2s:Gateway", "pay2s_gateway", CALLBACK),)),
    "sepay": Spec("SePay", (_one("sepay:Sepay", "sepay", CALLBACK),)),
    "casso": Spec("Casso", (_one("casso:Casso", "casso_keys", CALLBACK),)),
    "payos": Spec("payOS", (_one("payos:Payos", "payos", CALLBACK),)),
    # Razorpay confirms by itself, so it comes first; to the shop's own address staff confirm.
    # A payment has 100,000 rupees at most by NPCI's rules; Razorpay takes one rupee at least.
    "upi": Spec(
        "UPI",
        (
            _one("razorpay:Razorpay", "razorpay", START, FETCH, REFUND, FETCH_REFUND),
            _one("upi:UpiAddress", "upi", START),
        ),
        {"INR": (100, 10_000_000)},
    ),
    "upi-address": Spec(
        "UPI ID",
        (_one("upi:UpiAddress", "upi", START),),
        {"INR": (100, 10_000_000)},
    ),
    "razorpay": Spec("Razorpay", (_one("razorpay:Razorpay", "razorpay", CALLBACK),)),
    # Without the business key cards are taken, but none can be kept. PAYable publishes no limits:
    # these are ours, against a wrong price; a shop's own are with its account.
    "payable": Spec(
        "PAYable",
        (
            _one("payable:Payable", "payable_cards", START, FETCH, CALLBACK, CARDS),
            _one("payable:Payable", "payable", START, FETCH, CALLBACK),
        ),
        {
            "LKR": (10_00, 1_000_000_00),
            "USD": (1_00, 10_000_00),
            "EUR": (1_00, 10_000_00),
            "GBP": (1_00, 10_000_00),
        },
    ),
    "generic": Spec("Webhook", (_one("generic:Generic", "generic_secrets", CALLBACK),)),
}


class Rails:
    """The rails whose settings are there, made on first use."""

    def __init__(self, settings: Settings) -> None:
        self.circuits = Circuits()
        self._settings = settings
        self._made: dict[str, Provider] = {}

    def _adapter(self, key: str) -> Adapter | None:
        there = self._settings.rails
        for adapter in PROVIDERS[key].adapters if key in PROVIDERS else ():
            if getattr(there, adapter.setting):
                return adapter
        return None

    def able(self, key: str, ability: str) -> bool:
        adapter = self._adapter(key)
        return adapter is not None and ability in adapter.abilities

    def rail(self, key: str) -> Provider:
        """The adapter of a row. Raises NotFound where its settings are not there."""
        adapter = self._adapter(key)
        if adapter is None:
            raise NotFound
        if adapter.path not in self._made:
            module, name = adapter.path.split(":")
            self._made[adapter.path] = getattr(import_module(module), name)(self._settings)
        return self._made[adapter.path]

    def receiver(self, key: str) -> Provider:
        """The adapter that reads this provider's callbacks. Raises NotFound."""
        if not self.able(key, CALLBACK):
            raise NotFound
        return self.rail(key)

    def offered(self, key: str) -> Provider:
        """The adapter that takes payments. Raises InvalidInput where the shop does not offer it."""
        if not self.offers(key):
            raise InvalidInput(
                "This way to pay is not offered.", code="provider_not_offered", field="provider"
            )
        return self.rail(key)

    def offers(self, key: str) -> bool:
        # The shop's own address is a way of its own only beside a Razorpay that comes first.
        if key == "upi-address" and not self._settings.rails.razorpay:
            return False
        return self.able(key, START)

    def check(self, key: str, money: Money) -> None:
        """Raises InvalidInput before the provider is asked, where it would say no."""
        limits = PROVIDERS[key].limits.get(money.currency)
        if limits is None:
            raise InvalidInput(
                f"{PROVIDERS[key].label} does not take {money.currency}.",
                code="currency_not_taken",
                field="currency",
            )
        low, high = (to_major(limit, money.currency) for limit in limits)
        if not limits[0] <= money.amount <= limits[1]:
            raise InvalidAmount(
                f"{PROVIDERS[key].label} takes {low} to {high} {money.currency} at a time.",
                code="amount_outside_limits",
                field="amount",
            )

    def sending(self, currency: str, destination: Mapping[str, str]) -> str | None:
        """The rail that sends withdrawals there by itself; None: staff do."""
        for key, spec in PROVIDERS.items():
            place = spec.payouts.get(currency)
            if place is not None and place[0] in destination and self.able(key, PAYOUT):
                return key
        return None

    def check_payout(self, key: str, money: Money) -> None:
        """Raises InvalidInput where the rail does not send so much, or so little, at a time."""
        _, least, most = PROVIDERS[key].payouts[money.currency]
        if not least <= money.amount <= most:
            low, high = (to_major(limit, money.currency) for limit in (least, most))
            raise InvalidAmount(
                f"{PROVIDERS[key].label} sends {low} to {high} {money.currency} at a time.",
                code="amount_outside_limits",
                field="amount",
                least=least,
                most=most,
                currency=money.currency,
            )

    def ways(self, money: Money) -> list[dict[str, Any]]:
        """What a customer may choose for this amount, in the order of the table.

        `{key, label, asks}`: `asks` are the fields to fill in.
        """
        return [
            {"key": key, "label": spec.label, "asks": spec.asks}
            for key, spec in PROVIDERS.items()
            if self.offers(key)
            and money.currency in spec.limits
            and spec.limits[money.currency][0] <= money.amount <= spec.limits[money.currency][1]
        ]

    def askable(self) -> list[str]:
        """The rails that can be asked how an attempt stands."""
        return [key for key in PROVIDERS if self.able(key, FETCH)]

    def keeping_cards(self) -> list[str]:
        """The rails that keep cards for people."""
        return [key for key in PROVIDERS if self.able(key, CARDS)]

    def label(self, key: str) -> str:
        return PROVIDERS[key].label if key in PROVIDERS else key

    def callback_url(self, key: str) -> str:
        return self._settings.callback_url(key)
