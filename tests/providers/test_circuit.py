"""A provider that is away is left in peace, and one question now and then tries again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from payments.providers.circuit import FAILURES_TO_OPEN, FIRST_PAUSE, LONGEST_PAUSE, Circuits
from tests.outside import at_once

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def circuits() -> Circuits:
    return Circuits()


def fails(circuits: Circuits, times: int, at: datetime = NOON, rail: str = "momo") -> None:
    for _ in range(times):
        circuits.failed(rail, at)


def test_two_failures_stop_nobody(circuits: Circuits) -> None:
    fails(circuits, FAILURES_TO_OPEN - 1)
    assert circuits.allows("momo", NOON)
    assert circuits.open_ones(NOON) == []


def test_the_third_failure_opens_the_circuit(circuits: Circuits) -> None:
    fails(circuits, FAILURES_TO_OPEN)
    assert not circuits.allows("momo", NOON)
    assert not circuits.allows("momo", NOON + FIRST_PAUSE - MOMENT)
    assert circuits.open_ones(NOON) == ["momo"]


def test_the_other_rails_are_asked_as_before(circuits: Circuits) -> None:
    fails(circuits, 10)
    assert circuits.allows("campay", NOON)
    assert circuits.allows("upi", NOON)


def test_after_the_pause_one_question_tries_and_no_other(circuits: Circuits) -> None:
    fails(circuits, FAILURES_TO_OPEN)
    later = NOON + FIRST_PAUSE
    assert circuits.allows("momo", later)
    assert not circuits.allows("momo", later), "one is on its way"
    assert not circuits.allows("momo", later + FIRST_PAUSE - MOMENT)


def test_of_many_that_wait_at_once_one_tries(circuits: Circuits) -> None:
    fails(circuits, FAILURES_TO_OPEN)
    later = NOON + FIRST_PAUSE
    assert sum(at_once(20, lambda _number: circuits.allows("momo", later))) == 1


def test_a_question_that_crashed_is_followed_by_another(circuits: Circuits) -> None:
    fails(circuits, FAILURES_TO_OPEN)
    assert circuits.allows("momo", NOON + FIRST_PAUSE)
    assert circuits.allows("momo", NOON + 2 * FIRST_PAUSE)


def test_an_answer_closes_it_for_all(circuits: Circuits) -> None:
    fails(circuits, FAILURES_TO_OPEN)
    later = NOON + FIRST_PAUSE
    assert circuits.allows("momo", later)
    circuits.worked("momo")
    assert circuits.allows("momo", later)
    assert circuits.allows("momo", later)
    fails(circuits, FAILURES_TO_OPEN - 1, later)
    assert circuits.allows("momo", later), "it begins to count again"


def test_the_pause_doubles_each_time_up_to_five_minutes(circuits: Circuits) -> None:
    fails(circuits, FAILURES_TO_OPEN - 1)
    at, pauses = NOON, []
    for _ in range(20):
        circuits.failed("momo", at)
        pause = next(
            timedelta(seconds=n) for n in range(1_000) if is_due(circuits, at, timedelta(seconds=n))
        )
        pauses.append(int(pause.total_seconds()))
        at += pause
    assert pauses[:7] == [10, 20, 40, 80, 160, 300, 300]
    assert set(pauses[5:]) == {int(LONGEST_PAUSE.total_seconds())}


def is_due(circuits: Circuits, at: datetime, pause: timedelta) -> bool:
    return "momo" not in circuits.open_ones(at + pause)
