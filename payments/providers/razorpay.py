"""Razorpay (India): UPI by a QR code of its own, or by a payment link; it confirms by itself.

Facts from razorpay.com/docs. Calls carry the key by HTTP Basic; a callback carries the lower-case
hex HMAC-SHA256 of its raw body by the webhook's secret, which is another than the key's.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from payments.domain.errors import (
    BadSignature,
    MalformedCallback,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.money import Money
from payments.domain.notice import Action, Notice
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Answer, Fetched, Payer, Refunded, Started
from payments.providers import razorpay_events as events
from payments.providers.http import Reply, call_json
from payments.providers.signatures import any_equal, hmac_sha256_hex, json_body
from payments.settings import Settings
from payments.settings.rails import RazorpaySettings

log = structlog.get_logger()

QR_TEXT = "image_content"
"""UNCONFIRMED: the field in which some accounts are given the text of the code."""

SHORTEST_SECONDS = 16 * 60
"""A code or a link closes at least 15 minutes ahead; one more for two clocks that differ."""

UNAUTHORIZED, IN_PROGRESS = 401, 409


class Razorpay:
    """See `domain.ports.Provider`."""

    # Anything 2xx within 5 s is taken.
    answer = Answer()

    def __init__(self, settings: Settings) -> None:
        if settings.rails.razorpay is None:
            raise LookupError("Razorpay is not configured")
        self._razorpay: RazorpaySettings = settings.rails.razorpay
        self._shop = settings.shop_name
        # An account without the text of its codes is not asked for codes again.
        self._links_only = False

    def check(self, order: Order, payer: Payer) -> Payer:
        return payer

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        by_code = None if self._links_only else self._code(payment, order)
        return by_code or self._link(payment, order, to)

    def _code(self, payment: Payment, order: Order) -> Started | None:
        """A QR code; None where the account has none that a page of ours can show.

        Asked for twice, there are two codes, of which nobody ever sees one.
        """
        reply = self._ask(
            "POST",
            "/payments/qr_codes",
            {
                "type": "upi_qr",
                "name": self._shop[:100],
                "usage": "single_use",
                "fixed_amount": True,
                "payment_amount": payment.amount,
                "description": order.description[:255] or order.id,
                "close_by": _closes(order),
                "notes": {"reference": payment.reference},
            },
        )
        if not reply.ok:
            # Many accounts have no codes. A link is asked for the same, and says why it is not.
            log.warning("no QR code", provider="razorpay", status=reply.status)
            return None
        code, text = reply.body.get("id"), reply.body.get(QR_TEXT)
        if not isinstance(text, str) or not text.startswith("upi://pay?"):
            self._links_only = True
            return None
        return Started(Action("qr", qr=text, deeplink=text), handle={"qr_code": _id(code, "qr_")})

    def _link(self, payment: Payment, order: Order, to: Addresses) -> Started:
        reply = self._ask(
            "POST",
            "/payment_links",
            {
                "upi_link": True,
                "amount": payment.amount,
                "currency": payment.currency,
                "accept_partial": False,
                "reference_id": payment.reference,
                "description": order.description[:255] or order.id,
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
            raise _refusal(reply)
        url = reply.body.get("short_url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise ProviderUnavailable("The provider's answer makes no sense.")
        handle = {"payment_link": _id(reply.body.get("id"), "plink_")}
        return Started(Action("redirect", url=url), handle=handle)

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        json_body(headers, body)
        given = _header(headers, "x-razorpay-signature")
        secrets = self._razorpay.webhook_secrets
        if not given or not any_equal([hmac_sha256_hex(k, body.decode()) for k in secrets], given):
            raise BadSignature("The signature is not Razorpay's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        return events.notices(json_body(headers, body), _header(headers, "x-razorpay-event-id"))

    def fetch(self, payment: Payment) -> Fetched:
        handle = payment.handle or {}
        if "payment_link" in handle:
            link = self._get(f"/payment_links/{handle['payment_link']}")
            said = _sane(lambda: events.of_link(link.body, payment.reference))
            return Fetched(link.raw, said, again=link.body.get("status") == "created")
        if "qr_code" not in handle:
            # Nobody has seen what Razorpay may have made: there is nothing to ask about.
            return Fetched(b"{}", ())
        paid = self._get(f"/payments/qr_codes/{handle['qr_code']}/payments")
        items = paid.body.get("items")
        listed = items if isinstance(items, list) else []
        said = _sane(lambda: events.of_payments(listed, payment.reference))
        # Whether the code is still open does not stand here: money is looked for as if it were.
        return Fetched(paid.raw, said, again=True)

    def refund(self, payment: Payment, refund_id: str, money: Money, reason: str) -> Refunded:
        reply = self._ask(
            "POST",
            f"/payments/{payment.transaction_id}/refund",
            # Word for word the same each time: another body under the same key is refused.
            {
                "amount": money.amount,
                "speed": "normal",
                "receipt": refund_id,
                "notes": {"refund": refund_id},
            },
            headers={"X-Refund-Idempotency": refund_id},
        )
        if not reply.ok:
            raise _refusal(reply, "refund_rejected")
        made, status = _id(reply.body.get("id"), "rfnd_"), reply.body.get("status")
        if status == "failed":
            raise ProviderRefused("Razorpay could not refund this.", code="refund_rejected")
        return Refunded(made, final=status == "processed")

    def fetch_refund(self, payment: Payment, refund_id: str, provider_refund_id: str) -> Fetched:
        reply = self._get(f"/payments/{payment.transaction_id}/refunds/{provider_refund_id}")
        return Fetched(reply.raw, _sane(lambda: events.of_refund(reply.body, refund_id)))

    def _get(self, path: str) -> Reply:
        reply = self._ask("GET", path)
        if not reply.ok:
            raise _refusal(reply)
        return reply

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> Reply:
        known = f"{self._razorpay.key_id}:{self._razorpay.key_secret}"
        basic = {"Authorization": f"Basic {base64.b64encode(known.encode()).decode()}"}
        url = f"{self._razorpay.api_url}{path}"
        reply = call_json(method, url, body=body, headers={**basic, **(headers or {})}, again=again)
        if reply.status == UNAUTHORIZED:
            raise ProviderUnavailable("Razorpay does not take our key.")
        return reply


def _closes(order: Order) -> int:
    """When the order does, in Unix seconds, but not sooner than Razorpay allows."""
    return max(int(order.expires_at.timestamp()), int(time.time()) + SHORTEST_SECONDS)


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _id(said: object, prefix: str) -> str:
    """Razorpay's own id of something, which goes into addresses that we ask later."""
    if not isinstance(said, str) or not said.startswith(prefix):
        raise ProviderUnavailable("The provider's answer makes no sense.")
    if not said.removeprefix(prefix).isalnum() or not said.isascii() or len(said) > 64:
        raise ProviderUnavailable("The provider's answer makes no sense.")
    return said


def _sane(read: Callable[[], Sequence[Notice]]) -> tuple[Notice, ...]:
    try:
        return tuple(read())
    except MalformedCallback as error:
        raise ProviderUnavailable("The provider's answer makes no sense.") from error


def _refusal(reply: Reply, code: str = "unknown") -> ProviderRefused | ProviderUnavailable:
    """Final where the same request would be refused again. Its description stays out of our log."""
    if reply.status == IN_PROGRESS:
        return ProviderUnavailable("Razorpay is still at work on the same request.")
    error = reply.body.get("error")
    told = error if isinstance(error, dict) else {}
    why = events.failure(told)
    if why == "unknown":
        why = "invalid_amount" if code == "unknown" and told.get("field") == "amount" else code
    return ProviderRefused(f"Razorpay does not take this ({reply.status}).", code=why)
