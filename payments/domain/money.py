"""Money in integer minor units with a currency. Floats never enter.

Exponents come from the ISO 4217 maintenance agency's list (package `iso4217`). CLDR's are about
display and differ from it (it gives MMK and IQD no digits where ISO gives 2 and 3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from iso4217 import Currency

from payments.domain.errors import InvalidAmount, UnknownCurrency

MAX_AMOUNT = 999_999_999_999
"""The largest amount of one order, in minor units; far from any integer's end."""

_MAJOR = re.compile(r"(\d{1,15})(?:\.(\d{1,4}))?", re.ASCII)


@cache
def exponent(currency: str) -> int:
    """How many digits the minor unit of `currency` has.

    Raises UnknownCurrency, also for gold and tests.
    """
    try:
        digits = Currency(currency).exponent
    except ValueError:
        digits = None
    if digits is None or not currency.isupper():
        raise UnknownCurrency(f"{currency[:8]!r} is not a currency of ISO 4217.", field="currency")
    return int(digits)


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` minor units of `currency`; may be negative or zero in sums."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise InvalidAmount("An amount is a whole number of minor units.", field="amount")
        exponent(self.currency)


def price(amount: object, currency: object) -> Money:
    """What an order may cost: a positive whole number within reason.

    Raises InvalidAmount, UnknownCurrency.
    """
    if not isinstance(currency, str):
        raise UnknownCurrency("The currency is a three-letter code.", field="currency")
    exponent(currency)
    if type(amount) is not int:
        raise InvalidAmount("The amount is a whole number of minor units.", field="amount")
    if not 0 < amount <= MAX_AMOUNT:
        raise InvalidAmount(
            f"The amount is from 1 to {MAX_AMOUNT}.",
            field="amount",
            most=MAX_AMOUNT,
            currency=currency,
        )
    return Money(amount, currency)


def from_major(text: str, currency: str) -> Money:
    """The price a person typed, `12.50` or `1 250 000`, with the currency's decimals at most.

    Raises InvalidAmount where the decimals do not fit: a rounded price is a wrong price.
    """
    digits = exponent(currency)
    match = _MAJOR.fullmatch(re.sub(r"[\s_\u00a0\u202f]", "", text))
    if match is None:
        raise InvalidAmount(
            "Type the amount in digits, with a point before decimals.", field="amount"
        )
    whole, fraction = match.group(1), (match.group(2) or "")
    if len(fraction) > digits:
        raise InvalidAmount(
            f"{currency} has {digits} decimals.", field="amount", decimals=digits, currency=currency
        )
    return price(int(whole + fraction.ljust(digits, "0")), currency)


def to_major(amount: int, currency: str) -> str:
    """The amount as a plain decimal text with a point, as machines and providers write it."""
    digits = exponent(currency)
    sign, figures = ("-" if amount < 0 else ""), str(abs(amount)).rjust(digits + 1, "0")
    return sign + (f"{figures[:-digits]}.{figures[-digits:]}" if digits else figures)
