"""What Razorpay says in a callback or an answer, as notices. No I/O.

Facts from razorpay.com/docs (webhooks, QR codes, payment links, refunds, UPI error codes). Amounts
are whole paise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from payments.domain.errors import MalformedCallback
from payments.domain.notice import Notice
from payments.domain.states import Kind

PROVIDER, RAIL = "razorpay", "upi"

PAYMENT_EVENTS: dict[str, Kind] = {
    "payment.authorized": Kind.PROCESSING,
    "payment.captured": Kind.SUCCEEDED,
    "payment.failed": Kind.FAILED,
    "order.paid": Kind.SUCCEEDED,
    "qr_code.credited": Kind.SUCCEEDED,
    "payment_link.paid": Kind.SUCCEEDED,
}
REFUND_EVENTS: dict[str, Kind] = {
    "refund.created": Kind.PROCESSING,
    "refund.processed": Kind.SUCCEEDED,
    "refund.failed": Kind.FAILED,
}
"""Every other event says nothing of money."""

PAYMENT_STATUSES: dict[str, Kind] = {
    "created": Kind.PROCESSING,
    "authorized": Kind.PROCESSING,
    "captured": Kind.SUCCEEDED,
    # It came, and went back later.
    "refunded": Kind.SUCCEEDED,
    "failed": Kind.FAILED,
}
REFUND_STATUSES: dict[str, Kind] = {
    "pending": Kind.PROCESSING,
    "processed": Kind.SUCCEEDED,
    "failed": Kind.FAILED,
}
LINK_ENDS = {"expired": "timed_out", "cancelled": "cancelled"}

REASONS = {
    "insufficient_funds": "no_funds",
    "payment_declined": "rejected_by_issuer",
    "debit_declined": "rejected_by_issuer",
    "transaction_not_allowed": "rejected_by_issuer",
    "payment_risk_check_failed": "rejected_by_issuer",
    "payment_cancelled": "cancelled",
    "payment_timed_out": "timed_out",
    "payment_collect_request_expired": "timed_out",
    "request_timed_out": "timed_out",
    "incorrect_pin": "wrong_pin",
    "transaction_limit_exceeded": "limit_exceeded",
    "transaction_frequency_limit_exceeded": "limit_exceeded",
    "limit_exceeded_remitting_bank": "limit_exceeded",
    "debit_instrument_blocked": "account_restricted",
    "bank_technical_error": "bank_unavailable",
    "gateway_technical_error": "bank_unavailable",
    "remitter_dispatch_failed": "bank_unavailable",
    "issuer_dispatch_failed": "bank_unavailable",
    "credit_failed": "bank_unavailable",
}
"""`error_reason` in our words; any other is `unknown`. The documents say to decide by it alone."""

_EVENT_ID = re.compile(r"[\x21-\x7e]{1,64}")
_PAYMENT = re.compile(r"pay_[A-Za-z0-9]{1,40}")
_REFUND = re.compile(r"rfnd_[A-Za-z0-9]{1,40}")
_UTR = re.compile(r"[0-9]{12}")
_OURS = re.compile(r"[A-Za-z0-9_-]{1,40}")
_CURRENCY = re.compile(r"[A-Z]{3}")


def notices(message: Mapping[str, Any], event_header: str) -> list[Notice]:
    """Of one callback: one notice, or none where it says nothing of money of ours.

    `event_header` is x-razorpay-event-id, which is not signed: by itself it names no event.
    Raises MalformedCallback.
    """
    event, payload = message.get("event"), _map(message, "payload")
    if not isinstance(event, str):
        raise MalformedCallback("event is missing.")
    if event not in PAYMENT_EVENTS and event not in REFUND_EVENTS:
        return []
    parts = {name: _map(_map(payload, name), "entity") for name in payload}
    named = event_header if _EVENT_ID.fullmatch(event_header) else f"{event}@{_stamp(message)}"
    if event in REFUND_EVENTS:
        return [_refund(parts.get("refund", {}), REFUND_EVENTS[event], named)]
    payment = parts.pop("payment", {})
    kind = PAYMENT_EVENTS[event]
    stands = PAYMENT_STATUSES.get(str(payment.get("status")), kind)
    if kind is Kind.SUCCEEDED and stands is not kind:
        # An event of success about a payment that is none yet: its own word will come.
        kind = Kind.PROCESSING
    # What stands on an order's payment the payer's browser may have written; on the order, we.
    told = notice_of(payment, kind, _reference(*parts.values(), payment), named)
    # Money is never dropped; a try that took none, of whatever else the account is used for, is.
    return [told] if told.reference or kind is Kind.SUCCEEDED else []


def notice_of(payment: Mapping[str, Any], kind: Kind, reference: str | None, named: str) -> Notice:
    """What one payment entity says. Raises MalformedCallback."""
    payment_id = _matching(payment, "id", _PAYMENT)
    rrn = _map(payment, "acquirer_data").get("rrn")
    return Notice(
        provider=PROVIDER,
        rail=RAIL,
        event_id=f"{named}:{payment_id}",
        kind=kind,
        reference=reference,
        transaction_id=payment_id,
        amount=_paise(payment),
        currency=_matching(payment, "currency", _CURRENCY),
        reason_code=failure(payment, "error_") if kind is Kind.FAILED else None,
        again=kind is Kind.FAILED,
        # The UTR, by which staff may have confirmed it before.
        evidence=(rrn,) if isinstance(rrn, str) and _UTR.fullmatch(rrn) else (),
    )


def of_payments(items: Sequence[Any], reference: str) -> list[Notice]:
    """What a list of payments says of one attempt: the money, else that it is open, else why not.

    Raises MalformedCallback.
    """
    known = [
        (PAYMENT_STATUSES[str(one.get("status"))], one)
        for one in items
        if isinstance(one, dict) and str(one.get("status")) in PAYMENT_STATUSES
    ]
    for kind in (Kind.SUCCEEDED, Kind.PROCESSING, Kind.FAILED):
        said = [
            notice_of(one, kind, reference, str(one["status"])) for is_, one in known if is_ is kind
        ]
        if said:
            return said if kind is Kind.SUCCEEDED else said[:1]
    return []


def of_link(link: Mapping[str, Any], reference: str) -> list[Notice]:
    """What a payment link says of its attempt. Raises MalformedCallback."""
    listed = link.get("payments")
    items = [
        {**one, "id": one.get("payment_id"), "currency": link.get("currency")}
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, dict)
    ]
    ended = LINK_ENDS.get(str(link.get("status")))
    said = of_payments(items, reference)
    if ended is None or any(one.kind is not Kind.FAILED for one in said):
        return said
    return [
        Notice(
            provider=PROVIDER,
            rail=RAIL,
            event_id=f"{link.get('status')}:{reference}",
            kind=Kind.FAILED,
            reference=reference,
            reason_code=ended,
        )
    ]


def of_refund(refund: Mapping[str, Any], refund_id: str) -> list[Notice]:
    """What a refund entity says of the refund `refund_id`. Raises MalformedCallback."""
    kind = REFUND_STATUSES.get(str(refund.get("status")))
    if kind is None:
        return []
    return [_refund({**refund, "receipt": refund_id}, kind, str(refund["status"]))]


def failure(error: Mapping[str, Any], prefix: str = "") -> str:
    """Our word for why, from an error, or from a payment that holds one."""
    reason = str(error.get(f"{prefix}reason"))
    if reason == "payment_declined" and error.get(f"{prefix}source") == "customer":
        return "declined_by_payer"
    return REASONS.get(reason, "unknown")


def _refund(refund: Mapping[str, Any], kind: Kind, named: str) -> Notice:
    refund_id = _matching(refund, "id", _REFUND)
    ours = (refund.get("receipt"), _map(refund, "notes").get("refund"))
    return Notice(
        provider=PROVIDER,
        rail=RAIL,
        event_id=f"{named}:{refund_id}",
        kind=kind,
        refund=next((one for one in ours if _is_ours(one)), refund_id),
        transaction_id=refund_id,
        amount=_paise(refund),
        currency=_matching(refund, "currency", _CURRENCY),
    )


def _reference(*entities: Mapping[str, Any]) -> str | None:
    """Our reference, wherever it stands: in notes, or as a link's or an order's own number."""
    for name in ("notes", "reference_id", "receipt"):
        for entity in entities:
            said = _map(entity, "notes").get("reference") if name == "notes" else entity.get(name)
            if _is_ours(said):
                return str(said)
    return None


def _is_ours(said: object) -> bool:
    return isinstance(said, str) and _OURS.fullmatch(said) is not None


def _map(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Razorpay writes an empty object as an empty list."""
    value = message.get(name)
    return value if isinstance(value, dict) else {}


def _stamp(message: Mapping[str, Any]) -> int:
    at = message.get("created_at")
    return at if type(at) is int else 0


def _matching(message: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = message.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedCallback(f"{name} is missing or malformed.")
    return value


def _paise(message: Mapping[str, Any]) -> int:
    value = message.get("amount")
    if type(value) is not int or not 0 <= value < 2**63:
        raise MalformedCallback("amount is not a whole number of paise.")
    return value
