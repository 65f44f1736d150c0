"""Double entry: a posting is legs that sum to zero per currency, with one cause, never changed.

Debits are positive, credits negative. An asset (a clearing account: what a provider owes the shop)
grows by debit; revenue, fees and what the shop owes (customers' wallets, suspense, refunds due,
withdrawals due) grow by credit.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from payments.domain.money import Money
from payments.domain.states import Recipe

REVENUE = "revenue"
SUSPENSE = "suspense"
REFUNDS_DUE = "refunds_due"
BY_HAND = "manual"
"""The rail of confirmations by hand, until the provider corroborates them."""


WITHDRAWALS_DUE = "withdrawals_due"
FEES = "fees"
_WALLET = "wallet:"


def clearing(rail: str) -> str:
    return f"clearing:{rail}"


def wallet(user_id: str) -> str:
    """What the shop owes this customer: their money, until they spend or withdraw it."""
    return f"{_WALLET}{user_id}"


def owner_of(account: str) -> str | None:
    """Whose wallet this account is; None where it is the shop's own."""
    return account.removeprefix(_WALLET) if account.startswith(_WALLET) else None


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


@dataclass(frozen=True, slots=True)
class Receipt:
    """What becomes of money that came: parts of it, in minor units.

    `earned` was due, `credited` goes to the wallet of `owner`, `held` waits in suspense.
    """

    earned: int = 0
    credited: int = 0
    held: int = 0
    owner: str | None = None

    @property
    def amount(self) -> int:
        return self.earned + self.credited + self.held


def split(recipe: Recipe, amount: int, due: int, owner: str | None, *, deposit: bool) -> Receipt:
    """How `amount` minor units for an order are shared out.

    `due` is what the order still missed. `owner` is the customer, where they have a wallet here: it
    takes what is over, and all of a deposit.
    """
    earned = min(amount, max(due, 0)) if recipe is Recipe.RECEIPT and not deposit else 0
    over = amount - earned
    if recipe is Recipe.SUSPENSE or owner is None:
        return Receipt(earned, held=over)
    return Receipt(earned, credited=over, owner=owner)


def received(cause: str, source: str, currency: str, receipt: Receipt) -> Posting:
    """Money for an order, out of the account `source`: what a provider owes, or a wallet."""
    return posting(
        cause,
        currency,
        (source, receipt.amount),
        (REVENUE, -receipt.earned),
        (wallet(receipt.owner or ""), -receipt.credited),
        (SUSPENSE, -receipt.held),
    )


def held(cause: str, rail: str, money: Money) -> Posting:
    """Money that no order asks for."""
    return received(cause, clearing(rail), money.currency, Receipt(held=money.amount))


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


def reclassified(cause: str, rail: str, money: Money) -> Posting:
    """The provider says what staff had confirmed: the claim moves from the hand to the provider."""
    return posting(
        cause, money.currency, (clearing(rail), money.amount), (clearing(BY_HAND), -money.amount)
    )


def refund_promised(cause: str, money: Money, from_suspense: int) -> Posting:
    """A refund is owed once it is asked for: from what was held first, then from revenue."""
    return posting(
        cause,
        money.currency,
        (SUSPENSE, from_suspense),
        (REVENUE, money.amount - from_suspense),
        (REFUNDS_DUE, -money.amount),
    )


def refund_paid(cause: str, account: str, money: Money) -> Posting:
    """It has left by `account`: a provider's, or into the customer's own wallet."""
    return posting(cause, money.currency, (REFUNDS_DUE, money.amount), (account, -money.amount))


def refund_failed(cause: str, money: Money, to_suspense: int) -> Posting:
    """The provider would not: the promise is taken back as it was made."""
    return posting(
        cause,
        money.currency,
        (REFUNDS_DUE, money.amount),
        (SUSPENSE, -to_suspense),
        (REVENUE, -(money.amount - to_suspense)),
    )


def withdrawal_held(cause: str, user_id: str, money: Money, fee: int) -> Posting:
    """Out of the wallet at once, fee and all, and owed to the destination."""
    total = money.amount + fee
    return posting(cause, money.currency, (wallet(user_id), total), (WITHDRAWALS_DUE, -total))


def withdrawal_settled(cause: str, account: str, money: Money, fee: int) -> Posting:
    """It has left by `account`; the fee is earned only now."""
    return posting(
        cause,
        money.currency,
        (WITHDRAWALS_DUE, money.amount + fee),
        (account, -money.amount),
        (FEES, -fee),
    )


def withdrawal_returned(cause: str, user_id: str, money: Money, fee: int) -> Posting:
    """It has not left: all of it is the customer's again."""
    total = money.amount + fee
    return posting(cause, money.currency, (WITHDRAWALS_DUE, total), (wallet(user_id), -total))
