"""CamPay on the wire: numbers, amounts, callbacks, words for refusals. No I/O.

Facts from CamPay's API documentation (documenter.getpostman.com/view/2391374) and its published
clients; what they do not say stands behind one name each, marked UNCONFIRMED.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from payments.domain.errors import InvalidInput, MalformedCallback
from payments.domain.notice import Notice
from payments.domain.states import Kind
from payments.providers.signatures import json_body

KEY = "campay"
CURRENCY = "XAF"
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 50

EXTERNAL = "external_reference"
"""Ours is sent as it is. UNCONFIRMED whether CamPay insists on a UUID4 (its recorded answers hold
others), and whether the same one twice is one request: nothing rests on that alone."""

STATUSES = {"PENDING": Kind.PROCESSING, "SUCCESSFUL": Kind.SUCCEEDED, "FAILED": Kind.FAILED}
"""Any other word says nothing: ask again."""

ERRORS = {
    "ER101": "invalid_phone",
    "ER102": "carrier_not_taken",
    "ER201": "invalid_amount",
    "ER301": "balance_too_low",
}
"""CamPay's documented codes. UNCONFIRMED which field carries one, so it is looked for anywhere."""

REASONS = {
    "NOT_ENOUGH_FUNDS": "no_funds",
    "INSUFFICIENT_BALANCE": "no_funds",
    "INSUFFICIENT_FUNDS": "no_funds",
    "LOW_BALANCE_OR_PAYEE_LIMIT_REACHED_OR_NOT_ALLOWED": "no_funds",
    "PAYER_LIMIT_REACHED": "limit_exceeded",
    "APPROVAL_REJECTED": "declined_by_payer",
    "PAYMENT_NOT_APPROVED": "declined_by_payer",
    "TRANSACTION_CANCELED": "cancelled",
    "TRANSACTION_CANCELLED": "cancelled",
    "EXPIRED": "timed_out",
    "COULD_NOT_PERFORM_TRANSACTION": "timed_out",
    "PAYER_NOT_FOUND": "account_inactive",
    "NOT_ALLOWED": "account_restricted",
}
"""MTN's reasons (momodeveloper.mtn.com). UNCONFIRMED that CamPay passes them on in `reason`."""

OPERATORS = {
    "MTN": (re.compile(r"6(?:7|5[0-4]|8[0-4])"), "*126"),
    "ORANGE": (re.compile(r"6(?:9|5[5-9]|8[5-9])"), "#150"),
}
"""How an operator's numbers and its codes to dial begin. UNCONFIRMED: it only chooses which of
several codes is shown, and refuses nobody."""

MOST_DESCRIPTION = 100
"""MTN takes 160 characters, and no apostrophes and the like (momodeveloper.mtn.com, errors)."""

_NUMBER = re.compile(r"(?:(?:\+|00)?237)?(6[0-9]{8})")
_SEPARATORS = re.compile(r"[\s().\u2010-\u2015-]+")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIAL = re.compile(r"[*#][0-9*#]{1,30}#")
_WHOLE = re.compile(r"([0-9]{1,15})(?:\.0*)?")
_ERROR = re.compile(r"\bER\d{3}\b")
_ABSENT = (None, "", "None", "null")


def number_of(typed: str | None) -> str:
    """`237` and nine digits, from any form that people of Cameroon write. Raises InvalidInput."""
    found = _NUMBER.fullmatch(_SEPARATORS.sub("", (typed or "")[:40]))
    if found is None:
        raise InvalidInput(
            "A mobile number of Cameroon has nine digits and begins with 6.",
            code="invalid_phone",
            field="phone",
        )
    return f"237{found[1]}"


def local_form(number: str) -> str:
    """As it is written at home: `6 77 12 34 56`."""
    home = number[3:]
    return " ".join((home[0], home[1:3], home[3:5], home[5:7], home[7:]))


def operator_of(number: str, said: object) -> str | None:
    """Whose number it is: as CamPay said, else as the number looks."""
    word = said.upper() if isinstance(said, str) else ""
    looks_like = (name for name, (begins, _) in OPERATORS.items() if begins.match(number[3:]))
    return word if word in OPERATORS else next(looks_like, None)


