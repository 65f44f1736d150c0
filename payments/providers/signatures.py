"""What callbacks share: bounded JSON, and comparison that takes the same time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

from payments.domain.errors import MalformedCallback, WrongMediaType
from payments.domain.strict_json import parse_object


def json_body(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Raises WrongMediaType, MalformedCallback."""
    media = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
    if media.split(";")[0].strip().lower() != "application/json":
        raise WrongMediaType("The callback is not application/json.")
    try:
        return parse_object(body)
    except ValueError as error:
        raise MalformedCallback(f"The callback is not sane JSON: {error}") from error


def hmac_sha256_hex(key: str, message: str) -> str:
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()


def any_equal(candidates: Sequence[str], given: str) -> bool:
    """Whether one of the candidates is the given text; every one is compared, in constant time."""
    found = False
    for candidate in candidates:
        found |= hmac.compare_digest(candidate.encode(), given.encode())
    return found
