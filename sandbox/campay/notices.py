"""What CamPay tells the merchant about a transaction, and how the switches spoil it. No I/O here.

The switches change the callbacks alone: what `GET /transaction/` says stays true. The JWT covers no
field of a callback, so a lie can be properly signed.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ..chance import Chance
from ..courier import Callback
from ..switches import Switch, Switches, is_on
from . import book, wire
from .book import Transaction

HEADERS = {"Content-Type": "application/json"}
WRONG_BY = 100

Fields = dict[str, str]

SWITCHES = (
    Switch("twice", "Twice", "The same callback two times"),
    Switch("reorder", "Out of order", "Older states come after"),
    Switch("wrong_amount", "Wrong amount", "Off by 100 FCFA, well signed"),
    Switch("lying", "Lying", "The opposite status, well signed"),
    Switch("forged", "Forged", "Signed with another key"),
    Switch("by_get", "By GET", "In the address, not in a body"),
    Switch("silent", "Silent", "No callback; a question tells"),
)


@dataclass(frozen=True)
class Own:
    """The switches that only CamPay has."""

    lying: bool = False
    by_get: bool = False


def read_own(asked: Mapping[str, Any]) -> Own:
    """From a form or JSON. ValueError names what cannot be read."""
    return Own(lying=is_on("lying", asked), by_get=is_on("by_get", asked))


def ended(
    keys: wire.CampayKeys,
    chance: Chance,
    one: Transaction,
    *,
    status: str | None = None,
    amount: int | None = None,
    key: str | None = None,
) -> Fields:
    """A callback's fields, all of them text; of how it ends, or of the `status` given."""
    shown = one.status if status is None else status
    at = int(time.time())
    claims: dict[str, Any] = {"iat": at, "nbf": at, "exp": at + wire.SIGNED_SECONDS}
    # Which claims CamPay sends is not documented: both sets that have been seen are sent.
    if chance.one_in(2, "source", one.reference):
        claims = {"source": "CamPay", **claims}
    return {
        "status": shown,
        "reference": one.reference,
        "amount": f"{one.amount if amount is None else amount}.00",
        "app_amount": f"{one.amount - one.fee}.00",
        "currency": wire.CURRENCY,
        "operator": one.operator,
        "code": one.code,
        "operator_reference": one.operator_reference if shown == book.PAID else "None",
        "signature": wire.token(key or keys.signing_key, claims),
        "external_reference": str(one.external_reference),
        "external_user": str(one.external_user),
        "endpoint": one.endpoint,
        "phone_number": one.phone,
        "reason": str(one.reason if shown == book.FAILED else None),
    }


def told(
    keys: wire.CampayKeys, chance: Chance, one: Transaction, switches: Switches, own: Own
) -> list[tuple[str, Fields]]:
    """What is sent after a decision, in this order, each with the words for the log."""
    if switches.silent:
        return []
    spoilt = ", wrong amount" * switches.wrong_amount + ", lying" * own.lying
    spoilt += ", forged" * switches.forged
    amount = one.amount + WRONG_BY if switches.wrong_amount else None
    key = f"not {keys.signing_key}" if switches.forged else None
    opposite = book.FAILED if one.status == book.PAID else book.PAID
    said = opposite if own.lying else one.status
    final = ended(keys, chance, one, status=said, amount=amount, key=key)
    sent = [(f"result{spoilt}", final)]
    if switches.twice:
        sent.append((f"the same again{spoilt}", final))
    if switches.reorder:
        sent += [
            (f"older: {status.lower()}{spoilt}", ended(keys, chance, one, status=status, key=key))
            for status in (book.PENDING, book.FAILED)
            if status != one.status
        ]
    return sent


def callback(
    keys: wire.CampayKeys,
    one: Transaction,
    label: str,
    fields: Fields,
    *,
    late_seconds: float = 0,
    by_get: bool = False,
    most_tries: int | None = None,
) -> Callback:
    """By POST as JSON, or by GET: the dashboard lets the merchant choose."""
    url = f"{keys.callback_url}?{urlencode(fields)}" if by_get else keys.callback_url
    return Callback(
        provider=wire.KEY,
        subject=one.reference,
        label=label,
        url=url,
        headers={} if by_get else HEADERS,
        body="" if by_get else json.dumps(fields),
        delay_seconds=late_seconds,
        most_tries=most_tries,
    )


def callbacks(
    keys: wire.CampayKeys,
    one: Transaction,
    sent: list[tuple[str, Fields]],
    switches: Switches,
    own: Own,
) -> list[Callback]:
    return [
        callback(
            keys,
            one,
            label,
            fields,
            late_seconds=switches.late,
            by_get=own.by_get,
            # A forger who is refused does not come back every second, as CamPay would.
            most_tries=1 if switches.forged else None,
        )
        for label, fields in sent
    ]
