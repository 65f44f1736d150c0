"""Callbacks at a steady rate, each on a connection of its own, with what was answered and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Thread

REFUSED = 0
"""Nobody listened: nothing was sent."""
BROKEN = -1
"""It was sent, and no whole answer came."""

CALLERS = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """`began` by the monotonic clock; `status` of HTTP, or REFUSED, or BROKEN."""

    order_id: str
    began: float
    seconds: float
    status: int

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Traffic:
    """`deed(thing)` for each of `things`, `rate` a second, whatever becomes of the earlier ones."""

    def __init__(self, deed: Callable[[str], Answer], things: Sequence[str], rate: float) -> None:
        self._deed = deed
        self._things = things
        self._pause = 1 / rate
        self._pool = ThreadPoolExecutor(CALLERS)
        self._futures: list[Future[Answer]] = []
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> list[Answer]:
        """Sends no more, and waits for the answers."""
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()
        return self.answers

    @property
    def answers(self) -> list[Answer]:
        return [one.result() for one in list(self._futures) if one.done()]

    def _run(self) -> None:
        began = time.monotonic()
        for number, thing in enumerate(self._things):
            if self._stop.wait(max(0.0, began + number * self._pause - time.monotonic())):
                return
            self._futures.append(self._pool.submit(self._deed, thing))


def between(answers: Sequence[Answer], start: float, end: float) -> list[Answer]:
    return [one for one in answers if start <= one.began < end]


def p99_ms(answers: Sequence[Answer]) -> float:
    """Of their times; the slowest where there are few."""
    times = sorted(one.seconds for one in answers)
    assert times, "nothing was sent in this time"
    return 1000 * times[min(len(times) - 1, int(len(times) * 0.99))]
