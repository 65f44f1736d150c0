"""What the wallet's two forms say, for a currency: ways to top up, where a withdrawal may go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from payments.domain.errors import InvalidInput
from payments.domain.fees import WITHDRAWAL, Rule
from payments.domain.withdrawals import FORMS, destination_of
from payments.front.pages import money
from payments.front.request import house, locale
from payments.front.words import rail_words
from payments.providers.registry import PROVIDERS, Spec

USUAL = {"vi": "VND", "fr": "XAF", "hi": "INR", "si": "LKR"}
"""The currency that a reader of this language most likely wants to top up first."""


def top_up_parts(held: Sequence[str], asked: str | None) -> dict[str, Any]:
    """`{currencies, currency, ways}`: the currency asked for, else one that the reader has.

    Else the usual one of the language, else the one that most ways take.
    """
    count = Counter(currency for spec in _offered().values() for currency in spec.limits)
    every = sorted(count)
    likely = (asked, *held, USUAL.get(locale()), *sorted(every, key=count.__getitem__)[::-1])
    currency = next((one for one in likely if one in every), None)
    ways = _ways(currency) if currency else []
    return {"currencies": every, "currency": currency, "ways": ways}


def withdraw_parts(held: Sequence[str], asked: str | None) -> dict[str, Any] | None:
    """What its form says for one of the currencies that are held; None where none is."""
    if not held:
        return None
    currency = asked if asked is not None and asked in held else held[0]
    limits = house().settings.wallets
    above = limits.password_above.get(currency)
    return {
        "currencies": held,
        "currency": currency,
        "limits": _limits_words(currency, limits.withdrawals.get(currency)),
        "fee": _fee_words(currency),
        "password_above": money(above, currency) if above is not None else None,
        "beside": _beside(currency),
    }


def _offered() -> dict[str, Spec]:
    rails = house().rails
    return {key: spec for key, spec in PROVIDERS.items() if rails.offers(key)}


def _ways(currency: str) -> list[dict[str, Any]]:
    """`{key, label, asks, limits}`: what takes this currency, and how much of it at a time."""
    own = house().settings.wallets.deposits.get(currency)
    return [
        {
            "key": key,
            "label": rail_words(key),
            "asks": spec.asks,
            "limits": _limits_words(currency, spec.limits[currency], own),
        }
        for key, spec in _offered().items()
        if currency in spec.limits
    ]


def _limits_words(currency: str, *limits: tuple[int, int] | None) -> str:
    spans = [one for one in limits if one is not None]
    if not spans:
        return ""
    least = money(max(low for low, _high in spans), currency)
    most = money(min(high for _low, high in spans), currency)
    return str(_("From %(least)s to %(most)s", least=least, most=most))


def _fee_words(currency: str) -> str:
    """Each rule that a withdrawal in this currency may fall under."""
    rules = house().settings.wallets.fees.rules
    charged = [
        rule for (what, _rail, of), rule in rules.items() if (what, of) == (WITHDRAWAL, currency)
    ]
    said = dict.fromkeys(_rule_words(rule, currency) for rule in charged)
    if not said:
        return ""
    return str(_("Fee: %(rule)s, out of your balance too.", rule=" / ".join(said)))


def _rule_words(rule: Rule, currency: str) -> str:
    """`1.5% + 50 FCFA`, and in brackets the least and the most that it comes to."""
    percent = f"{format_decimal(Decimal(rule.basis_points) / 100)}%" if rule.basis_points else ""
    said = " + ".join(filter(None, (percent, money(rule.fixed, currency) if rule.fixed else "")))
    least, most = (money(one, currency) if one else "" for one in (rule.least, rule.most))
    return f"{said or money(0, currency)}" + (f" ({least} \u2013 {most})" if least or most else "")


BESIDE = {
    "bank_bin": _l("Number of the bank (BIN)"),
    "ifsc": _l("IFSC of the bank"),
    "bank": _l("Bank"),
    "branch": _l("Branch"),
    "name": _l("Account holder"),
}
"""What may be said of a destination beside its number."""

_BESIDE_AN_ACCOUNT = ("bank", "branch", "name")


def _beside(currency: str) -> list[tuple[str, str]]:
    forms = FORMS.get(currency, (_BESIDE_AN_ACCOUNT,))
    taken = {name for form in forms for name in form}
    return [(name, str(label)) for name, label in BESIDE.items() if name in taken]


def destination(currency: str, number: str, more: Mapping[str, str]) -> str | dict[str, str]:
    """The number alone, or with `more` that was typed: as the first form that it fits."""
    if not more:
        return number
    for form in FORMS.get(currency, ()):
        given = {next(iter(form)): number, **more}
        with suppress(InvalidInput):
            destination_of(currency, given)
            return given
    return {"account": number, **more}
