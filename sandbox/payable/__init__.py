"""PAYable IPG, pretended: its API, the hosted card page, kept cards, and what it tells the shop.

wire      keys, check values
cards     the test cards, and what each does
check     reads and refuses the bodies of calls
book      the tables
gateway   init, check-status, listCard, deleteCard, auth, pay
told      the webhook, and how the switches spoil it
desk      what the customer's decision does
routes    all of it on the web
"""

from .routes import blueprint
from .wire import PayableKeys

__all__ = ["PayableKeys", "blueprint"]
