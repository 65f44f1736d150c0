"""Razorpay's ways to be paid: a code of its own, else a link, else an order on its checkout page.

Facts from razorpay.com/docs (QR codes, payment links, orders, hosted checkout).
"""

from __future__ import annotations

import time

import structlog

from payments.domain.errors import ProviderUnavailable
from payments.domain.notice import Action
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Started
from payments.providers.razorpay_calls import Calls, id_of, refusal

log = structlog.get_logger()

QR_TEXT = "image_content"
"""UNCONFIRMED: the field in which some accounts are given the text of the code."""

HOSTED_PAGE = "/checkout/embedded"

SHORTEST_SECONDS = 16 * 60
"""A code or a link closes at least 15 minutes ahead; one more for two clocks that differ."""


class Ways:
    def __init__(self, calls: Calls, shop: str, pages_url: str) -> None:
        """`pages_url`: the API's address, as the payer's browser reaches it."""
        self._calls = calls
        self._shop = shop[:100]
        self._page = f"{pages_url}{HOSTED_PAGE}"
        # An account without the text of its codes is not asked for codes again.
        self._links_only = False

    def start(self, payment: Payment, order: Order, to: Addresses) -> Started:
        """By the first way that Razorpay does not refuse.

        Raises ProviderRefused where it refuses the last, ProviderUnavailable where one is away.
        """
        by_code = None if self._links_only else self._code(payment, order)
        return by_code or self._link(payment, order, to) or self._order(payment, order, to)

    def _code(self, payment: Payment, order: Order) -> Started | None:
        """A QR code; None where the account has none that a page of ours can show.

        Asked for twice, there are two codes, of which nobody ever sees one.
        """
        reply = self._calls.ask(
            "POST",
            "/payments/qr_codes",
            {
                "type": "upi_qr",
                "name": self._shop,
                "usage": "single_use",
                "fixed_amount": True,
                "payment_amount": payment.amount,
                "description": _about(order),
                "close_by": _closes(order),
                "notes": {"reference": payment.reference},
            },
        )
        if not reply.ok:
            # Many accounts have no codes. What is asked for next says why it is not made.
            log.warning("no QR code", provider="razorpay", status=reply.status)
            return None
        code, text = reply.body.get("id"), reply.body.get(QR_TEXT)
        if not isinstance(text, str) or not text.startswith("upi://pay?"):
            self._links_only = True
            return None
        handle = {"qr_code": id_of(code, "qr_")}
        return Started(Action("qr", qr=text, deeplink=text), handle=handle)

    def _link(self, payment: Payment, order: Order, to: Addresses) -> Started | None:
        """A payment link for UPI; None where Razorpay makes none, as in its test mode."""
        reply = self._calls.ask(
            "POST",
            "/payment_links",
            {
                "upi_link": True,
                "amount": payment.amount,
                "currency": payment.currency,
                "accept_partial": False,
                "reference_id": payment.reference,
                "description": _about(order),
                "callback_url": to.return_url,
                "callback_method": "get",
                "expire_by": _closes(order),
                "notify": {"sms": False, "email": False},
                "reminder_enable": False,
                "notes": {"reference": payment.reference},
            },
            # A reference_id is taken once: the second of two would be refused.
            again=False,
        )
        if not reply.ok:
            refused = refusal(reply)
            if isinstance(refused, ProviderUnavailable):
                raise refused
            log.warning("no payment link", provider="razorpay", status=reply.status)
            return None
        url = reply.body.get("short_url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise ProviderUnavailable("The provider's answer makes no sense.")
        handle = {"payment_link": id_of(reply.body.get("id"), "plink_")}
        return Started(Action("redirect", url=url), handle=handle)

    def _order(self, payment: Payment, order: Order, to: Addresses) -> Started:
        """An order, which the payer's browser takes to Razorpay's own page by POST.

        Asked for twice, there are two orders, of which nobody ever sees one.
        """
        reply = self._calls.ask(
            "POST",
            "/orders",
            {
                "amount": payment.amount,
                "currency": payment.currency,
                "receipt": payment.reference,
                "notes": {"reference": payment.reference},
            },
        )
        if not reply.ok:
            raise refusal(reply)
        made = id_of(reply.body.get("id"), "order_")
        fields = {
            "key_id": self._calls.key_id,
            "order_id": made,
            "amount": str(payment.amount),
            "currency": payment.currency,
            "name": self._shop,
            "description": _about(order),
            "callback_url": to.return_url,
            "cancel_url": to.return_url,
        }
        return Started(Action("redirect", url=self._page, fields=fields), handle={"order": made})


def _about(order: Order) -> str:
    return order.description[:255] or order.id


def _closes(order: Order) -> int:
    """When the order does, in Unix seconds, but not sooner than Razorpay allows."""
    return max(int(order.expires_at.timestamp()), int(time.time()) + SHORTEST_SECONDS)
