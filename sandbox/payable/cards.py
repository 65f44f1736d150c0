"""The cards that this page takes, nobody's real one. The first two stand in PAYable's README."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class TrialCard:
    """`now`: what happens when its number is typed; `later`: when it is charged as a kept one."""

    name: str
    number: str
    scheme: str
    about: str
    now: str = "pay"
    later: str = "pay"

    @property
    def masked(self) -> str:
        return f"{self.number[:6]}xxxxxx{self.number[-4:]}"

    @property
    def spaced(self) -> str:
        return " ".join(self.number[place : place + 4] for place in range(0, 16, 4))


CHALLENGE = "challenge"

CARDS = {
    card.name: card
    for card in (
        TrialCard("visa", "4111111111111111", "VISA", "is taken"),
        TrialCard("mastercard", "5123451234512345", "MASTERCARD", "is taken"),
        TrialCard("declined", "4000000000000002", "VISA", "is declined", now="decline"),
        TrialCard("bank", "4000000000003220", "VISA", "asks the bank first", now=CHALLENGE),
        TrialCard("later", "4000000000000341", "VISA", "is declined once kept", later="decline"),
    )
}


def card_of(typed: str) -> TrialCard | None:
    """None for every number that is not one of the test cards': it is not read any further."""
    digits = re.sub(r"[\s-]", "", typed)
    return next((card for card in CARDS.values() if card.number == digits), None)


def expiry_of(typed: str) -> str | None:
    """`MM/YY`, or None."""
    match = re.fullmatch(r"\s*(0[1-9]|1[0-2])\s*/\s*([0-9]{2})\s*", typed)
    return f"{match[1]}/{match[2]}" if match else None
