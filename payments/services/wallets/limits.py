"""How much a customer may move at a time, by the shop's own settings."""

from __future__ import annotations

from payments.domain.errors import InvalidAmount
from payments.domain.money import Money, to_major
from payments.settings.wallets import Limits


def demand_limits(limits: Limits, money: Money) -> None:
    """Raises InvalidAmount outside them; a currency without limits has none."""
    if money.currency not in limits:
        return
    least, most = limits[money.currency]
    if not least <= money.amount <= most:
        low, high = (to_major(one, money.currency) for one in (least, most))
        raise InvalidAmount(
            f"The shop takes {low} to {high} {money.currency} at a time.",
            code="amount_outside_limits",
            field="amount",
            least=least,
            most=most,
            currency=money.currency,
        )
