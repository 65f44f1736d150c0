"""Reads the bodies of Razorpay's calls, and refuses them in its way. No I/O here."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from .wire import Refused

LEAST_PAISE = 100
MOST_PAISE = 100_000_00
SHORTEST_SECONDS = 15 * 60
IDEMPOTENCY = re.compile(r"[A-Za-z0-9_-]{10,255}")
MOST_NOTES, MOST_NOTE = 15, 256


@dataclass(frozen=True)
class Asked:
    """`reference` is the merchant's, from its own field or its notes."""

    amount: int
    reference: str
    closes_s: int | None
    body: dict[str, Any]


def read_json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused("The request body is not JSON.") from error
    if not isinstance(body, dict):
        raise Refused("The request body is not an object.")
    return body


def code(body: Mapping[str, Any]) -> Asked:
    if body.get("type") != "upi_qr":
        raise Refused("The selected type is invalid.", "type")
    if body.get("usage") not in {"single_use", "multiple_use"}:
        raise Refused("The selected usage is invalid.", "usage")
    if body.get("fixed_amount") is not True:
        raise Refused("Only codes of a fixed amount are pretended here.", "fixed_amount")
    amount = paise(body, "payment_amount")
    text(body, "name", 255)
    text(body, "description", 2048)
    return Asked(amount, _noted(body), later(body, "close_by"), dict(body))


def link(body: Mapping[str, Any]) -> Asked:
    amount = paise(body, "amount")
    if body.get("currency", "INR") != "INR":
        raise Refused("Currency is not supported.", "currency")
    if body.get("accept_partial", False) is not False:
        raise Refused("Parts are not pretended here.", "accept_partial")
    reference = text(body, "reference_id", 40)
    text(body, "description", 2048)
    if web_address(body, "callback_url") and body.get("callback_method") != "get":
        raise Refused("The selected callback method is invalid.", "callback_method")
    return Asked(amount, reference or _noted(body), later(body, "expire_by"), dict(body))


def order(body: Mapping[str, Any]) -> Asked:
    amount = paise(body, "amount")
    if body.get("currency") != "INR":
        raise Refused("Currency is not supported.", "currency")
    notes(body)
    return Asked(amount, text(body, "receipt", 40), None, dict(body))


def hosted(form: Mapping[str, str], amount: int) -> dict[str, str]:
    """What a browser brings to the page of an order of `amount` paise."""
    if form.get("amount") != str(amount) or form.get("currency") != "INR":
        raise Refused("Your payment amount is different from your order amount.", "amount")
    addresses = {name: web_address(form, name) for name in ("callback_url", "cancel_url")}
    return {
        **addresses,
        "name": text(form, "name", 255),
        "description": text(form, "description", 255),
    }


def web_address(body: Mapping[str, Any], name: str) -> str:
    """Empty where there is none."""
    address = text(body, name, 2000)
    if address and urlsplit(address).scheme not in {"http", "https"}:
        raise Refused(f"The {name.replace('_', ' ')} format is invalid.", name)
    return address


def idempotency(key: str | None) -> str | None:
    if key is not None and not IDEMPOTENCY.fullmatch(key):
        raise Refused("The idempotency key is invalid.", "X-Refund-Idempotency")
    return key


def paise(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    if type(value) is not int:
        raise Refused(f"The {name.replace('_', ' ')} must be an integer.", name)
    if value < LEAST_PAISE:
        raise Refused("The amount must be at least INR 1.00", name)
    if value > MOST_PAISE:
        raise Refused("Amount exceeds maximum amount allowed.", name)
    return value


def text(body: Mapping[str, Any], name: str, most: int) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > most:
        raise Refused(f"The {name} may not be greater than {most} characters.", name)
    return value


def later(body: Mapping[str, Any], name: str) -> int | None:
    """Unix seconds, at least 15 minutes ahead."""
    value = body.get(name)
    if value is None:
        return None
    if type(value) is not int or value < int(time.time()) + SHORTEST_SECONDS:
        raise Refused(f"{name} should be at least 15 minutes after current time.", name)
    return value


def notes(body: Mapping[str, Any]) -> dict[str, str]:
    value = body.get("notes") or {}
    if not isinstance(value, dict) or len(value) > MOST_NOTES:
        raise Refused(f"Number of fields in notes should be less than {MOST_NOTES}.", "notes")
    for said in value.values():
        if not isinstance(said, str) or len(said) > MOST_NOTE:
            raise Refused(f"The notes may not be greater than {MOST_NOTE} characters.", "notes")
    return value


def _noted(body: Mapping[str, Any]) -> str:
    return notes(body).get("reference", "")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
