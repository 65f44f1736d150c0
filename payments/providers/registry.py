"""`PROVIDERS`: every rail on one screen. A rail is a file, a row here, samples and a simulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from payments.domain.errors import InvalidAmount, InvalidInput, NotFound
from payments.domain.money import Money, to_major
from payments.domain.ports import Provider
from payments.settings import Settings


@dataclass(frozen=True, slots=True)
class Spec:
    """One row. `limits`: currency to (least, most) minor units of one payment, as the rail says.

    `setting` names the field of `Settings` without which the rail is not offered; `adapter` is
    imported on first use. `capabilities` are `start`, `fetch`, `refund`: what is not named is never
    called.
    """

    label: str
    adapter: str
    setting: str
    capabilities: frozenset[str]
    limits: Mapping[str, tuple[int, int]]


PROVIDERS: dict[str, Spec] = {
    "momo": Spec(
        label="MoMo",
        adapter="payments.providers.momo:Momo",
        setting="momo",
        capabilities=frozenset({"start", "fetch", "refund"}),
        limits={"VND": (1_000, 50_000_000)},
    ),
    "generic": Spec(
        label="Webhook",
        adapter="payments.providers.generic:Generic",
        setting="generic_webhook_secrets",
        capabilities=frozenset(),
        limits={},
    ),
}


class Rails:
    """The rails whose settings are there, made on first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Provider] = {}

    def configured(self, key: str) -> bool:
        return key in PROVIDERS and bool(getattr(self._settings, PROVIDERS[key].setting))

    def receiver(self, key: str) -> Provider:
        """The adapter that reads this provider's callbacks. Raises NotFound."""
        if not self.configured(key):
            raise NotFound
        if key not in self._made:
            module, name = PROVIDERS[key].adapter.split(":")
            self._made[key] = getattr(import_module(module), name)(self._settings)
        return self._made[key]

    def able(self, key: str, capability: str) -> bool:
        return self.configured(key) and capability in PROVIDERS[key].capabilities

    def offered(self, key: str) -> Provider:
        """The adapter that takes payments. Raises InvalidInput where the shop does not offer it."""
        if not self.able(key, "start"):
            raise InvalidInput(
                "This way to pay is not offered.", code="provider_not_offered", field="provider"
            )
        return self.receiver(key)

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

    def ways(self, money: Money) -> list[dict[str, Any]]:
        """What a customer may choose for this amount: `{key, label}`, in the order of the table."""
        return [
            {"key": key, "label": spec.label}
            for key, spec in PROVIDERS.items()
            if self.able(key, "start")
            and money.currency in spec.limits
            and spec.limits[money.currency][0] <= money.amount <= spec.limits[money.currency][1]
        ]

    def label(self, key: str) -> str:
        return PROVIDERS[key].label if key in PROVIDERS else key

    def callback_url(self, key: str) -> str:
        return f"{self._settings.public_url}/callbacks/{key}"
