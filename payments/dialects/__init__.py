"""The vocabularies that sockets speak, as data: whom a room names, and what a fact is called in it.

A vocabulary more is a record more in `DIALECTS`; the engine and the handlers know none by name.
Amounts are in minor units in all of them, times in each one's own form.
"""

from payments.dialects.booking import BOOKING
from payments.dialects.order import ORDER
from payments.dialects.record import ALL_ORDERS, OWN_WALLET, Dialect, Payload, Subject, Told
from payments.dialects.salon import SALON
from payments.dialects.tracking import TRACKING
from payments.dialects.v1 import V1
from payments.dialects.wallet import WALLET

__all__ = [
    "ALL_ORDERS",
    "BOOKING",
    "DIALECTS",
    "ORDER",
    "OWN_WALLET",
    "SALON",
    "TRACKING",
    "V1",
    "WALLET",
    "Dialect",
    "Payload",
    "Subject",
    "Told",
]

DIALECTS: tuple[Dialect, ...] = (V1, SALON, ORDER, TRACKING, BOOKING, WALLET)
