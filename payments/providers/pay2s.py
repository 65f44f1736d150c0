"""Pay2S: the feed of a bank account, and the result of its gateway's page.

Facts from docs.pay2s.vn (webhook, api/instant-payment-notification) and Pay2S's sample app. Amounts
are whole dong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from payments.domain.errors import BadSignature, MalformedCallback
from payments.domain.notice import Notice
from payments.domain.ports import Answer
from payments.domain.states import Kind
from payments.providers.feed import (
    THANKS,
    credential,
    line,
    lines,
    name_of,
    said,
    text_of,
    whole_dong,
)
from payments.providers.pay2s_gateway import IPN_FIELDS, m2signature
from payments.providers.signatures import any_equal, json_body
from payments.settings import Settings

PAID, PENDING = 0, 9000
"""Result codes of the gateway; every other one means that the payer's try has failed."""

SIGNATURES = ("m2signature", "signature")
"""UNCONFIRMED: Pay2S's page names the one, its sample app the other. What is there is verified."""


class Feed:
    """`POST` of what came to the account, several lines in a body; only the token proves it.

    UNCONFIRMED: how `checksum` is made; it is not relied on.
    """

    answer: Answer = THANKS

    def __init__(self, settings: Settings) -> None:
        self._tokens = settings.rails.pay2s_tokens

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        if not any_equal(self._tokens, credential(headers, "Bearer")):
            raise BadSignature("The token is not the webhook's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        parts = json_body(headers, body).get("transactions")
        if not isinstance(parts, list):
            raise MalformedCallback("There is no list of transactions.")
        return lines("pay2s", parts, _line)


def _line(part: dict[str, Any]) -> Notice | None:
    direction = str(part.get("transferType")).upper()
    if direction not in {"IN", "OUT"}:
        raise MalformedCallback("transferType is neither IN nor OUT.")
    amount = whole_dong(part.get("transferAmount"))
    line_id = name_of(part.get("id"))
    if direction == "OUT":
        return None
    text = text_of(part.get("content"))
    return line("pay2s", line_id, amount, text, text_of(part.get("transactionNumber")), part)


class Gateway:
    """The instant notification of a payment on Pay2S's page, which leads to our own bank account.

    It names no number of the bank's: the account's feed tells of the same transfer by our memo.
    """

    answer: Answer = THANKS

    def __init__(self, settings: Settings) -> None:
        if settings.rails.pay2s_gateway is None:
            raise LookupError("Pay2S's gateway is not configured")
        self._gateway = settings.rails.pay2s_gateway

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        message = json_body(headers, body)
        given = [message[name] for name in SIGNATURES if message.get(name)]
        if not given or message.get("partnerCode") != self._gateway.partner_code:
            raise BadSignature("The callback is not signed.")
        fields = self._fields(message)
        right = [m2signature(fields, secret) for secret in self._gateway.secret_keys]
        for signature in given:
            if not isinstance(signature, str) or not any_equal(right, signature):
                raise BadSignature("The signature is not Pay2S's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        message = json_body(headers, body)
        fields = self._fields(message)
        code = whole_dong(message.get("resultCode"))
        order_id, trans_id = (name_of(message.get(name)) for name in ("orderId", "transId"))
        text = text_of(message.get("orderInfo"), order_id)
        event = f"{order_id}:{trans_id}:{code}"
        if code != PAID:
            kind = Kind.PROCESSING if code == PENDING else Kind.FAILED
            return [said("pay2s-gateway", event, kind, text, fields)]
        one = line("pay2s-gateway", trans_id, whole_dong(fields["amount"]), text, None, fields)
        return [] if one is None else [replace(one, event_id=event)]

    def _fields(self, message: Mapping[str, Any]) -> dict[str, str | int]:
        """What is signed, in the values' own form. Raises MalformedCallback."""
        known = {**message, "accessKey": self._gateway.access_key}
        fields: dict[str, str | int] = {}
        for name in IPN_FIELDS:
            value = known.get(name)
            if value is not None and type(value) not in {int, str}:
                raise MalformedCallback(f"{name} has the wrong type.")
            fields[name] = "" if value is None else value
        return fields
