"""The time that a rebuild lives in: while it does again what was decided, it is `then`.

The clock stands at the moment of the deed, a new attempt gets the name that it was given, and
nothing is written into the audit: its lines are copied as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Then:
    """`reference` is that of the attempt which the deed made, where it made one."""

    at: datetime
    reference: str | None = None


_then: ContextVar[Then | None] = ContextVar("then", default=None)


def present() -> Then | None:
    """None: it is now."""
    return _then.get()


@contextmanager
def doing_again(at: datetime, reference: str | None = None) -> Iterator[None]:
    token = _then.set(Then(at, reference))
    try:
        yield
    finally:
        _then.reset(token)
