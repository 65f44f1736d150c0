"""The JSON API: parse, call one service, answer. Errors are problem+json with a stable code."""

from payments.api import auth, cards, docs, orders, payments, wallet
from payments.api.blueprint import api

__all__ = ["api", "auth", "cards", "docs", "orders", "payments", "wallet"]
