"""Cards that a provider keeps for people: here are only their names, never a number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from payments.domain.errors import InvalidInput

LONGEST_NAME = 30
MOST_DIGITS = 6
"""A name with more of them may be the card's own number, which must not come here."""


@dataclass(frozen=True, slots=True)
class Card:
    """One card as the provider's list gives it. `masked_number` shows a few digits at most."""

    token_id: str
    masked_number: str
    scheme: str
    expiry: str
    nickname: str

    def as_dict(self) -> dict[str, str]:
        return {
            "token_id": self.token_id,
            "masked_number": self.masked_number,
            "scheme": self.scheme,
            "expiry": self.expiry,
            "nickname": self.nickname,
        }


@dataclass(frozen=True, slots=True)
class CardHolder:
    """A person as the provider knows them: `reference` is our name for them, `handle` its own.

    `handle` is None until a first payment has kept a card. `revision` grows whenever their cards
    change: a list that was read at another one is old.
    """

    provider: str
    user_id: str
    reference: str
    handle: dict[str, str] | None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class KeptCard:
    """A payment has kept its card for the holder of this reference, who has this handle."""

    holder: str
    handle: dict[str, str]


def checked_name(typed: str) -> str:
    """What its owner calls a card, without the blanks around it. Raises InvalidInput."""
    name = " ".join(typed.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(
            f"The name of a card has 1 to {LONGEST_NAME} characters.",
            code="card_name",
            field="nickname",
        )
    if len(re.findall(r"\d", name)) > MOST_DIGITS:
        raise InvalidInput(
            "A card's number is not for here: give the card a name.",
            code="card_name_is_number",
            field="nickname",
        )
    return name
