"""What the outside says about one attempt: the only form in which a provider's word enters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from payments.domain.cards import KeptCard
from payments.domain.states import Kind

RUNG = "rung"
"""In an attempt's handle: the provider's id that a doorbell named, which proves nothing yet."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One verified statement; the same `event_id` of a provider twice is the same event.

    `reference` is ours, `transaction_id` the provider's, `order_id` is named where the rail knows
    orders instead of attempts. `amount` is in minor units of `currency`; a rail that names no
    currency means the order's. `any_amount` says that the payer sets the amount on this rail.
    `signed` is the content under the signature where that is not the whole body.

    `rail` is the way to pay that the attempt was begun on, where it has another name than the
    sender: several feeds report of one bank account. `refund` names a refund, ours or the
    provider's, where the statement is about that and not about the payment; `payout` in the same
    way a withdrawal. A doorbell may not know which of the two it is about, and names both.

    `proven` False: a doorbell. The sender has not proved what it says, so the provider is asked,
    and its answer is the statement.

    `again`: this try failed, and the payer may try again by the same code or link, so that the
    attempt is asked about further.

    A line of a bank feed has `memos`: what in its text could be a reference of ours (none, or
    several); it has `evidence` by which staff may have confirmed it before, and its `text`. Its
    money has come even where it fits no attempt.

    `kept_card`: the payment has kept its card with the provider.
    """

    provider: str
    event_id: str
    kind: Kind
    reference: str | None = None
    order_id: str | None = None
    transaction_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    any_amount: bool = False
    reason_code: str | None = None
    signed: bytes | None = None
    rail: str | None = None
    refund: str | None = None
    payout: str | None = None
    proven: bool = True
    again: bool = False
    memos: tuple[str, ...] | None = None
    evidence: tuple[str, ...] = ()
    text: str | None = None
    kept_card: KeptCard | None = None

    @property
    def paid_on(self) -> str:
        """The rail, as the attempt names it."""
        return self.rail or self.provider

    def as_record(self) -> dict[str, Any]:
        """What was read, to be kept with the bytes: all that decides what becomes of it."""
        said = {
            one.name: value
            for one in fields(self)
            if one.name not in {"signed", "kept_card"}
            and (value := getattr(self, one.name)) != one.default
        }
        return {**said, "kind": self.kind.value}

    @classmethod
    def of_record(cls, said: Mapping[str, Any]) -> Notice:
        """The opposite; JSON knows no tuples."""
        lists = {name: tuple(said[name]) for name in ("memos", "evidence") if name in said}
        return cls(**{**said, **lists, "kind": Kind(said["kind"])})


@dataclass(frozen=True, slots=True)
class RawCallback:
    """The bytes as they came, kept for staff and for the rebuild.

    `source`: callback, fetch or staff.
    """

    provider: str
    source: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Action:
    """What the payer has to do: follow a link, scan a code, dial, or nothing.

    `fields`: where there are any, the browser sends them to `url` by POST; by GET it leads nowhere.
    `details` are what one may have to type by hand, by name: `bank`, `account`, `account_name`,
    `memo`, `vpa`, `payee`, `phone`.
    """

    type: str
    url: str | None = None
    fields: dict[str, str] | None = None
    qr: str | None = None
    deeplink: str | None = None
    ussd_code: str | None = None
    details: dict[str, str] | None = None

    def as_dict(self) -> dict[str, Any]:
        parts = ("type", "url", "fields", "qr", "deeplink", "ussd_code", "details")
        return {name: value for name in parts if (value := getattr(self, name)) is not None}
