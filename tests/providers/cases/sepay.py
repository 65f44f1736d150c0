"""SePay: HMAC-SHA256 over the timestamp and the raw body."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Proof, Said
from tests.signing import JSON

SECRET = "secret-of-the-sepay-webhook"


def call(said: Said) -> Call:
    line = {
        "id": said.serial,
        "gateway": "Vietcombank",
        "transactionDate": "2026-11-01 10:02:37",
        "accountNumber": "0011002233445",
        "code": None,
        "content": f"MBVCB.3278907687.{said.reference}.CT tu 0071000123 NGUYEN VAN A",
        "transferType": "in",
        "transferAmount": said.amount,
        "accumulated": 19_077_000,
        "subAccount": None,
        "referenceCode": f"MBVCB.{said.serial}",
        "description": "",
    }
    body, at = json.dumps(line).encode(), str(int(time.time()))
    signature = hmac.new(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    signed = {"X-SePay-Timestamp": at, "X-SePay-Signature": f"sha256={signature}"}
    return Call(JSON | signed, body)


CASE = Case(
    key="sepay",
    rail="bank",
    currency="VND",
    price=50_000,
    settings=lambda _url: {
        "BANK_BIN": "970436",
        "BANK_ACCOUNT": "0011002233445",
        "SEPAY_WEBHOOK_SECRET": SECRET,
    },
    call=call,
    proof=Proof(header="X-SePay-Signature", after="sha256="),
    outcomes=(Kind.SUCCEEDED,),
    payer_sets_amount=True,
    names_currency=False,
)
