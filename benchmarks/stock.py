"""What is left to be paid of the orders that were prepared, and what has been paid."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.due import Due
from benchmarks.worker import RunFailed


class Stock:
    """All of it is prepared before anything is measured."""

    def __init__(self) -> None:
        self._waiting: list[Due] = []
        self.paid: list[Due] = []

    def put(self, dues: Iterable[Due]) -> None:
        self._waiting.extend(dues)

    def take(self, number: int) -> list[Due]:
        if number > len(self._waiting):
            raise RunFailed(f"{number} orders are wanted, {len(self._waiting)} are left")
        taken = self._waiting[-number:]
        del self._waiting[-number:]
        return taken
