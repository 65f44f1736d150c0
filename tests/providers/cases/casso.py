"""Casso, version 2: HMAC-SHA512 over the time and the compact JSON with its keys sorted."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Proof, Said
from tests.signing import JSON

KEY = "checksum-key-of-the-casso-webhook"


def call(said: Said) -> Call:
    line = {
        "id": said.serial,
        "reference": f"FT{said.serial}",
        "description": f"NGUYEN VAN A chuyen tien {said.reference} FT2630112",
        "amount": said.amount,
        "runningBalance": 25_000_000,
        "transactionDateTime": "2026-11-01 10:06:37",
        "accountNumber": "0011002233445",
        "bankName": "Vietcombank",
        "bankAbbreviation": "VCB",
        "virtualAccountNumber": "",
        "virtualAccountName": "",
        "counterAccountName": "NGUYEN VAN A",
        "counterAccountNumber": "8888888888",
        "counterAccountBankId": "970415",
        "counterAccountBankName": "VietinBank",
    }
    message = {"error": 0, "data": line}
    at = str(int(time.time() * 1000))
    text = f"{at}.{json.dumps(message, sort_keys=True, separators=(',', ':'))}"
    signature = hmac.new(KEY.encode(), text.encode(), hashlib.sha512).hexdigest()
    signed = {"X-Casso-Signature": f"t={at},v1={signature}"}
    return Call(JSON | signed, json.dumps(message).encode())


CASE = Case(
    key="casso",
    rail="bank",
    currency="VND",
    price=50_000,
    settings=lambda _url: {
        "BANK_BIN": "970436",
        "BANK_ACCOUNT": "0011002233445",
        "CASSO_WEBHOOK_KEY": KEY,
    },
    call=call,
    proof=Proof(header="X-Casso-Signature", after="v1="),
    outcomes=(Kind.SUCCEEDED,),
    payer_sets_amount=True,
    names_currency=False,
)
