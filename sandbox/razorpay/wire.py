"""Razorpay on the wire: ids, signatures, the text of a QR code, errors.

Written from razorpay.com/docs and its Python package, not from the adapter under test.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from ..chance import Chance
from ..upi.link import rupees, upi_link

KEY = "razorpay"
"""The name of this provider, in addresses and in the courier's log."""

CODE_REFERENCE = re.compile(r"RZP([A-Za-z0-9]{14})qrv2")


@dataclass(frozen=True)
class RazorpayKeys:
    """What Razorpay and a merchant know of each other.

    `webhook_url` is set up by hand on Razorpay's dashboard; its secret is another than the key's.
    """

    key_id: str
    key_secret: str
    webhook_secret: str
    webhook_url: str
    name: str = "Demo Shop"

    @property
    def vpa(self) -> str:
        """Of the account that Razorpay collects into for this merchant."""
        return "rpy.qrdemoshop@icici"


class Refused(Exception):
    """A call that is not taken, in the words and the form of Razorpay's errors."""

    def __init__(
        self, description: str, field: str | None = None, status: int = 400, reason: str = ""
    ) -> None:
        super().__init__(description)
        self.status = status
        self.body: dict[str, Any] = {
            "error": {
                "code": "BAD_REQUEST_ERROR",
                "description": description,
                "source": "business",
                "step": "payment_initiation",
                "reason": reason or "input_validation_failed",
                "metadata": {},
                "field": field,
            }
        }


def new_id(chance: Chance, kind: str, number: int) -> str:
    """As `pay_29QQoUBi66xm2f`: 14 letters and digits."""
    return f"{kind}_{chance.letters(14, kind, str(number))}"


def sign(secret: str, text: str) -> str:
    """Lower-case hex HMAC-SHA256, over the raw body of a webhook."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def code_text(keys: RazorpayKeys, code_id: str, amount: int) -> str:
    """What stands in the QR code, laid out as in codes that Razorpay makes."""
    return upi_link(
        ver="01",
        mode="15",
        pa=keys.vpa,
        pn=keys.name,
        tr=f"RZP{code_id.removeprefix('qr_')}qrv2",
        tn=f"PaymentTo{re.sub('[^A-Za-z]', '', keys.name)}",
        am=rupees(amount),
        cu="INR",
        mc="5399",
        qrMedium="04",
    )


def code_of(text: str) -> str | None:
    """The id of the QR code in which this text stands."""
    said = parse_qs(urlsplit(text).query).get("tr", [""])[0]
    found = CODE_REFERENCE.fullmatch(said)
    return f"qr_{found[1]}" if found else None


def paid_fields(keys: RazorpayKeys, order_id: str, payment_id: str) -> dict[str, str]:
    """What the browser brings from an order's page to callback_url by POST, once it is paid."""
    return {
        "razorpay_payment_id": payment_id,
        "razorpay_order_id": order_id,
        "razorpay_signature": sign(keys.key_secret, f"{order_id}|{payment_id}"),
    }


def failed_fields(payment: Mapping[str, Any]) -> dict[str, str]:
    """The same after a try that failed, of whose entity it tells."""
    names = ("code", "description", "source", "step", "reason")
    about = {"payment_id": payment["id"], "order_id": payment["order_id"]}
    told = {f"error[{name}]": str(payment[f"error_{name}"]) for name in names}
    return {**told, "error[metadata]": json.dumps(about)}


def returning_url(
    keys: RazorpayKeys, callback_url: str, link_id: str, reference_id: str, payment_id: str
) -> str:
    """Where the browser goes after a payment link is paid, with what it carries, signed."""
    signed = f"{link_id}|{reference_id}|paid|{payment_id}"
    carried = urlencode(
        {
            "razorpay_payment_id": payment_id,
            "razorpay_payment_link_id": link_id,
            "razorpay_payment_link_reference_id": reference_id,
            "razorpay_payment_link_status": "paid",
            "razorpay_signature": sign(keys.key_secret, signed),
        }
    )
    parts = urlsplit(callback_url)
    return urlunsplit(parts._replace(query=f"{parts.query}&{carried}" if parts.query else carried))
