"""A UPI app, pretended: it pays a shop's own address, and tells nobody but the payer.

link      `upi://pay` links, written and read
utr       the number of a payment
app       the app on the web
"""

from .app import UpiKeys, blueprint

__all__ = ["UpiKeys", "blueprint"]
