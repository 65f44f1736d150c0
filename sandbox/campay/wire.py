"""CamPay on the wire: the callback's JWT, numbers and operators, errors.

Written from CamPay's documents and published clients, not from the adapter under test.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEY = "campay"
"""The name of this provider, in addresses and in the courier's log."""

CURRENCY = "XAF"
TOKEN_SECONDS = 3_600
SIGNED_SECONDS = 600


@dataclass(frozen=True)
class CampayKeys:
    """What CamPay's dashboard shows of an app, and where the app wants its callbacks.

    Either the permanent token or username and password may be missing; `webhook_key` may hold two,
    comma-separated, during a rotation: the first signs.
    """

    access_token: str | None
    username: str | None
    password: str | None
    webhook_key: str
    callback_url: str
    app: str = "Demo shop"

    @property
    def signing_key(self) -> str:
        return self.webhook_key.partition(",")[0].strip()


@dataclass(frozen=True)
class Operator:
    """`numbers` are matched after the country code. (From CamPay's integrators.)"""

    name: str
    numbers: re.Pattern[str]
    dial: str


OPERATORS = (
    Operator("MTN", re.compile(r"6(7|5[0-4]|8[0-4])[0-9]{6,7}"), "*126#"),
    Operator("Orange", re.compile(r"6(9|5[5-9]|8[5-9])[0-9]{6,7}"), "#150*50#"),
)
NUMBER = re.compile(r"237[0-9]{9}")

ERRORS = {
    "ER101": "Invalid phone number. It must start with the country code 237",
    "ER102": "Unsupported phone number carrier. Only MTN and Orange are supported",
    "ER201": "Invalid amount. Decimal numbers are not allowed",
    "ER301": "Insufficient balance",
}


def operator_of(number: str) -> Operator | None:
    home = number.removeprefix("237")
    return next((one for one in OPERATORS if one.numbers.fullmatch(home)), None)


def token(key: str, claims: Mapping[str, Any]) -> str:
    """A JWT by HS256 (RFC 7515, RFC 7519)."""
    parts = [
        _base64url(json.dumps(part, separators=(",", ":")).encode())
        for part in ({"typ": "JWT", "alg": "HS256"}, dict(claims))
    ]
    signed = ".".join(parts)
    return f"{signed}.{_base64url(hmac.digest(key.encode(), signed.encode(), hashlib.sha256))}"


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
