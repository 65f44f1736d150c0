"""The JWT in CamPay's callbacks: RFC 7519 by HS256, with the app's webhook key. No I/O."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from payments.domain.errors import BadSignature
from payments.domain.strict_json import parse_object
from payments.providers.signatures import any_equal

CLOCKS_APART_SECONDS = 300
"""How far `iat` and `nbf` may lie ahead of our clock. UNCONFIRMED which claims CamPay sends: what
is there is checked, what is absent is not missed."""


def check_token(token: object, keys: Sequence[str], at: float) -> None:
    """Raises BadSignature unless one of the keys has signed the token and it is good at `at`.

    `at` is in seconds since 1970. The signature is compared as text: another spelling of the same
    bytes is refused too.
    """
    parts = token.split(".") if isinstance(token, str) and token.isascii() else []
    if len(parts) != 3:
        raise BadSignature("The callback is not signed.")
    signed = f"{parts[0]}.{parts[1]}".encode()
    expected = [_base64url(hmac.digest(key.encode(), signed, hashlib.sha256)) for key in keys]
    if not any_equal(expected, parts[2]):
        raise BadSignature("The signature is not CamPay's.")
    try:
        head, claims = (parse_object(base64.urlsafe_b64decode(f"{part}==")) for part in parts[:2])
    except ValueError as error:
        raise BadSignature("The token cannot be read.") from error
    if head.get("alg") != "HS256":
        raise BadSignature("The token is not signed by HS256.")
    _in_time(claims, at)


def _in_time(claims: Mapping[str, Any], at: float) -> None:
    for name in ("exp", "nbf", "iat"):
        moment = claims.get(name)
        if moment is None:
            continue
        if type(moment) not in {int, float}:
            raise BadSignature(f"{name} is no time.")
        if moment <= at if name == "exp" else moment > at + CLOCKS_APART_SECONDS:
            raise BadSignature("The token is not good at this time.")


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
