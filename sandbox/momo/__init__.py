"""MoMo AIO v2, pretended: its API, its hosted page, and the phone that pays.

wire      signature, field orders, pay links, QR text, result codes
check     reads and refuses the bodies of calls
book      the tables
gateway   create, query, refund
ipn       what is told to the merchant, and the switches
phone     what a decision does
routes    all of it on the web
"""

from .routes import blueprint
from .wire import MomoKeys

__all__ = ["MomoKeys", "blueprint"]
