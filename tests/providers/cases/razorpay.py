"""Razorpay: HMAC-SHA256 over the raw body, by the webhook's own secret."""

from __future__ import annotations

import hashlib
import hmac
import json

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Json, Proof, Said
from tests.signing import JSON

SECRET = "secret-of-the-razorpay-webhook"
STATUS = {Kind.SUCCEEDED: "captured", Kind.FAILED: "failed", Kind.PROCESSING: "authorized"}


def call(said: Said) -> Call:
    failed = said.outcome is Kind.FAILED
    payment: Json = {
        "id": f"pay_{said.serial}",
        "entity": "payment",
        "amount": said.amount,
        "currency": said.currency,
        "status": STATUS[said.outcome],
        "order_id": None,
        "method": "upi",
        "captured": said.outcome is Kind.SUCCEEDED,
        "vpa": "payer@exampleupi",
        "notes": {"reference": said.reference},
        "error_code": "BAD_REQUEST_ERROR" if failed else None,
        "error_reason": "payment_declined" if failed else None,
        "acquirer_data": {"rrn": str(said.serial)},
        "created_at": 1_793_500_000,
    }
    event = f"payment.{STATUS[said.outcome]}"
    body = json.dumps(
        {
            "entity": "event",
            "account_id": "acc_TestAcc0000001",
            "event": event,
            "contains": ["payment"],
            "payload": {"payment": {"entity": payment}},
            "created_at": 1_793_500_001,
        }
    ).encode()
    signed = {
        "X-Razorpay-Event-Id": f"{said.serial}{STATUS[said.outcome]}",
        "X-Razorpay-Signature": hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
    }
    return Call(JSON | signed, body)


CASE = Case(
    key="razorpay",
    rail="upi",
    currency="INR",
    price=50_000,
    settings=lambda _url: {
        "RAZORPAY_KEY_ID": "rzp_test_contract",
        "RAZORPAY_KEY_SECRET": "secret-of-the-razorpay-key",
        "RAZORPAY_WEBHOOK_SECRET": SECRET,
    },
    call=call,
    proof=Proof(header="X-Razorpay-Signature"),
)
