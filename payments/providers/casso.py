"""Casso: the feed of a bank account; webhooks of version 2, signed, and of version 1, with a token.

Facts from developer.casso.vn and from Casso's own sample, which was computed again and is equal.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from payments.domain.errors import BadSignature, MalformedCallback
from payments.domain.notice import Notice
from payments.domain.ports import Answer
from payments.providers.feed import THANKS, header, line, lines, name_of, text_of, whole_dong
from payments.providers.signatures import any_equal, json_body
from payments.settings import Settings

TOLERANCE_SECONDS = 300
"""UNCONFIRMED: Casso names no window, nor whether a repeated call is signed anew."""

TEST_LINE = "0"
"""The id of the line in Casso's test call: no money has come."""

_SIGNATURE = re.compile(r"t=([0-9]{1,16}),\s*v1=([0-9a-f]{128})")


class Casso:
    """See `domain.ports.Provider`; it only receives."""

    answer: Answer = THANKS

    def __init__(self, settings: Settings) -> None:
        self._keys = settings.rails.casso_keys

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Whatever proof it carries has to be right, and it has to carry one."""
        signature, token = (header(headers, name) for name in ("X-Casso-Signature", "Secure-Token"))
        if signature:
            self._signed(signature, json_body(headers, body))
        if token and not any_equal(self._keys, token):
            raise BadSignature("The token is not the webhook's.")
        if not signature and not token:
            raise BadSignature("The callback is not signed.")

    def _signed(self, signature: str, message: dict[str, Any]) -> None:
        match = _SIGNATURE.fullmatch(signature)
        if match is None:
            raise BadSignature("The signature is not of Casso's form.")
        at, given = match.groups()
        if abs(time.time() * 1000 - int(at)) > TOLERANCE_SECONDS * 1000:
            raise BadSignature("The callback is stale.")
        right = [
            hmac.new(key.encode(), f"{at}.{text}".encode(), hashlib.sha512).hexdigest()
            for key in self._keys
            for text in canonical_forms(message)
        ]
        if not any_equal(right, given):
            raise BadSignature("The signature is not Casso's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        data = json_body(headers, body).get("data")
        if isinstance(data, dict):
            one = _line(data)
            return [] if one is None else [one]
        if not isinstance(data, list):
            raise MalformedCallback("There is no data.")
        return lines("casso", data, _line)


def canonical_forms(message: Mapping[str, Any]) -> tuple[str, str]:
    """Compact JSON with the keys sorted at every level, as JavaScript and as PHP write it.

    UNCONFIRMED which of them Casso's server signs: its JavaScript sample writes `/` and other
    letters than ASCII as they are, its PHP sample escapes them. Each is one text for one message,
    so that a message signed in either form is proved whole.
    """
    plain = json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    escaped = json.dumps(message, sort_keys=True, separators=(",", ":"))
    return plain, escaped.replace("/", "\\/")


def _line(part: dict[str, Any]) -> Notice | None:
    """Of either version; an amount below zero went out."""
    line_id, amount = name_of(part.get("id")), whole_dong(part.get("amount"))
    if line_id == TEST_LINE:
        return None
    text = text_of(part.get("description"))
    number = text_of(part.get("reference") or part.get("tid"))
    return line("casso", line_id, amount, text, number, part)
