"""The JSON API: parse, call one service, answer. Errors are problem+json with a stable code."""

from payments.api import (
    auth,
    cards,
    deposits,
    docs,
    orders,
    payments,
    statements,
    wallet,
    webhooks,
    withdrawals,
)
from payments.api.blueprint import api

__all__ = [
    "api",
    "auth",
    "cards",
    "deposits",
    "docs",
    "orders",
    "payments",
    "statements",
    "wallet",
    "webhooks",
    "withdrawals",
]
