"""What the inside asks of the outside. Each has a real implementation; none is a mock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from payments.domain.cards import Card, CardHolder
from payments.domain.facts import Fact
from payments.domain.money import Money
from payments.domain.notice import Action, Notice
from payments.domain.order import Order, Payment
from payments.domain.withdrawals import Withdrawal

Clock = Callable[[], datetime]
"""The time now, in UTC. Tests move it."""

Offload = Callable[..., object]
"""`offload(fn, *args)`: runs a long C call where it does not stop every other page."""


@dataclass(frozen=True, slots=True)
class Payer:
    """What the payer typed or chose for this attempt.

    `card_holder` is the person whose card it is, where one is used (`token_id`) or is to be kept.
    """

    phone: str | None = None
    email: str | None = None
    name: str | None = None
    save_card: bool = False
    token_id: str | None = None
    card_holder: CardHolder | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The provider has taken the attempt. `transaction_id` where it already has one.

    `handle`: what the adapter needs to ask about it or to give it back later, kept with it.
    """

    action: Action
    transaction_id: str | None = None
    handle: dict[str, str] = field(default_factory=dict)


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
    """A provider's answer to our question: the raw bytes, and what they say.

    `again`: it can still be paid by the same code or link, whatever has failed.
    """

    body: bytes
    notices: tuple[Notice, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Refunded:
    """A refund that the provider has taken; `final` False means that its end is told later.

    `refund_id` is the provider's own; None where it has none yet: the same refund is then asked
    for again.
    """

    refund_id: str | None
    final: bool = True


class Provider(Protocol):
    """One rail or receiver: what its row says it is able to do is called, nothing else is.

    `check`, `verify` and `read` do no I/O.
    """

    answer: Answer

    def check(self, order: Order, payer: Payer) -> Payer:
        """The payer as the provider wants it told. Raises InvalidInput naming the field."""
        ...

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

    def fetch_refund(self, payment: Payment, refund_id: str, provider_refund_id: str) -> Fetched:
        """Asks how a refund stands that the provider has taken. Raises ProviderUnavailable."""
        ...

    def payout(self, withdrawal: Withdrawal) -> str | None:
        """Sends a customer's money; the provider's name for it, where it gave one.

        Its end is told later. Raises ProviderRefused: nothing was sent. Raises ProviderUnavailable,
        with the fact `sent` where it may have been sent all the same.
        """
        ...

    def fetch_payout(self, withdrawal: Withdrawal) -> Fetched:
        """Asks how one stands that may have been sent. Raises ProviderUnavailable."""
        ...

    def cards(self, holder: CardHolder) -> Sequence[Card]:
        """What the provider keeps for this person. Raises ProviderUnavailable."""
        ...

    def name_card(self, holder: CardHolder, token_id: str, name: str) -> None:
        """The provider's list names it so from now on. Raises as `remove_card`."""
        ...

    def remove_card(self, holder: CardHolder, token_id: str) -> None:
        """The provider forgets it. Raises ProviderRefused, ProviderUnavailable."""
        ...


class Presence(Protocol):
    """Who is connected by socket, and who tracks which payment; of all instances where it can."""

    def record(self, reference: str) -> dict[str, Any] | None:
        """`{reference, orderId, status, watchers, startedAt, expiresAt}`; None once it is gone."""
        ...

    def connections(self) -> dict[str, Any]:
        """`{connections, rooms}`: the sockets, and how many listen in each room."""
        ...

    def figures(self) -> dict[str, int]:
        """`{activeConnections, messagesProcessed, roomCount}`."""
        ...

    def storage(self) -> str:
        """`redis` where the instances see each other, else `memory`."""
        ...


class Queue(Protocol):
    """Carries facts from whoever committed them to every instance that has pages open."""

    shared: bool
    """Whether other processes publish into it too: then `carry` is to be called all the time."""

    def publish(self, facts: Sequence[Fact]) -> None:
        """Appends, in order. May raise; the relay then leaves the rows unmarked and tries again."""
        ...

    def read(self, timeout_seconds: float) -> Sequence[Fact]:
        """The next facts for this instance, in order; empty after the timeout."""
        ...

    def carry(self) -> None:
        """One step of bringing in what other processes published. Waits a little, never raises."""
        ...

    def healthy(self) -> bool: ...
