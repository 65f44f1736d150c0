"""CamPay: a JWT that covers no field of the callback, so that it is a doorbell; it is asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from payments.domain.order import Payment
from payments.domain.states import Kind
from tests.providers.case import Call, Case, Json, Proof, Said
from tests.signing import JSON

KEY = "webhook-key-of-the-campay-app-of-32-bytes-or-more"
TOKEN = "permanent-access-token-of-campay"
WORDS = {Kind.SUCCEEDED: "SUCCESSFUL", Kind.FAILED: "FAILED", Kind.PROCESSING: "PENDING"}


def theirs(reference: str) -> str:
    """CamPay's own reference of an attempt of ours."""
    return str(uuid5(NAMESPACE_URL, reference))


def segment(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def jwt() -> str:
    now = int(time.time())
    head = segment(json.dumps({"typ": "JWT", "alg": "HS256"}).encode())
    claims = segment(json.dumps({"iat": now, "nbf": now, "exp": now + 600}).encode())
    signature = hmac.new(KEY.encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"{head}.{claims}.{segment(signature)}"


def record(said: Said) -> Json:
    return {
        "reference": theirs(said.reference),
        "external_reference": said.reference,
        "status": WORDS[said.outcome],
        "amount": f"{said.amount}.00",
        "app_amount": f"{said.amount - said.amount // 50}.00",
        "currency": said.currency,
        "operator": "MTN",
        "code": "CP201027T00005",
        "operator_reference": str(said.serial),
        "phone_number": "237670000001",
        "endpoint": "collect",
        "external_user": "None",
        "reason": "None",
    }


def call(said: Said) -> Call:
    return Call(dict(JSON), json.dumps(record(said) | {"signature": jwt()}).encode())


def answers(path: str, truth: Mapping[str, Said]) -> tuple[int, Json]:
    for reference, said in truth.items():
        if path.rstrip("/") == f"/transaction/{theirs(reference)}":
            return 200, record(said)
    return 404, {"message": "Transaction not found."}


def begun(payment: Payment) -> Payment:
    handle = {"phone": "237670000001", "operator": "MTN"}
    return replace(payment, transaction_id=theirs(payment.reference), handle=handle)


CASE = Case(
    key="campay",
    rail="campay",
    currency="XAF",
    price=5_000,
    settings=lambda url: {
        "CAMPAY_API_URL": url,
        "CAMPAY_PERMANENT_ACCESS_TOKEN": TOKEN,
        "CAMPAY_WEBHOOK_KEY": KEY,
        "CAMPAY_APP_ID": "contract",
    },
    call=call,
    proof=Proof(field="signature", after=".", form="base64url"),
    begun=begun,
    answers=answers,
)
