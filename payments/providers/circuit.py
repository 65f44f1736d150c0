"""A provider that is away is left in peace: questions stop, and one now and then tries again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

FAILURES_TO_OPEN = 3
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    silent_until: datetime | None = None

    @property
    def pause(self) -> timedelta:
        doublings: int = min(self.failures - FAILURES_TO_OPEN, 10)
        return min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)


class Circuits:
    """One circuit for each rail, in this process alone: the database holds what is to be asked."""

    def __init__(self) -> None:
        self._circuits: dict[str, _Circuit] = {}
        self._lock = Lock()

    def allows(self, rail: str, at: datetime) -> bool:
        """Whether the rail may be asked now. After a pause one question is let through.

        Whoever is allowed then tells by `worked` or `failed` how it went; one that crashed is
        followed by another after the same pause.
        """
        with self._lock:
            circuit = self._circuits.get(rail)
            if circuit is None or circuit.silent_until is None:
                return True
            if circuit.silent_until > at:
                return False
            circuit.silent_until = at + circuit.pause
            return True

    def failed(self, rail: str, at: datetime) -> None:
        """It could not be reached. From the third time on the pause doubles each time."""
        with self._lock:
            circuit = self._circuits.setdefault(rail, _Circuit())
            circuit.failures += 1
            if circuit.failures >= FAILURES_TO_OPEN:
                circuit.silent_until = at + circuit.pause

    def worked(self, rail: str) -> None:
        """It has answered, be it with a refusal."""
        with self._lock:
            self._circuits.pop(rail, None)

    def open_ones(self, at: datetime) -> list[str]:
        """The rails that are left in peace now."""
        with self._lock:
            return [
                rail
                for rail, circuit in self._circuits.items()
                if circuit.silent_until is not None and circuit.silent_until > at
            ]
