"""What a movement of money costs: one table of rules, in whole minor units, without fractions.

The shop's rates come from `FEES`; how a currency is rounded is a fact of the currency, and stands
in `ROUNDING`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from payments.domain.ledger import BY_HAND
from payments.domain.money import Money, exponent

WITHDRAWAL = "withdrawal"
ANY = "*"
RAILS = frozenset({"campay", BY_HAND})
"""The ways by which a withdrawal leaves."""

WHOLE = 10_000
"""A hundred per cent, in basis points."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """To multiples of `step` minor units: `half` away from zero, `up` or `down`."""

    step: int = 1
    mode: str = "half"

    def of(self, top: int, bottom: int) -> int:
        """The fraction `top / bottom`, both positive or zero at the top, in whole steps."""
        unit = bottom * self.step
        down, rest = divmod(top, unit)
        more = {"half": 2 * rest >= unit, "up": rest > 0, "down": False}[self.mode]
        return (down + more) * self.step


EXACT = Rounding()
"""To the minor unit: a whole franc of XAF, a paisa, a fils of KWD."""

ROUNDING: Mapping[str, Rounding] = {
    # Their smallest sums are larger than their minor units: 5 Rappen, a forint, a rupiah.
    "CHF": Rounding(5),
    "HUF": Rounding(100),
    "IDR": Rounding(100),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """`basis_points` of the amount and `fixed` minor units, but no less than `least`, no more than
    `most`; and never more than the amount itself."""

    basis_points: int = 0
    fixed: int = 0
    least: int = 0
    most: int | None = None

    def of(self, money: Money) -> int:
        """Minor units of the money's own currency."""
        rounding = ROUNDING.get(money.currency, EXACT)
        top = money.amount * self.basis_points + self.fixed * WHOLE
        fee = max(rounding.of(top, WHOLE), self.least)
        return min(fee, money.amount if self.most is None else min(self.most, money.amount))


FREE = Rule()

Key = tuple[str, str, str]
"""What moves, by which rail, in which currency."""


@dataclass(frozen=True, slots=True)
class Fees:
    """The shop's rules. A rule of a rail comes before one of any."""

    rules: Mapping[Key, Rule]

    def of(self, what: str, rail: str, money: Money) -> int:
        """The fee in minor units; 0 where there is no rule."""
        named = self.rules.get((what, rail, money.currency))
        return (named or self.rules.get((what, ANY, money.currency), FREE)).of(money)


_RATE = re.compile(
    r"(?P<what>[a-z]+):(?P<rail>[a-z0-9*-]+):(?P<currency>[A-Z]{3})="
    r"(?:(?P<percent>\d{1,3})(?:\.(?P<hundredths>\d{1,2}))?%)?"
    r"(?(percent)(?:\+(?P<fixed>\d{1,12}))?|(?P<alone>\d{1,12}))"
    r"(?: min (?P<least>\d{1,12}))?(?: max (?P<most>\d{1,12}))?",
    re.ASCII,
)


def read_fees(text: str) -> Fees:
    """`withdrawal:campay:XAF=1.5%+50 min 100 max 5000,withdrawal:*:VND=3300`; in minor units.

    Raises ValueError where it is not so, a rule stands twice, there is no such rail, or something
    else than a withdrawal is to cost a fee.
    """
    rules: dict[Key, Rule] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _RATE.fullmatch(part)
        if match is None or match["what"] != WITHDRAWAL or match["rail"] not in {ANY, *RAILS}:
            raise ValueError(part)
        exponent(match["currency"])
        key, rule = (match["what"], match["rail"], match["currency"]), _rule(match)
        out_of_order = rule.most is not None and rule.most < rule.least
        if key in rules or rule.basis_points > WHOLE or out_of_order:
            raise ValueError(part)
        rules[key] = rule
    return Fees(rules)


def _rule(match: re.Match[str]) -> Rule:
    points = int(match["percent"] or 0) * 100 + int((match["hundredths"] or "0").ljust(2, "0"))
    return Rule(
        points,
        int(match["fixed"] or match["alone"] or 0),
        int(match["least"] or 0),
        int(match["most"]) if match["most"] else None,
    )
