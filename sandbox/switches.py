"""How a pretended provider may misbehave when it tells the merchant, as a person chooses it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LATE_CHOICES = (0, 2, 10, 60)
MOST_LATE_SECONDS = 3_600

NAMES = ("twice", "reorder", "wrong_amount", "forged", "silent")


@dataclass(frozen=True)
class Switches:
    """`late` in seconds; the rest is what it says, each provider has its words for them."""

    late: int = 0
    twice: bool = False
    reorder: bool = False
    wrong_amount: bool = False
    forged: bool = False
    silent: bool = False


@dataclass(frozen=True)
class Switch:
    name: str
    label: str
    hint: str


def read_switches(asked: Mapping[str, Any]) -> Switches:
    """From a form or JSON. ValueError names what cannot be read."""
    late = str(asked.get("late") or 0)
    if not (re.fullmatch("[0-9]{1,4}", late) and int(late) <= MOST_LATE_SECONDS):
        raise ValueError(f"late: whole seconds up to {MOST_LATE_SECONDS}")
    return Switches(int(late), **{name: is_on(name, asked) for name in NAMES})


def is_on(name: str, asked: Mapping[str, Any]) -> bool:
    words = {"": False, "0": False, "false": False, "1": True, "on": True, "true": True}
    word = str(asked.get(name) or "").lower()
    if word not in words:
        raise ValueError(f"{name}: true or false")
    return words[word]
