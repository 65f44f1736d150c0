"""CamPay, pretended: its API, the payers' phones, and what it tells the merchant.

wire      token of a callback, numbers, errors
book      the table of transactions
gateway   token, collect, withdraw, transaction, history, balance
notices   what is told to the merchant, and the switches
phone     what a decision does
routes    all of it on the web
"""

from .routes import blueprint
from .wire import CampayKeys

__all__ = ["CampayKeys", "blueprint"]
