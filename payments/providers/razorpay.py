"""Razorpay (India): UPI by its code or link, or its own checkout page; it confirms by itself.

Facts from razorpay.com/docs. A callback carries the lower-case hex HMAC-SHA256 of its raw body by
the webhook's secret, which is another than the key's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from payments.domain.errors import (
    BadSignature,
    MalformedCallback,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.money import Money
from payments.domain.notice import Notice
from payments.domain.order import Order, Payment
from payments.domain.ports import Addresses, Answer, Fetched, Payer, Refunded, Started
from payments.providers import razorpay_events as events
from payments.providers.razorpay_calls import Calls, id_of, refusal
from payments.providers.razorpay_ways import Ways
from payments.providers.signatures import any_equal, hmac_sha256_hex, json_body
from payments.settings import Settings
from payments.settings.rails import RazorpaySettings

LISTED = {"qr_code": "/payments/qr_codes", "order": "/orders"}
"""What lists its payments, by its name in an attempt's handle."""


class Razorpay:
    """See `domain.ports.Provider`."""

    # Anything 2xx within 5 s is taken.
    answer = Answer()

    def __init__(self, settings: Settings) -> None:
        if settings.rails.razorpay is None:
            raise LookupError("Razorpay is not configured")
        self._razorpay: RazorpaySettings = settings.rails.razorpay
        self._calls = Calls(self._razorpay)
        pages_url = settings.in_browser(self._razorpay.api_url)
        self._ways = Ways(self._calls, settings.shop_name, pages_url)

    def check(self, order: Order, payer: Payer) -> Payer:
        return payer

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        return self._ways.start(payment, order, to)

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
            link = self._calls.get(f"/payment_links/{handle['payment_link']}")
            said = _sane(lambda: events.of_link(link.body, payment.reference))
            return Fetched(link.raw, said, again=link.body.get("status") == "created")
        kind = next((one for one in LISTED if one in handle), None)
        if kind is None:
            # Nobody has seen what Razorpay may have made: there is nothing to ask about.
            return Fetched(b"{}", ())
        paid = self._calls.get(f"{LISTED[kind]}/{handle[kind]}/payments")
        items = paid.body.get("items")
        listed = items if isinstance(items, list) else []
        said = _sane(lambda: events.of_payments(listed, payment.reference))
        # Whether it is still open does not stand here: money is looked for as if it were.
        return Fetched(paid.raw, said, again=True)

    def refund(self, payment: Payment, refund_id: str, money: Money, reason: str) -> Refunded:
        reply = self._calls.ask(
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
            raise refusal(reply, "refund_rejected")
        made, status = id_of(reply.body.get("id"), "rfnd_"), reply.body.get("status")
        if status == "failed":
            raise ProviderRefused("Razorpay could not refund this.", code="refund_rejected")
        return Refunded(made, final=status == "processed")

    def fetch_refund(self, payment: Payment, refund_id: str, provider_refund_id: str) -> Fetched:
        reply = self._calls.get(f"/payments/{payment.transaction_id}/refunds/{provider_refund_id}")
        return Fetched(reply.raw, _sane(lambda: events.of_refund(reply.body, refund_id)))


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _sane(read: Callable[[], Sequence[Notice]]) -> tuple[Notice, ...]:
    try:
        return tuple(read())
    except MalformedCallback as error:
        raise ProviderUnavailable("The provider's answer makes no sense.") from error
