"""SePay: the feed of a bank account, one line in a body.

Facts from developer.sepay.vn (webhooks: security, errors) and public copies of its field list. A
webhook is proved by an API key or by a signature, as the shop has chosen at SePay.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from payments.domain.errors import BadSignature, MalformedCallback
from payments.domain.notice import Notice
from payments.domain.ports import Answer
from payments.providers.feed import (
    THANKS,
    credential,
    header,
    line,
    name_of,
    text_of,
    whole_dong,
)
from payments.providers.signatures import any_equal, hmac_sha256_hex, json_body
from payments.settings import Settings

TOLERANCE_SECONDS = 300
"""On both sides, as SePay asks."""

SCHEME = "sha256="
SIGNED = "{timestamp}.{body}"
"""UNCONFIRMED: what is signed, by three integrators; SePay's own words for it were not read."""


class Sepay:
    """See `domain.ports.Provider`; it only receives."""

    answer: Answer = THANKS

    def __init__(self, settings: Settings) -> None:
        if settings.rails.sepay is None:
            raise LookupError("SePay is not configured")
        self._keys = settings.rails.sepay.api_keys
        self._secrets = settings.rails.sepay.webhook_secrets

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Whatever proof it carries has to be right, and it has to carry one that is set up."""
        key, signature = credential(headers, "Apikey"), header(headers, "X-SePay-Signature")
        proofs = []
        if self._keys and key:
            proofs.append(any_equal(self._keys, key))
        if self._secrets and signature:
            proofs.append(self._signed(signature, header(headers, "X-SePay-Timestamp"), body))
        if not proofs or not all(proofs):
            raise BadSignature("The callback is not proved to be SePay's.")

    def _signed(self, signature: str, timestamp: str, body: bytes) -> bool:
        if not re.fullmatch(r"[0-9]{1,12}", timestamp):
            return False
        if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
            return False
        try:
            signed = SIGNED.format(timestamp=timestamp, body=body.decode())
        except UnicodeDecodeError:
            return False
        return any_equal([SCHEME + hmac_sha256_hex(s, signed) for s in self._secrets], signature)

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        part = json_body(headers, body)
        one = _line(part)
        return [] if one is None else [one]


def _line(part: dict[str, Any]) -> Notice | None:
    direction = str(part.get("transferType")).lower()
    if direction not in {"in", "out"}:
        raise MalformedCallback("transferType is neither in nor out.")
    amount, line_id = whole_dong(part.get("transferAmount")), name_of(part.get("id"))
    if direction == "out":
        return None
    # `code` is what SePay has found of a payment code in the content, by the shop's own pattern.
    text = text_of(part.get("content"), part.get("code"))
    return line("sepay", line_id, amount, text, text_of(part.get("referenceCode")), part)
