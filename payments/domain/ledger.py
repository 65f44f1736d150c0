"""Double entry: a posting is legs that sum to zero per currency, with one cause, never changed.

Debits are positive, credits negative. An asset (a clearing account: what a provider owes the shop)
grows by debit; revenue and what the shop owes (suspense, refunds due) grow by credit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from payments.domain.money import Money
from payments.domain.states import Recipe

REVENUE = "revenue"
SUSPENSE = "suspense"
REFUNDS_DUE = "refunds_due"
BY_HAND = "manual"
"""The rail of confirmations by hand, until the provider corroborates them."""


def clearing(rail: str) -> str:
    return f"clearing:{rail}"


class Unbalanced(ValueError):
    """Legs that do not sum to zero: a programmer's fault, never an input's."""


@dataclass(frozen=True, slots=True)
class Leg:
    account: str
    money: Money


@dataclass(frozen=True, slots=True)
class Posting:
    """`cause` names the one event this posts; the database refuses a second posting of it."""

    cause: str
    legs: tuple[Leg, ...]

    def __post_init__(self) -> None:
        sums: dict[str, int] = defaultdict(int)
        for leg in self.legs:
            sums[leg.money.currency] += leg.money.amount
        if len(self.legs) < 2 or any(sums.values()):
            raise Unbalanced(f"{self.cause}: {dict(sums)} over {len(self.legs)} legs")


def posting(cause: str, currency: str, *legs: tuple[str, int]) -> Posting:
    """A posting in one currency; legs of zero are left out."""
    return Posting(cause, tuple(Leg(a, Money(n, currency)) for a, n in legs if n))


def received(cause: str, rail: str, money: Money, due: int) -> Posting:
    """Money for an order: what was due is revenue, the rest is held."""
    earned = min(money.amount, max(due, 0))
    return posting(
        cause,
        money.currency,
        (clearing(rail), money.amount),
        (REVENUE, -earned),
        (SUSPENSE, -(money.amount - earned)),
    )


def held(cause: str, rail: str, money: Money, due: int = 0) -> Posting:
    """Money that no order asks for."""
    return received(cause, rail, money, 0)


def unmatched_cause(entry_id: int) -> str:
    """Money that came without a home, by the inbox entry that told of it."""
    return f"unmatched:{entry_id}"


ASSIGNED, RETURNED = "assigned", "returned"
"""Why money without a home is held no more: it is an order's, or it is not in the account."""


def released(word: str, entry_id: int, rail: str, money: Money) -> Posting:
    """The opposite of what held it; an order's receipt then books it as it books all money."""
    return posting(
        f"{word}:{entry_id}",
        money.currency,
        (SUSPENSE, money.amount),
        (clearing(rail), -money.amount),
    )


def reclassified(cause: str, rail: str, money: Money, due: int = 0) -> Posting:
    """The provider says what staff had confirmed: the claim moves from the hand to the provider."""
    return posting(
        cause, money.currency, (clearing(rail), money.amount), (clearing(BY_HAND), -money.amount)
    )


RECIPES: dict[Recipe, Callable[[str, str, Money, int], Posting]] = {
    Recipe.RECEIPT: received,
    Recipe.SUSPENSE: held,
    Recipe.RECLASSIFY: reclassified,
}


def refund_promised(cause: str, money: Money, from_suspense: int) -> Posting:
    """A refund is owed once it is asked for: from what was held first, then from revenue."""
    return posting(
        cause,
        money.currency,
        (SUSPENSE, from_suspense),
        (REVENUE, money.amount - from_suspense),
        (REFUNDS_DUE, -money.amount),
    )


def refund_paid(cause: str, rail: str, money: Money) -> Posting:
    return posting(
        cause, money.currency, (REFUNDS_DUE, money.amount), (clearing(rail), -money.amount)
    )


def refund_failed(cause: str, money: Money, to_suspense: int) -> Posting:
    """The provider would not: the promise is taken back as it was made."""
    return posting(
        cause,
        money.currency,
        (REFUNDS_DUE, money.amount),
        (SUSPENSE, -to_suspense),
        (REVENUE, -(money.amount - to_suspense)),
    )
