"""PAYable IPG (Sri Lanka): cards on its hosted page, in LKR, USD, EUR and GBP.

What the browser brings back (`uid`, `statusIndicator`) proves nothing and is not read: the callback
decides, or the answer to our own question. There is no call that gives money back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from payments.domain.cards import Card, CardHolder
from payments.domain.errors import (
    BadSignature,
    InvalidInput,
    MalformedCallback,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.money import to_major
from payments.domain.notice import Action, Notice
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Answer, Fetched, Payer, Started
from payments.providers import payable_cards
from payments.providers.http import Reply, call_json
from payments.providers.payable_wire import check_value, environment, notice_of, signed_texts
from payments.providers.signatures import any_equal, json_body
from payments.settings import Settings
from payments.settings.rails import PayableSettings

UNKNOWN = {
    "customerFirstName": "Customer",
    "customerLastName": "Customer",
    "customerMobilePhone": "0000000000",
    "customerEmail": "customer@customer.invalid",
    "billingAddressStreet": "Unknown",
    "billingAddressCity": "Unknown",
    "billingAddressCountry": "LKA",
    # PAYable's own package sends this where there is none.
    "billingAddressPostcodeZip": "0000",
}
"""UNCONFIRMED: that PAYable takes these. It demands the fields, and a shop seldom knows them all.
Mail to `.invalid` reaches nobody (RFC 2606)."""

REFUSED_FIELDS = {
    "customerEmail": ("invalid_email", "email"),
    "customerMobilePhone": ("invalid_phone", "phone"),
    "customerFirstName": ("invalid_name", "name"),
    "customerLastName": ("invalid_name", "name"),
    "amount": ("amount_outside_limits", "amount"),
    "currencyCode": ("currency_not_taken", "currency"),
    "invoiceId": ("duplicate_reference", None),
}
"""The field that PAYable did not like: our code for it, and what the caller calls it."""

MOST_DESCRIPTION = 100
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,180}\.[^@\s.]{2,}")
_PHONE = re.compile(r"\+?[0-9]{7,15}")


class Payable:
    """See `domain.ports.Provider`."""

    answer = Answer(body=b'{"Status":200}')

    def __init__(self, settings: Settings) -> None:
        if settings.rails.payable is None:
            raise LookupError("Payable is not configured")
        self._payable: PayableSettings = settings.rails.payable
        simulator = f"{settings.own_url}/sandbox/payable" if settings.sandbox else None
        name = environment(self._payable.api_url, simulator)
        self._calls = f"{self._payable.api_url}/ipg/{name}"
        self._shop_url = settings.public_url

    def check(self, order: Order, payer: Payer) -> Payer:
        if payer.save_card and payer.card_holder is None:
            raise InvalidInput(
                "Sign in to have a card kept.", code="card_not_kept", field="save_card"
            )
        if payer.email and not _EMAIL.fullmatch(payer.email.strip()):
            raise InvalidInput("This is no e-mail address.", code="invalid_email", field="email")
        phone = re.sub(r"[\s().-]", "", payer.phone or "")
        if phone and not _PHONE.fullmatch(phone):
            raise InvalidInput("This is no phone number.", code="invalid_phone", field="phone")
        name = " ".join((payer.name or order.customer_name or "").split())
        email = (payer.email or order.customer_email or "").strip()
        known = email if _EMAIL.fullmatch(email) else None
        return replace(payer, name=name or None, email=known, phone=phone or None)

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        if payer.token_id and payer.card_holder:
            return payable_cards.pay_with_card(
                self._payable, payment, payer.card_holder, payer.token_id, to.callback_url
            )
        reply = call_json("POST", self._calls, body=self._request(payment, order, payer, to))
        page = reply.body.get("paymentPage")
        if not isinstance(page, str):
            raise _refusal(reply)
        handle = payable_cards.handle_of(reply.body)
        if not handle or urlsplit(page).scheme not in {"http", "https"}:
            raise ProviderUnavailable("The provider's answer makes no sense.")
        return Started(Action("redirect", url=page), handle=handle)

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        message = json_body(headers, body)
        given = message.get("checkValue")
        if not isinstance(given, str) or message.get("merchantKey") != self._payable.merchant_key:
            raise BadSignature("The callback is not signed.")
        right = [
            check_value(token, text)
            for token in self._payable.merchant_tokens
            for text in signed_texts(message)
        ]
        if not any_equal(right, given):
            raise BadSignature("The check value is not Payable's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        return [notice_of(json_body(headers, body))]

    def fetch(self, payment: Payment) -> Fetched:
        handle = payment.handle or {}
        if "uid" not in handle:
            return Fetched(b"", ())
        asked = {"uid": handle["uid"], "statusIndicator": handle["status_indicator"]}
        reply = call_json("POST", f"{self._calls}/check-status", body=asked)
        told = reply.body.get("data")
        # 404 PENDING, and whatever is about another payment, says nothing yet.
        if not isinstance(told, dict) or told.get("invoiceNo") != payment.reference:
            return Fetched(reply.raw, ())
        try:
            return Fetched(reply.raw, (notice_of(told),))
        except MalformedCallback as fault:
            raise ProviderUnavailable("The provider's answer makes no sense.") from fault

    def cards(self, holder: CardHolder) -> Sequence[Card]:
        return payable_cards.list_cards(self._payable, holder)

    def name_card(self, holder: CardHolder, token_id: str, name: str) -> None:
        payable_cards.name_card(self._payable, holder, token_id, name)

    def remove_card(self, holder: CardHolder, token_id: str) -> None:
        payable_cards.remove_card(self._payable, holder, token_id)

    def _request(
        self, payment: Payment, order: Order, payer: Payer, to: Addresses
    ) -> dict[str, Any]:
        """The body that opens a hosted page. Sent twice, the payer is shown one page."""
        amount = to_major(payment.amount, payment.currency)
        signed = [self._payable.merchant_key, payment.reference, amount, payment.currency]
        body = {
            **UNKNOWN,
            **_customer(payer),
            "merchantKey": self._payable.merchant_key,
            "paymentType": "1",
            "invoiceId": payment.reference,
            "amount": amount,
            "currencyCode": payment.currency,
            "orderDescription": order.description[:MOST_DESCRIPTION] or order.id,
            "logoUrl": f"{self._shop_url}/static/favicon.svg",
            "returnUrl": to.return_url,
            "webhookUrl": to.callback_url,
            "statusReturnUrl": f"{self._calls}/status-view",
            "refererUrl": self._shop_url,
            "integrationType": "JSDK",
            "integrationVersion": "4.1.4",
        }
        if payer.save_card and payer.card_holder:
            signed.append(payer.card_holder.reference)
            body |= {
                "paymentType": "3",
                "isSaveCard": "1",
                "doFirstPayment": "1",
                "customerRefNo": payer.card_holder.reference,
            }
        return {**body, "checkValue": check_value(self._payable.merchant_tokens[0], *signed)}


def _customer(payer: Payer) -> dict[str, str]:
    """What is known of the payer, under PAYable's names."""
    first, _, last = (payer.name or "").partition(" ")
    known = {
        "customerFirstName": first[:50],
        "customerLastName": (last or first)[:50],
        "customerMobilePhone": payer.phone,
        "customerEmail": payer.email,
    }
    return {name: value for name, value in known.items() if value}


def _refusal(reply: Reply) -> ProviderRefused | ProviderUnavailable:
    """A field of the payer's or ours that it does not like is final; everything else may pass."""
    errors = reply.body.get("errors")
    if isinstance(errors, dict) and errors:
        name = next((one for one in REFUSED_FIELDS if one in errors), None)
        code, field = REFUSED_FIELDS[name] if name else ("bad_format", None)
        return ProviderRefused("Payable does not take this payment.", code=code, field=field)
    return ProviderUnavailable("Payable cannot take payments now.")
