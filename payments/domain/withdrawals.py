"""Money on its way out of a customer's wallet, and where it may go: `FORMS`, per currency."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from payments.domain.errors import InvalidInput
from payments.domain.money import Money

HELD, SETTLED, RETURNED = "held", "settled", "returned"
"""Out of the wallet; at its destination; in the wallet again."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """`amount` minor units reach the destination, `fee` stays with the shop; both are held.

    `provider` is the rail that sends it; None: staff do. `payout_id` is the provider's name for it,
    or our own id from just before it is sent until the provider has given it one: whatever has a
    `payout_id` may have been sent, and is never sent again.
    """

    id: str
    user_id: str
    currency: str
    amount: int
    fee: int
    status: str
    provider: str | None
    destination: dict[str, str]
    payout_id: str | None
    evidence: str | None
    reason: str | None
    created_at: datetime
    ask_at: datetime | None
    ended_at: datetime | None

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def reference(self) -> str:
        """Our name for it, as callbacks and people are told."""
        return self.id

    @property
    def order_id(self) -> None:
        """Of no order: it leaves a wallet."""
        return None

    @property
    def total(self) -> int:
        """What has left the wallet, in minor units."""
        return self.amount + self.fee

    @property
    def sent(self) -> bool:
        """Whether the provider may have it."""
        return self.payout_id is not None

    @property
    def known_as(self) -> str | None:
        """The provider's own name for it; None where its answer was lost."""
        return self.payout_id if self.payout_id != self.id else None


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a destination, as people write it; `keep` is what is kept of the match."""

    pattern: re.Pattern[str]
    keep: str = r"\g<0>"
    needed: bool = False


MOST_CHARACTERS = 100
_SEPARATORS = re.compile(r"[\s().\u2010-\u2015-]+")
_NAME = "name"

_ACCOUNT = Part(re.compile(r"[A-Za-z0-9]{5,34}"), needed=True)
_BANK = Part(re.compile(r"[^\W_][\w .,&'-]{1,59}"))
_HOLDER = Part(re.compile(r"[^\W\d_][\w .,'-]{0,79}"))

Form = Mapping[str, Part]

_PLAIN_ACCOUNT: Form = {"account": _ACCOUNT, "bank": _BANK, "branch": _BANK, _NAME: _HOLDER}

FORMS: Mapping[str, tuple[Form, ...]] = {
    "XAF": (
        {
            "phone": Part(re.compile(r"(?:(?:\+|00)?237)?(6[0-9]{8})"), r"237\1", needed=True),
            _NAME: _HOLDER,
        },
    ),
    "VND": (
        {
            "phone": Part(re.compile(r"(?:(?:\+|00)?84|0)([35789][0-9]{8})"), r"0\1", needed=True),
            _NAME: _HOLDER,
        },
        {
            "account": Part(re.compile(r"[A-Za-z0-9]{4,19}"), needed=True),
            "bank_bin": Part(re.compile(r"[0-9]{6}")),
            _NAME: _HOLDER,
        },
    ),
    "INR": (
        {
            "vpa": Part(re.compile(r"[A-Za-z0-9._-]{2,64}@[A-Za-z]{2,32}"), needed=True),
            _NAME: _HOLDER,
        },
        {
            "phone": Part(re.compile(r"(?:(?:\+|00)?91|0)?([6-9][0-9]{9})"), r"\1", needed=True),
            _NAME: _HOLDER,
        },
        {
            "account": Part(re.compile(r"[0-9]{9,18}"), needed=True),
            "ifsc": Part(re.compile(r"[A-Z]{4}0[A-Z0-9]{6}"), needed=True),
            _NAME: _HOLDER,
        },
    ),
}
"""What a destination is made of. A bare text is the first field of the first form that it fits."""

_OTHER_CURRENCIES = (_PLAIN_ACCOUNT,)
_AS_WRITTEN = frozenset({_NAME, "bank", "branch", "vpa"})
"""In these, points and dashes belong to the word."""


def destination_of(currency: str, given: object) -> dict[str, str]:
    """Where money of this currency is to go, as it is kept. Raises InvalidInput."""
    for form in FORMS.get(currency, _OTHER_CURRENCIES):
        fields = {next(iter(form)): given} if isinstance(given, str) else given
        found = _read(form, fields) if isinstance(fields, Mapping) else None
        if found is not None:
            return found
    raise InvalidInput(
        f"This is not where {currency} can be sent.",
        code="invalid_destination",
        field="destination",
        currency=currency,
    )


def _read(form: Form, fields: Mapping[str, object]) -> dict[str, str] | None:
    """None where it is not of this form. Nothing that is given is left out."""
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    needed = {name for name, part in form.items() if part.needed}
    if not needed <= given.keys() <= form.keys():
        return None
    kept = {name: _part(name, form[name], given[name]) for name in form if name in given}
    found = {name: text for name, text in kept.items() if text is not None}
    return found if len(found) == len(kept) else None


def _part(name: str, part: Part, value: object) -> str | None:
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS or not value.isprintable():
        return None
    text = " ".join(value.split()) if name in _AS_WRITTEN else _SEPARATORS.sub("", value)
    match = part.pattern.fullmatch(text)
    return match.expand(part.keep) if match else None
