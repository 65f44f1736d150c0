"""What a person is told of their money, in their account's language and not in the reader's."""

from __future__ import annotations

from decimal import Decimal

from babel import UnknownLocaleError
from babel.core import Locale
from babel.numbers import format_decimal
from flask_babel import force_locale, get_babel
from flask_babel import lazy_gettext as _l

from payments.domain.money import exponent, to_major
from payments.settings import LOCALES
from payments.store import people

MESSAGES = {
    ("deposit", "pending"): _l("Waiting for your top-up of %(amount)s"),
    ("deposit", "completed"): _l("Topped up with %(amount)s"),
    ("deposit", "failed"): _l("Your top-up of %(amount)s failed"),
    ("deposit", "cancelled"): _l("Your top-up of %(amount)s ended without payment"),
    ("payment", "completed"): _l("Paid %(amount)s from your balance"),
    ("refund", "completed"): _l("%(amount)s came back to your balance"),
    ("withdrawal", "pending"): _l("Your withdrawal of %(amount)s is on its way"),
    ("withdrawal", "completed"): _l("Withdrew %(amount)s"),
    ("withdrawal", "failed"): _l("Your withdrawal failed; %(amount)s are in your balance again"),
}
"""By type of transaction and its status, as the `wallet` vocabulary names them."""


def message(user_id: str, kind: str, status: str, amount: int, currency: str) -> str:
    """One sentence with the amount: `Nạp tiền thành công 100.000 VND`."""
    language = language_of(user_id)
    with force_locale(language):
        return str(MESSAGES[kind, status] % {"amount": amount_words(amount, currency, language)})


def language_of(user_id: str) -> str:
    """The account's language where it has one that we speak, else the shop's."""
    person = people.find(user_id)
    chosen = (person.locale if person else None) or ""
    language = chosen.replace("_", "-").split("-")[0]
    return language if language in LOCALES else str(get_babel().default_locale)


def amount_words(amount: int, currency: str, language: str) -> str:
    """Minor units as people of this language write them, with the digits of ISO 4217."""
    try:
        reader = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        reader = Locale("en")
    pattern = "#,##0" + ("." + "0" * exponent(currency) if exponent(currency) else "")
    figures = format_decimal(Decimal(to_major(amount, currency)), pattern, locale=reader)
    return f"{figures} {currency}"
