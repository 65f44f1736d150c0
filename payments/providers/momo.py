"""MoMo (Vietnam), API v2: wallet payments by QR or hosted page.

Facts from developers.momo.vn (onetime, notification, query, refund, resultcode). A signature is the
lower-case hex HMAC-SHA256 of `key=value` pairs joined by `&`, values raw, keys in the order given
there. Amounts are whole dong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from payments.domain.states import Kind
from payments.providers.http import call_json
from payments.providers.signatures import any_equal, hmac_sha256_hex, json_body
from payments.settings import Settings
from payments.settings.rails import MomoSettings

READ_SECONDS = 30.0
"""MoMo asks for a client timeout of at least 30 s on create, query and refund."""

CREATE = (
    *("accessKey", "amount", "extraData", "ipnUrl", "orderId", "orderInfo"),
    *("partnerCode", "redirectUrl", "requestId", "requestType"),
)
IPN = (
    *("accessKey", "amount", "extraData", "message", "orderId", "orderInfo", "orderType"),
    *("partnerCode", "payType", "requestId", "responseTime", "resultCode", "transId"),
)
QUERY = ("accessKey", "orderId", "partnerCode", "requestId")
REFUND = ("accessKey", "amount", "description", "orderId", "partnerCode", "requestId", "transId")

RESULTS: dict[int, tuple[Kind, str | None]] = {
    0: (Kind.SUCCEEDED, None),
    # Authorised: with autoCapture, our only way to create, MoMo says to treat it as paid.
    9000: (Kind.SUCCEEDED, None),
    1000: (Kind.PROCESSING, None),
    7000: (Kind.PROCESSING, None),
    7002: (Kind.PROCESSING, None),
    8000: (Kind.PROCESSING, None),
    98: (Kind.FAILED, "unknown"),
    99: (Kind.FAILED, "unknown"),
    1001: (Kind.FAILED, "no_funds"),
    1002: (Kind.FAILED, "rejected_by_issuer"),
    1003: (Kind.FAILED, "cancelled"),
    1004: (Kind.FAILED, "limit_exceeded"),
    1005: (Kind.FAILED, "timed_out"),
    1006: (Kind.FAILED, "declined_by_payer"),
    1007: (Kind.FAILED, "account_inactive"),
    1017: (Kind.FAILED, "cancelled"),
    1026: (Kind.FAILED, "promotion_rules"),
    2019: (Kind.FAILED, "unknown"),
    4001: (Kind.FAILED, "account_restricted"),
    4002: (Kind.FAILED, "account_not_verified"),
    4100: (Kind.FAILED, "login_failed"),
}
"""What a result code says of a payment. Any other code says nothing of it: ask again."""

REFUSED = {
    20: "bad_format",
    21: "invalid_amount",
    22: "amount_outside_limits",
    41: "duplicate_reference",
    1081: "refund_rejected",
    1088: "refund_not_possible",
}
"""Codes after which the same request would be refused again.

