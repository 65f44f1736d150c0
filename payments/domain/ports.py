"""What the inside asks of the outside. Each has a real implementation; none is a mock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from payments.domain.facts import Fact
from payments.domain.money import Money
from payments.domain.notice import Action, Notice
from payments.domain.order import Order, Payment

Clock = Callable[[], datetime]
"""The time now, in UTC. Tests move it."""

Offload = Callable[..., object]
"""`offload(fn, *args)`: runs a long C call where it does not stop every other page."""


@dataclass(frozen=True, slots=True)
class Payer:
    """What the payer typed for this attempt."""

    phone: str | None = None
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The provider has taken the attempt. `transaction_id` where it already has one."""

    action: Action
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the payer comes back to and where the provider calls."""

    return_url: str
    callback_url: str
    locale: str = "en"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a callback is answered with once it is kept."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A provider's answer to our question: the raw bytes, and what they say."""

    body: bytes
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund that the provider has taken; `final` False means that its end is told later."""

    refund_id: str
    final: bool = True
    raw: dict[str, object] = field(default_factory=dict)


class Provider(Protocol):
    """One rail. `verify` and `read` do no I/O; a capability not in its row is never called."""

    answer: Answer

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        """Asks the provider to take the attempt. Raises ProviderRefused or ProviderUnavailable."""
        ...

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises BadSignature unless the provider, and nobody else, wrote this body."""
        ...

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        """What the callback says. Raises MalformedCallback."""
        ...

    def fetch(self, payment: Payment) -> Fetched:
        """Asks how an attempt stands. Raises ProviderUnavailable."""
        ...

    def refund(self, payment: Payment, refund_id: str, money: Money, reason: str) -> Refunded:
        """Gives money back; the same `refund_id` twice is one refund. Raises ProviderRefused."""
        ...


class Queue(Protocol):
    """Carries facts from whoever committed them to every instance that has pages open."""

    def publish(self, facts: Sequence[Fact]) -> None:
        """Appends, in order. May raise; the relay then leaves the rows unmarked and tries again."""
        ...

    def read(self, timeout_seconds: float) -> Sequence[Fact]:
        """The next facts for this instance, in order; empty after the timeout."""
        ...

    def healthy(self) -> bool: ...
