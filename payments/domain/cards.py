"""Cards that a provider keeps for people: here are only their names, never a number."""

from __future__ import annotations

from dataclasses import dataclass


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

    `handle` is None until a first payment has kept a card.
    """

    provider: str
    user_id: str
    reference: str
    handle: dict[str, str] | None


@dataclass(frozen=True, slots=True)
class KeptCard:
    """A payment has kept its card for the holder of this reference, who has this handle."""

    holder: str
    handle: dict[str, str]
