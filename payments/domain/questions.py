"""How often a silent provider is asked: soon at first, then by the age of what is asked about."""

from __future__ import annotations

from datetime import timedelta

FIRST_QUESTION = timedelta(seconds=10)
"""A provider that has said nothing for so long is asked; a watched attempt each time after it."""

IN_FLIGHT = timedelta(minutes=2)
"""A call to a provider ends in less. Until then nobody else sends the same refund: not every
provider takes the same one twice for one."""

LONGEST_PAUSE = timedelta(hours=1)
LONGEST_WHILE_AWAY = timedelta(minutes=5)
GIVE_UP = timedelta(days=3)
"""Of an attempt whose order ended so long ago that nobody could still be paying it."""


def pause_after(age: timedelta) -> timedelta:
    """Half its age: asked at 10, 20, 30, 45 s, and after a day every hour."""
    return max(FIRST_QUESTION, min(age / 2, LONGEST_PAUSE))


def pause_while_away(age: timedelta) -> timedelta:
    """After a question that nobody answered: sooner than the next one would have been."""
    return max(FIRST_QUESTION, min(age / 10, LONGEST_WHILE_AWAY))
