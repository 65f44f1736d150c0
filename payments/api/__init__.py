"""The JSON API: parse, call one service, answer. Errors are problem+json with a stable code."""

from payments.api import auth, docs, orders, payments
from payments.api.blueprint import api

__all__ = ["api", "auth", "docs", "orders", "payments"]
