"""Sixth: a provider that there is not, in the form in which docs/add-a-provider.md leads to it.

Its callback is JSON; `X-Sixth-Signature` is the hex HMAC-SHA256 of the raw body. It can be asked
how an attempt stands. Amounts are whole euro cents.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from payments.domain.errors import (
    BadSignature,
    MalformedCallback,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.money import MAX_AMOUNT
from payments.domain.notice import Action, Notice
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Answer, Fetched, Payer, Started
from payments.domain.states import Kind
from payments.providers.http import call_json
from payments.providers.signatures import any_equal, hmac_sha256_hex, json_body
from payments.settings import Settings

API_URL = "http://127.0.0.1:9"
"""Of a real provider: a setting, as its keys are."""

STATES = {"paid": Kind.SUCCEEDED, "declined": Kind.FAILED, "open": Kind.PROCESSING}
"""Any other state says nothing of the money: it is asked about again."""


class Sixth:
    """See `domain.ports.Provider`."""

    answer = Answer(body=b'{"ok": true}')

    def __init__(self, settings: Settings) -> None:
        self._keys = settings.rails.generic_secrets

    def check(self, order: Order, payer: Payer) -> Payer:
        return payer

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        asked = {
            "ours": payment.reference,
            "cents": payment.amount,
            "back": to.return_url,
            "tell": to.callback_url,
        }
        reply = call_json("POST", f"{API_URL}/payments", body=asked, headers=self._login())
        if not reply.ok:
            raise ProviderRefused("Sixth does not take this payment.")
        page, theirs = reply.body.get("page"), reply.body.get("id")
        if not isinstance(page, str) or not isinstance(theirs, str):
            raise ProviderUnavailable("The provider's answer makes no sense.")
        return Started(Action("redirect", url=page), transaction_id=theirs)

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        json_body(headers, body)
        lower = {name.lower(): value for name, value in headers.items()}
        right = [hmac_sha256_hex(key, body.decode()) for key in self._keys]
        if not any_equal(right, lower.get("x-sixth-signature", "")):
            raise BadSignature("The signature is not Sixth's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        return [_notice(json_body(headers, body))]

    def fetch(self, payment: Payment) -> Fetched:
        path = f"/payments/{payment.transaction_id}"
        reply = call_json("GET", f"{API_URL}{path}", headers=self._login())
        return Fetched(reply.raw, (_notice(reply.body),) if reply.ok else ())

    def _login(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[0]}"}


def _notice(message: Mapping[str, Any]) -> Notice:
    """What a callback says, and an answer. Raises MalformedCallback."""
    theirs, ours, state = (_text(message, name) for name in ("id", "ours", "state"))
    cents, currency = message.get("cents"), _text(message, "currency")
    if type(cents) is not int or not 0 < cents <= MAX_AMOUNT:
        raise MalformedCallback("cents is not a whole number of cents.")
    if not re.fullmatch("[A-Z]{3}", currency):
        raise MalformedCallback("currency is not three letters.")
    kind = STATES.get(state, Kind.PROCESSING)
    return Notice(
        provider="sixth",
        event_id=f"{theirs}:{state}",
        kind=kind,
        reference=ours,
        transaction_id=theirs,
        amount=cents,
        currency=currency,
        reason_code="unknown" if kind is Kind.FAILED else None,
    )


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        raise MalformedCallback(f"{name} is missing.")
    return value
