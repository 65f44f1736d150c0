"""Reads the bodies of PAYable's calls, and refuses them the way PAYable does. No I/O here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from . import wire

CURRENCIES = ("LKR", "USD", "EUR", "GBP")
AMOUNT = re.compile(r"[0-9]{1,10}\.[0-9]{2}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
NEEDED = (
    *("invoiceId", "amount", "currencyCode", "checkValue", "orderDescription", "paymentType"),
    *("returnUrl", "webhookUrl", "logoUrl", "customerFirstName", "customerLastName"),
    *("customerEmail", "customerMobilePhone", "billingAddressStreet", "billingAddressCity"),
    *("billingAddressCountry", "billingAddressPostcodeZip"),
)
MOST = {"invoiceId": 64, "orderDescription": 255, "nickName": 50}
LONGEST = 500


class Refused(Exception):
    """An answer of PAYable's that is a no, as it is sent."""

    def __init__(self, http_status: int, body: dict[str, Any]) -> None:
        super().__init__(http_status)
        self.http_status = http_status
        self.body = body


def wrong_fields(errors: Mapping[str, list[str]]) -> Refused:
    return Refused(400, {"status": 400, "errors": dict(errors)})


def not_ours() -> Refused:
    return Refused(400, {"status": 400, "error": {"err-message": "invalid Authentication"}})


def unknown() -> Refused:
    """Of the calls about kept cards."""
    return Refused(404, {"status": 404, "error": "Invalid authentication"})


@dataclass(frozen=True)
class Init:
    """`customer_ref` is empty where no card is to be kept."""

    invoice_id: str
    amount: str
    currency: str
    description: str
    return_url: str
    webhook_url: str
    customer_ref: str
    custom1: str
    custom2: str


@dataclass(frozen=True)
class Charge:
    customer_id: str
    token_id: str
    invoice_id: str
    amount: str
    currency: str
    webhook_url: str


def read_json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(400, {"status": 400, "error": "not JSON"}) from error
    if not isinstance(body, dict):
        raise Refused(400, {"status": 400, "error": "not an object"})
    return body


def init(keys: wire.PayableKeys, body: Mapping[str, Any]) -> Init:
    if body.get("merchantKey") != keys.merchant_key:
        raise Refused(403, {"status": 403, "error": {"message": "Invalid merchant key."}})
    errors = {name: [f"{name} is required."] for name in NEEDED if not text(body, name)}
    errors |= _wrong(body)
    keeps = text(body, "paymentType") == "3" and text(body, "isSaveCard") == "1"
    if keeps and not text(body, "customerRefNo"):
        errors["customerRefNo"] = ["customerRefNo is required."]
    if keeps and text(body, "doFirstPayment") != "1":
        errors["doFirstPayment"] = ["Only with a first payment is pretended here."]
    if errors:
        raise wrong_fields(errors)
    signed = [text(body, name) for name in ("merchantKey", "invoiceId", "amount", "currencyCode")]
    customer = text(body, "customerRefNo") if keeps else ""
    prove(keys, [*signed, customer] if keeps else signed, body)
    return Init(
        *(text(body, "invoiceId"), text(body, "amount"), text(body, "currencyCode")),
        *(text(body, "orderDescription"), text(body, "returnUrl"), text(body, "webhookUrl")),
        *(customer, text(body, "custom1"), text(body, "custom2")),
    )


def _wrong(body: Mapping[str, Any]) -> dict[str, list[str]]:
    def invalid(name: str) -> dict[str, list[str]]:
        return {name: [f"Invalid format for {name}."]}

    errors: dict[str, list[str]] = {}
    for name in NEEDED:
        if len(text(body, name)) > MOST.get(name, LONGEST):
            errors |= invalid(name)
    if not AMOUNT.fullmatch(text(body, "amount")) or float(text(body, "amount")) <= 0:
        errors |= invalid("amount")
    if text(body, "currencyCode") not in CURRENCIES:
        errors |= invalid("currencyCode")
    if text(body, "paymentType") not in {"1", "3"}:
        errors |= invalid("paymentType")
    if not EMAIL.fullmatch(text(body, "customerEmail")):
        errors |= invalid("customerEmail")
    for name in ("returnUrl", "webhookUrl"):
        if not is_address(text(body, name)):
            errors |= invalid(name)
    return errors


def charge(keys: wire.PayableKeys, body: Mapping[str, Any]) -> Charge:
    """Pay with a kept card."""
    asked = Charge(
        *(text(body, "customerId"), text(body, "tokenId"), text(body, "invoiceId")),
        *(text(body, "amount"), text(body, "currencyCode"), text(body, "webhookUrl")),
    )
    wrong = {
        "amount": not AMOUNT.fullmatch(asked.amount),
        "currencyCode": asked.currency not in CURRENCIES,
        "invoiceId": not 0 < len(asked.invoice_id) <= MOST["invoiceId"],
        "webhookUrl": not is_address(asked.webhook_url),
    }
    if any(wrong.values()):
        raise wrong_fields({name: ["Invalid."] for name, bad in wrong.items() if bad})
    prove_kept(
        keys,
        body,
        *(asked.invoice_id, asked.amount, asked.currency, asked.customer_id, asked.token_id),
    )
    return asked


def nickname(body: Mapping[str, Any]) -> str:
    """Of an edited card."""
    errors = {}
    if text(body, "isDefaultCard") not in {"0", "1"}:
        errors["isDefaultCard"] = ["Invalid format for Is Default Card."]
    if len(text(body, "nickName")) > MOST["nickName"]:
        errors["nickName"] = ["Invalid format for Nick Name."]
    if errors:
        raise wrong_fields(errors)
    return text(body, "nickName")


def prove_kept(keys: wire.PayableKeys, body: Mapping[str, Any], *values: str) -> None:
    """For the calls about kept cards, whose check values begin with the merchant's id."""
    merchant = text(body, "merchantId")
    if merchant != keys.merchant_id:
        raise unknown()
    if not wire.is_right(keys, [merchant, *values], text(body, "checkValue")):
        raise unknown()


def prove(keys: wire.PayableKeys, values: list[str], body: Mapping[str, Any]) -> None:
    if not wire.is_right(keys, values, text(body, "checkValue")):
        raise not_ours()


def text(body: Mapping[str, Any], name: str) -> str:
    """Numbers as text too, as PAYable's own samples mix them; empty for whatever else."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return ""
    return str(value)


def is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and all("!" <= letter <= "~" for letter in value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
