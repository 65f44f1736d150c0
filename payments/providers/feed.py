"""What the bank feeds share: one line of a bank account becomes one Notice.

A feed tells of money that has come, whatever it was for. So a line that fits no attempt is kept and
its money held, and one that cannot be read costs the others of its body nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from payments.domain.errors import MalformedCallback, UnknownCurrency
from payments.domain.memo import references_in
from payments.domain.money import MAX_AMOUNT, exponent
from payments.domain.notice import Notice
from payments.domain.ports import Answer
from payments.domain.states import Kind
from payments.domain.transfers import BANK

THANKS = Answer(body=b'{"success": true}')
"""Pay2S and payOS want this very body with the 200; for the others any 2xx will do."""

LONGEST_ID = 80


def line(
    provider: str,
    line_id: str,
    amount: int,
    text: str,
    number: str | None,
    signed: Any,
    currency: str = "VND",
) -> Notice | None:
    """The Notice of one line; None where no money came in: it went out, or there is none.

    `line_id` is the feed's own name for the line and makes a resend the same event. `number` is the
    bank's own for the transfer: what staff may have seen, and what another feed calls it too.
    `signed` is the line as the feed has it: the body around it differs from resend to resend.
    """
    if amount <= 0:
        return None
    if amount > MAX_AMOUNT:
        raise MalformedCallback("The amount is out of range.")
    number = " ".join(number.split())[:LONGEST_ID] if number else None
    return Notice(
        provider=provider,
        event_id=line_id,
        kind=Kind.SUCCEEDED,
        transaction_id=f"{provider}:{line_id}",
        amount=amount,
        currency=currency,
        any_amount=True,
        signed=_canonical(signed),
        rail=BANK,
        memos=references_in(text),
        evidence=(number,) if number else (),
        text=text,
    )


def lines(
    provider: str, parts: Sequence[Any], read: Callable[[dict[str, Any]], Notice | None]
) -> list[Notice]:
    """All lines of a body. One that cannot be read is kept for staff as it came.

    Raises MalformedCallback where none of them can be.
    """
    told: list[Notice] = []
    unreadable: list[Notice] = []
    good = False
    for part in parts:
        try:
            if not isinstance(part, dict):
                raise MalformedCallback("A line is not an object.")
            one = read(part)
        except MalformedCallback:
            unreadable.append(_unreadable(provider, part))
            continue
        good = True
        if one is not None:
            told.append(one)
    if unreadable and not good:
        raise MalformedCallback("No line of the body can be read.")
    return told + unreadable


def said(provider: str, event_id: str, kind: Kind, text: str, signed: Any) -> Notice:
    """What a gateway says of an attempt, found by its memo, while no money has come."""
    return Notice(
        provider,
        event_id,
        kind,
        reason_code="unknown" if kind is Kind.FAILED else None,
        signed=_canonical(signed),
        rail=BANK,
        memos=references_in(text),
        text=text,
    )


def _unreadable(provider: str, part: Any) -> Notice:
    """It says nothing that could be booked; the same again is the same event."""
    signed = _canonical(part)
    name = f"unreadable:{hashlib.sha256(signed).hexdigest()}"
    return Notice(provider, name, Kind.SUCCEEDED, signed=signed, rail=BANK)


def _canonical(part: Any) -> bytes:
    return json.dumps(part, sort_keys=True, ensure_ascii=False).encode()


def header(headers: Mapping[str, str], name: str) -> str:
    """Empty where it was not sent."""
    return next((v for k, v in headers.items() if k.lower() == name.lower()), "")


def credential(headers: Mapping[str, str], scheme: str) -> str:
    """What follows `scheme` in the Authorization header; empty where there is no such."""
    word, _, rest = header(headers, "Authorization").partition(" ")
    return rest if word.lower() == scheme.lower() else ""


def whole_dong(value: Any) -> int:
    """An amount, which may be negative: a whole number, or its digits as text."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        value = int(value)
    if type(value) is not int:
        raise MalformedCallback("The amount is not a whole number of dong.")
    return value


def name_of(value: Any) -> str:
    """A feed's own name for a line: a number, or a text without spaces."""
    if type(value) is int and value >= 0:
        return str(value)
    if isinstance(value, str) and re.fullmatch(rf"[\x21-\x7e]{{1,{LONGEST_ID}}}", value):
        return value
    raise MalformedCallback("The line has no id.")


def text_of(*values: Any) -> str:
    """What a bank and a payer have written, put together once; absent parts are left out."""
    words = [" ".join(value.split()) for value in values if isinstance(value, str)]
    return " ".join(word for place, word in enumerate(words) if word and word not in words[:place])


def currency_of(value: Any) -> str:
    """As the line names it; VND where it does not."""
    text = "VND" if value is None or value == "" else str(value)
    try:
        exponent(text)
    except UnknownCurrency as error:
        raise MalformedCallback("The currency is none of ISO 4217.") from error
    return text