10, 11, 13, 1080 may pass or be mended.
"""


class Momo:
    """See `domain.ports.Provider`."""

    # MoMo takes 204 alone as the clean answer to an IPN, within 15 s.
    answer = Answer(status=204)

    def __init__(self, settings: Settings) -> None:
        if settings.rails.momo is None:
            raise LookupError("MoMo is not configured")
        self._momo: MomoSettings = settings.rails.momo

    def check(self, order: Order, payer: Payer) -> Payer:
        return payer

    def start(self, payment: Payment, order: Order, payer: Payer, to: Addresses) -> Started:
        answer, _ = self._ask(
            "create",
            CREATE,
            {
                "requestId": payment.reference,
                "orderId": payment.reference,
                "amount": payment.amount,
                "orderInfo": order.description[:255] or order.id,
                "redirectUrl": to.return_url,
                "ipnUrl": to.callback_url,
                "requestType": "captureWallet",
                "extraData": "",
                "lang": "vi" if to.locale == "vi" else "en",
            },
        )
        if answer.get("resultCode") != 0:
            raise _refusal(answer)
        url, qr, link = (_text(answer, name) for name in ("payUrl", "qrCodeUrl", "deeplink"))
        if not url:
            raise ProviderUnavailable("The provider's answer makes no sense.")
        # qrCodeUrl is the text of the code, not the address of a picture.
        return Started(Action("qr" if qr else "redirect", url=url, qr=qr, deeplink=link))

    def verify(self, headers: Mapping[str, str], body: bytes) -> None:
        message = json_body(headers, body)
        given = message.get("signature")
        if not isinstance(given, str) or message.get("partnerCode") != self._momo.partner_code:
            raise BadSignature("The callback is not signed.")
        signed = self._string(IPN, message)
        if not any_equal([hmac_sha256_hex(k, signed) for k in self._momo.secret_keys], given):
            raise BadSignature("The signature is not MoMo's.")

    def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[Notice]:
        message = json_body(headers, body)
        return [self._notice(message, self._string(IPN, message).encode())]

    def fetch(self, payment: Payment) -> Fetched:
        request_id = f"{payment.reference}-{payment.asked}"
        answer, raw = self._ask(
            "query", QUERY, {"requestId": request_id, "orderId": payment.reference, "lang": "en"}
        )
        if answer.get("orderId") != payment.reference or answer.get("resultCode") not in RESULTS:
            return Fetched(raw, ())
        return Fetched(raw, (self._notice(answer, None),))

    def refund(self, payment: Payment, refund_id: str, money: Money, reason: str) -> Refunded:
        answer, _ = self._ask(
            "refund",
            REFUND,
            {
                "orderId": refund_id,
                "requestId": refund_id,
                "amount": money.amount,
                "transId": int(payment.transaction_id or 0),
                "description": "",
                "lang": "en",
            },
        )
        code = answer.get("resultCode")
        if code in {7000, 7002}:
            # The same request asked again under the same id tells how it ended.
            return Refunded(None, final=False)
        if code != 0:
            raise _refusal(answer)
        return Refunded(str(answer.get("transId") or refund_id))

    def _ask(
        self, call: str, order: tuple[str, ...], fields: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        body = {"partnerCode": self._momo.partner_code, **fields}
        body["signature"] = hmac_sha256_hex(self._momo.secret_keys[0], self._string(order, body))
        reply = call_json("POST", f"{self._momo.api_url}/v2/gateway/api/{call}", READ_SECONDS, body)
        return reply.body, reply.raw

    def _string(self, order: tuple[str, ...], fields: Mapping[str, Any]) -> str:
        """The signed text; the access key is in it, and need not be in the body."""
        values = {**fields, "accessKey": self._momo.access_key}
        return "&".join(f"{name}={_scalar(values.get(name, ''))}" for name in order)

    def _notice(self, message: Mapping[str, Any], signed: bytes | None) -> Notice:
        code, amount, transaction = (
            _whole(message, name) for name in ("resultCode", "amount", "transId")
        )
        reference = _text(message, "orderId")
        if not reference or len(reference) > 64:
            raise MalformedCallback("orderId is missing.")
        kind, reason = RESULTS.get(code, (Kind.PROCESSING, None))
        return Notice(
            provider="momo",
            event_id=f"{reference}:{transaction}:{code}",
            kind=kind,
            reference=reference,
            transaction_id=str(transaction) if transaction else None,
            amount=amount,
            currency="VND",
            reason_code=reason,
            signed=signed,
        )


def _scalar(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise MalformedCallback("A field has the wrong type.")
    return str(value)


def _text(message: Mapping[str, Any], name: str) -> str | None:
    value = message.get(name)
    return value if isinstance(value, str) and value else None


def _whole(message: Mapping[str, Any], name: str) -> int:
    """MoMo sends numbers, and in older samples digits as text."""
    value = message.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if type(value) is not int or not 0 <= value < 2**63:
        raise MalformedCallback(f"{name} is not a whole number.")
    return value


def _refusal(answer: Mapping[str, Any]) -> ProviderRefused | ProviderUnavailable:
    """A refusal of ours or the payer's is final; everything else may pass."""
    code = answer.get("resultCode")
    if isinstance(code, int) and code in REFUSED:
        return ProviderRefused("MoMo does not take this payment.", code=REFUSED[code])
    if isinstance(code, int) and RESULTS.get(code, (None, None))[0] is Kind.FAILED:
        return ProviderRefused("MoMo does not take this payment.", code=RESULTS[code][1])
    return ProviderUnavailable(f"MoMo cannot take payments now (result code {code}).")
