"""Razorpay, pretended: UPI by QR codes, payment links and orders, its webhooks, and refunds.

wire      ids, signatures, the text of a code, errors
check     reads and refuses the bodies of calls
book      the tables
told      entities, as answers and webhooks show them
gateway   codes, links, orders, payments, refunds
events    what is told to the merchant, and the switches
phone     what a decision does
api       the API on the web
routes    the pages
"""

from .routes import blueprint
from .wire import RazorpayKeys

__all__ = ["RazorpayKeys", "blueprint"]
