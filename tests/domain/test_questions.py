"""How often a silent provider is asked."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from payments.domain.questions import (
    FIRST_QUESTION,
    LONGEST_PAUSE,
    LONGEST_WHILE_AWAY,
    pause_after,
    pause_while_away,
)

SECOND = timedelta(seconds=1)


def test_a_payer_who_takes_their_time_is_asked_about_at_these_ages() -> None:
    age, asked = FIRST_QUESTION, []
    while age < timedelta(hours=12):
        asked.append(age)
        age += pause_after(age)
    assert [int(at.total_seconds()) for at in asked[:5]] == [10, 20, 30, 45, 67]
    assert len(asked) < 30, "a provider is not flooded by one attempt"
    pauses = [later - sooner for sooner, later in pairwise(asked)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


@pytest.mark.parametrize("seconds", [0, 1, 19, 20, 60, 7_200, 10**6])
def test_no_pause_is_shorter_than_the_first_or_longer_than_the_longest(seconds: int) -> None:
    age = seconds * SECOND
    assert FIRST_QUESTION <= pause_after(age) <= LONGEST_PAUSE
    assert FIRST_QUESTION <= pause_while_away(age) <= LONGEST_WHILE_AWAY
    assert pause_while_away(age) <= pause_after(age), "nobody has answered yet"
