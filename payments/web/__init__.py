"""The customers' pages and the providers' callbacks: parse, call one service, render.

Never emits.
"""

from payments.web import callbacks, checkout, health, home, login
from payments.web.blueprint import web

__all__ = ["callbacks", "checkout", "health", "home", "login", "web"]
