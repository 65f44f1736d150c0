"""Names of new things. A reference is also a transfer memo (`domain/memo.py`)."""

from __future__ import annotations

import secrets

from payments.domain.memo import ALPHABET, LENGTH
from payments.store import then


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def new_reference() -> str:
    """69 random bits; the letter in front keeps it from being read as a number.

    In a rebuild it is the name that the attempt was given then.
    """
    doing = then.present()
    return (doing and doing.reference) or "P" + _random(LENGTH - 1)


def new_order_id() -> str:
    return "O" + _random(12)


def new_id(prefix: str) -> str:
    return prefix + _random(16)
