"""`POST /webhook/payment`: a shop's own system says that a booking is paid.

Signed by the Standard Webhooks specification 1.0.0: headers `webhook-id`, `webhook-timestamp`,
`webhook-signature`, HMAC-SHA256 over `id.timestamp.body`, five minutes of tolerance on both sides.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from payments.domain.errors import BadSignature, MalformedCallback
from payments.domain.money import MAX_AMOUNT
from payments.domain.notice import Notice
from payments.domain.ports import Answer
from payments.domain.states import Kind
from payments.providers.signatures import json_body
from payments.settings import Settings

TOLERANCE_SECONDS = 300

KINDS = {"success": Kind.SUCCEEDED, "failed": Kind.FAILED, "pending": Kind.PROCESSING}

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_TRANSACTION = re.compile(r"[\x21-\x7e]{1,128}")


class Generic:
    """See `domain.ports.Provider`; it only receives."""

    answer = Answer(body=b'{"success": true}')

    def __init__(self, settings: Settings) -> None:
        self._keys = [Webhook(secret) for secret in settings.rails.generic_secrets]

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        json_body(headers, body)
        lower = {name.lower(): value for name, value in headers.items()}
        _timely(lower.get("webhook-timestamp", ""))
        for key in self._keys:
            try:
                key.verify(body.decode(), lower)
            except (WebhookVerificationError, ValueError):
                continue
            return
        raise BadSignature("The signature is not one of the shop's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        message = json_body(headers, body)
        order_id = _matching(message, "bookingId", _ID)
        transaction = _matching(message, "transactionId", _TRANSACTION)
        amount, status = message.get("amount"), message.get("status")
        if type(amount) is not int or not 0 < amount <= MAX_AMOUNT:
            raise MalformedCallback("amount is not a whole number of minor units.")
        if not isinstance(status, str) or status not in KINDS:
            raise MalformedCallback("status is none of success, failed, pending.")
        currency = message.get("currency")
        if currency is not None and not _CURRENCY.fullmatch(str(currency)):
            raise MalformedCallback("currency is not three letters.")
        lower = {name.lower(): value for name, value in headers.items()}
        return [
            Notice(
                provider="generic",
                event_id=lower["webhook-id"],
                kind=KINDS[status],
                order_id=order_id,
                transaction_id=transaction,
                amount=amount,
                currency=currency,
                any_amount=True,
                reason_code="unknown" if status == "failed" else None,
            )
        ]


def _timely(timestamp: str) -> None:
    """The library forgives a timestamp from the future less strictly than the past; we do not."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise BadSignature("The callback has no timestamp.")
    if abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        raise BadSignature("The callback is stale.")


def _matching(message: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedCallback(f"{name} is missing or malformed.")
    return value
