"""payOS: tells of each transfer to an account or virtual account that payOS watches.

Facts from payos.vn/docs (webhooks, checking the signature) and from the packages of payOS, which
agree with each other. Amounts are whole dong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from payments.domain.errors import BadSignature, MalformedCallback
from payments.domain.memo import references_in
from payments.domain.notice import Notice
from payments.domain.ports import Answer
from payments.providers.feed import THANKS, currency_of, line, name_of, text_of, whole_dong
from payments.providers.signatures import any_equal, hmac_sha256_hex, json_body
from payments.settings import Settings

PAID = "00"

SAMPLE_LINK = "124c33293c43417ab7879e14c8d9eb18"
"""The payment link of the sample that payOS sends when a webhook is registered: no money came.

UNCONFIRMED that it is always this one; the documents know no other.
"""


class Payos:
    """See `domain.ports.Provider`; it only receives."""

    answer: Answer = THANKS

    def __init__(self, settings: Settings) -> None:
        if settings.rails.payos is None:
            raise LookupError("payOS is not configured")
        self._keys = settings.rails.payos.checksum_keys

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        message = json_body(headers, body)
        data, given = message.get("data"), message.get("signature")
        if not isinstance(data, dict) or not isinstance(given, str):
            raise BadSignature("The callback is not signed.")
        text = signed_text(data)
        if not any_equal([hmac_sha256_hex(key, text) for key in self._keys], given):
            raise BadSignature("The signature is not payOS's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        message = json_body(headers, body)
        data = message["data"]
        if not _paid(message, data) or data.get("paymentLinkId") == SAMPLE_LINK:
            return []
        number = text_of(data.get("reference"))
        # The bank's number names the line; without one the same words are the same line.
        line_id = number.replace(" ", "_") or hashlib.sha256(signed_text(data).encode()).hexdigest()
        one = line(
            "payos",
            name_of(line_id),
            whole_dong(data.get("amount")),
            text_of(data.get("description"), number if references_in(number) else None),
            number,
            data,
            currency_of(data.get("currency")),
        )
        return [] if one is None else [one]


def _paid(message: Mapping[str, Any], data: Mapping[str, Any]) -> bool:
    """Only `data` is signed, so it has to say so itself; what stands around it may only deny it."""
    if not isinstance(data.get("code"), str):
        raise MalformedCallback("The callback has no code.")
    around = message.get("success", True) is not False and message.get("code", PAID) == PAID
    return data["code"] == PAID and around


def signed_text(data: Mapping[str, Any]) -> str:
    """`key=value` of all keys that have come, sorted and joined by `&`.

    Not of the keys that one knows: payOS adds new ones.
    """
    return "&".join(f"{key}={_plain(data[key])}" for key in sorted(data))


def _plain(value: Any) -> str:
    if value is None or value in ("null", "undefined"):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        whole = [dict(sorted(one.items())) if isinstance(one, dict) else one for one in value]
        return json.dumps(whole, separators=(",", ":"), ensure_ascii=False)
    if isinstance(value, str | int):
        return str(value)
    raise BadSignature("A field has a form that is not signed.")