def code_to_dial(said: object, operator: str | None) -> str | None:
    """The USSD code in CamPay's answer, which may be a sentence with one code for each operator."""
    codes = _DIAL.findall(said[:500]) if isinstance(said, str) else []
    begins = OPERATORS[operator][1] if operator else ""
    theirs = [code for code in codes if begins and code.startswith(begins)]
    return theirs[0] if theirs else codes[0] if len(codes) == 1 else None


def plain(text: str, name: str) -> str:
    """What the payer reads on the phone, with our name for it, by which CamPay's history finds it.

    In letters that every operator takes.
    """
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9 .,-]+", " ", folded)
    return f"{' '.join(kept.split())[: MOST_DESCRIPTION - len(name) - 1]} {name}".strip()


def whole(value: object) -> int:
    """XAF has no decimals: `5`, `5.0` and `"5.00"` are five. Raises ValueError."""
    found = _WHOLE.fullmatch(str(value)) if type(value) in {int, float, str} else None
    if found is None:
        raise ValueError("not a whole amount")
    return int(found[1])


def id_of(value: object) -> str | None:
    """A name that can be kept and put into an address, else None."""
    given = _given(value)
    return given if given and _ID.fullmatch(given) else None


def error_of(answer: bytes) -> str | None:
    """Our code for the first of CamPay's in a refusal."""
    found = _ERROR.search(answer.decode("utf-8", "replace"))
    return ERRORS.get(found[0]) if found else None


def reason_of(said: object) -> str:
    """Our code for why a transaction failed; `unknown` where CamPay's words are."""
    text = said if isinstance(said, str) else ""
    word = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    return REASONS.get(word) or error_of(text.encode()) or "unknown"


@dataclass(frozen=True, slots=True)
class Transaction:
    """`GET /transaction/{reference}/`. `external`: our name for it, where CamPay gives it back."""

    reference: str
    status: str
    kind: Kind
    amount: int
    currency: str
    external: str | None
    phone: str | None
    reason: str | None


def transaction_of(answer: Mapping[str, Any]) -> Transaction:
    """Raises ValueError where a field cannot be what it is said to be."""
    reference, status, currency = (answer.get(name) for name in ("reference", "status", "currency"))
    if not isinstance(reference, str) or not isinstance(status, str):
        raise ValueError("no reference or status")
    if not isinstance(currency, str) or not re.fullmatch(r"[A-Z]{3}", currency):
        raise ValueError("no currency")
    kind = STATUSES.get(status, Kind.PROCESSING)
    return Transaction(
        reference=reference,
        status=status,
        kind=kind,
        amount=whole(answer.get("amount")),
        currency=currency,
        external=_given(answer.get(EXTERNAL)),
        phone=_given(answer.get("phone_number")),
        reason=reason_of(answer.get("reason")) if kind is Kind.FAILED else None,
    )


def _given(value: object) -> str | None:
    """CamPay writes what is absent as the text `None`."""
    return value if isinstance(value, str) and value not in _ABSENT else None


def fields_of(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """A callback's fields, from JSON or from a form or query string.

    Raises WrongMediaType, MalformedCallback.
    """
    media = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
    if media.split(";")[0].strip().lower() != FORM:
        return json_body(headers, body)
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise MalformedCallback("The callback is no form in UTF-8.") from error
    fields: dict[str, Any] = dict(pairs)
    if len(fields) != len(pairs) or any("\x00" in name + value for name, value in pairs):
        raise MalformedCallback("A field stands twice, or there is a NUL in one.")
    return fields


def doorbell(fields: Mapping[str, Any], body: bytes) -> Notice:
    """What a callback is about; what it says of it is not signed, and is asked.

    Raises MalformedCallback.
    """
    reference, ours = (id_of(fields.get(name)) for name in ("reference", EXTERNAL))
    if reference is None and (ours is None or fields.get("reference") not in _ABSENT):
        raise MalformedCallback("It names no transaction.")
    back = fields.get("endpoint") == "withdraw"
    return Notice(
        provider=KEY,
        event_id=f"rung:{reference or ours}:{hashlib.sha256(body).hexdigest()[:32]}",
        kind=Kind.PROCESSING,
        reference=None if back else ours,
        transaction_id=reference,
        # What leaves is a refund or a withdrawal: whichever of the two has this name.
        refund=(ours or reference) if back else None,
        payout=(ours or reference) if back else None,
        proven=False,
    )
