"""UPI (India) to the shop's own address: a link and its QR code, confirmed by staff.

Facts from NPCI's UPI Linking Specification 1.6: `upi://pay` with `pa`, `pn`, `tr`, `tn`, `am` and
`cu`; the same text is the code's content. Nobody tells us of the money: the payer's app shows a
UTR of 12 digits, and staff look for it in the account.
"""

from __future__ import annotations

from urllib.parse import quote

from payments.domain.money import Money, to_major
from payments.domain.notice import Action
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Answer, Payer, Started
from payments.settings import Settings
from payments.settings.rails import UpiSettings

NOTE_CHARACTERS = 50
"""UNCONFIRMED: apps are said to cut `tn` at about so many."""


class UpiAddress:
    """See `domain.ports.Provider`; it only starts."""

    answer = Answer()

    def __init__(self, settings: Settings) -> None:
        if settings.rails.upi is None:
            raise LookupError("UPI is not configured")
        self._upi: UpiSettings = settings.rails.upi

    def check(self, order: Order, payer: Payer) -> Payer:
        return payer

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        link = pay_link(self._upi, payment.reference, payment.money, order.description)
        details = {"vpa": self._upi.vpa, "payee": self._upi.payee_name}
        return Started(Action("qr", qr=link, deeplink=link, details=details))


def pay_link(payee: UpiSettings, reference: str, money: Money, description: str) -> str:
    """`upi://pay?...`, its parameters always in this order, spaces as %20.

    The reference stands in the note too: that is what the shop's statement shows.
    """
    note = " ".join([reference, *description.split()])[:NOTE_CHARACTERS].strip()
    fields = {
        "pa": payee.vpa,
        "pn": payee.payee_name,
        "tr": reference,
        "tn": note,
        "am": to_major(money.amount, money.currency),
        "cu": money.currency,
    }
    # The @ of an address stands as it is: the specification's own samples have it so.
    return "upi://pay?" + "&".join(f"{key}={quote(text, safe='@')}" for key, text in fields.items())
