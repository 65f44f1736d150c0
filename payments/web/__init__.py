"""The customers' pages and the providers' callbacks: parse, call one service, render.

Never emits.
"""

from payments.web import (
    callbacks,
    cards,
    checkout,
    health,
    home,
    login,
    screens,
    statement,
    trials,
    wallet,
)
from payments.web.blueprint import web

__all__ = [
    "callbacks",
    "cards",
    "checkout",
    "health",
    "home",
    "login",
    "screens",
    "statement",
    "trials",
    "wallet",
    "web",
]
