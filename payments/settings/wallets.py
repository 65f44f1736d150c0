"""Limits and fees of customers' wallets, in minor units per currency."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from payments.domain.errors import UnknownCurrency
from payments.domain.fees import Fees, read_fees
from payments.domain.money import exponent
from payments.settings.reader import Reader

Limits = Mapping[str, tuple[int, int]]
"""Currency to (least, most)."""


@dataclass(frozen=True, slots=True)
class WalletSettings:
    """A currency that `password_above` does not name needs no password again."""

    deposits: Limits
    withdrawals: Limits
    password_above: Mapping[str, int]
    fees: Fees


def read_wallets(read: Reader) -> WalletSettings:
    span = "for example VND:10000-50000000,XAF:500-500000"
    return WalletSettings(
        deposits=read.read("DEPOSIT_LIMITS", _spans, {}, span),
        withdrawals=read.read("WITHDRAWAL_LIMITS", _spans, {}, span),
        password_above=read.read(
            "WITHDRAWAL_PASSWORD_ABOVE", amounts, {}, "for example VND:1000000,XAF:50000"
        ),
        fees=read.read(
            *("FEES", _fees, Fees({})),
            "for example withdrawal:campay:XAF=1.5%+50,withdrawal:*:VND=3300; only a withdrawal "
            "costs a fee, by campay or manual",
        ),
    )


def amounts(value: str) -> dict[str, int]:
    """`VND:5000000,INR:4000000`. Raises ValueError."""
    return {currency: int(text) for currency, text in _by_currency(value, r"\d{1,12}").items()}


def _spans(value: str) -> dict[str, tuple[int, int]]:
    spans = {}
    for currency, text in _by_currency(value, r"\d{1,12}-\d{1,12}").items():
        least, most = (int(one) for one in text.split("-"))
        if not 0 < least <= most:
            raise ValueError(text)
        spans[currency] = (least, most)
    return spans


def _by_currency(value: str, pattern: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        match = re.fullmatch(rf"([A-Z]{{3}}):({pattern})", part, re.ASCII)
        if match is None or match[1] in found:
            raise ValueError(part)
        try:
            exponent(match[1])
        except UnknownCurrency as error:
            raise ValueError(part) from error
        found[match[1]] = match[2]
    return found


def _fees(value: str) -> Fees:
    try:
        return read_fees(value)
    except UnknownCurrency as error:
        raise ValueError(value) from error
