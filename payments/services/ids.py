"""Names of new things. A reference is also a transfer memo: `[A-Z0-9]`, at most 19 characters."""

from __future__ import annotations

import secrets

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_reference() -> str:
    """69 random bits; the letter in front keeps it from being read as a number."""
    return "P" + _random(14)


def new_order_id() -> str:
    return "O" + _random(12)


def new_id(prefix: str) -> str:
    return prefix + _random(16)
