"""What Razorpay tells the merchant about a payment, and how the switches spoil it. No I/O here.

The switches change the webhooks alone. What an answer says and what the browser carries stay true.
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ..courier import Callback
from ..switches import Switch, Switches
from . import wire
from .told import Entity

SWITCHES = (
    Switch("twice", "Twice", "Each event two times"),
    Switch("reorder", "Out of order", "Newest first, older states come after"),
    Switch("wrong_amount", "Wrong amount", "Off by ₹1, well signed"),
    Switch("forged", "Forged", "Signed with another secret"),
    Switch("silent", "Silent", "No event; a question tells"),
)
WRONG_BY = 100
CONTENT = {
    "payment.authorized": ("payment",),
    "payment.captured": ("payment",),
    "payment.failed": ("payment",),
    "order.paid": ("payment", "order"),
    "qr_code.credited": ("payment", "qr_code"),
    "payment_link.paid": ("payment", "order", "payment_link"),
}


def callback(
    keys: wire.RazorpayKeys,
    seed: str,
    event: str,
    entities: Mapping[str, Entity],
    *,
    subject: str,
    delay_seconds: float = 0,
    secret: str | None = None,
    label: str | None = None,
) -> Callback:
    """One signed event. `seed` makes its id: the same again has the same."""
    told: dict[str, Any] = {
        "entity": "event",
        "account_id": "acc_PretendedShop1",
        "event": event,
        "contains": list(entities),
        "payload": {name: {"entity": entity} for name, entity in entities.items()},
        "created_at": int(time.time()),
    }
    body = json.dumps(told, ensure_ascii=False)
    return Callback(
        provider=wire.KEY,
        subject=subject,
        label=label or event,
        url=keys.webhook_url,
        body=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": "Razorpay-Webhook/v1",
            "X-Razorpay-Event-Id": wire.sign("event ids", seed)[:14],
            "X-Razorpay-Signature": wire.sign(secret or keys.webhook_secret, body),
        },
        delay_seconds=delay_seconds,
        # A forger who is refused does not come back, as Razorpay would.
        most_tries=1 if secret else None,
    )


def callbacks(
    keys: wire.RazorpayKeys,
    subject: str,
    told: Sequence[tuple[str, Mapping[str, Entity]]],
    switches: Switches,
    *,
    round_: str = "",
) -> list[Callback]:
    """The events of a decision, oldest first, as the switches have them sent."""
    if switches.silent:
        return []
    if switches.reorder:
        told = [*reversed(told), *older(told)]
    secret = f"not {keys.webhook_secret}" if switches.forged else None
    spoilt = ", wrong amount" * switches.wrong_amount + ", forged" * switches.forged
    sent = []
    for event, entities in told:
        shown = {name: entities[name] for name in CONTENT[event]}
        if switches.wrong_amount:
            shown["payment"] = {**shown["payment"], "amount": wrong(shown["payment"]["amount"])}
        made = callback(
            keys,
            f"{shown['payment']['id']}.{event}{round_}",
            event,
            shown,
            subject=subject,
            delay_seconds=switches.late,
            secret=secret,
            label=f"{event}{spoilt}",
        )
        sent += [made, made] if switches.twice else [made]
    return sent


def older(
    told: Sequence[tuple[str, Mapping[str, Entity]]],
) -> list[tuple[str, Mapping[str, Entity]]]:
    """What was so before the last event: authorised, and a first try that failed."""
    entities = told[-1][1]
    payment = entities["payment"]
    if payment["status"] == "failed":
        return []
    waiting = {**payment, "status": "authorized", "captured": False}
    first = {
        **payment,
        "id": f"pay_{wire.sign('first tries', payment['id'])[:14]}",
        "status": "failed",
        "captured": False,
        "error_code": "BAD_REQUEST_ERROR",
        "error_reason": "payment_timed_out",
        "acquirer_data": {"rrn": None},
    }
    return [
        ("payment.authorized", {**entities, "payment": waiting}),
        ("payment.failed", {**entities, "payment": first}),
    ]


def wrong(amount: int) -> int:
    """Less by a rupee, or more where less would be no amount."""
    return amount - WRONG_BY if amount > WRONG_BY else amount + WRONG_BY
