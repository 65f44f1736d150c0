"""What the outside says about one attempt: the only form in which a provider's word enters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from payments.domain.states import Kind


@dataclass(frozen=True, slots=True)
class Notice:
    """One verified statement; the same `event_id` of a provider twice is the same event.

    `reference` is ours, `transaction_id` the provider's, `order_id` is named where the rail knows
    orders instead of attempts. `amount` is in minor units of `currency`; a rail that names no
    currency means the order's. `any_amount` says that the payer sets the amount on this rail.
    `signed` is the content under the signature where that is not the whole body.
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
    """What the payer has to do: follow a link, scan a code, dial, or nothing."""

    type: str
    url: str | None = None
    qr: str | None = None
    deeplink: str | None = None
    ussd_code: str | None = None

    def as_dict(self) -> dict[str, Any]:
        parts = ("type", "url", "qr", "deeplink", "ussd_code")
        return {name: value for name in parts if (value := getattr(self, name)) is not None}
