"""payOS: HMAC-SHA256 over the data's fields, sorted; what stands around them is not signed."""

from __future__ import annotations

import hashlib
import hmac
import json

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Json, Proof, Said
from tests.signing import JSON

KEY = "checksum-key-of-the-payos-webhook"


def call(said: Said) -> Call:
    data: Json = {
        "orderCode": said.serial,
        "amount": said.amount,
        "description": f"CS7A {said.reference}",
        "accountNumber": "0011002233445",
        "reference": f"FT{said.serial}",
        "transactionDateTime": "2026-11-01 10:25:00",
        "currency": said.currency,
        "paymentLinkId": f"{said.serial:032x}",
        "code": "00",
        "desc": "Thành công",
        "counterAccountBankId": "",
        "counterAccountBankName": None,
        "counterAccountName": "NGUYEN VAN A",
        "counterAccountNumber": "",
        "virtualAccountName": "",
        "virtualAccountNumber": "",
    }
    text = "&".join(f"{k}={'' if v is None else v}" for k, v in sorted(data.items()))
    signature = hmac.new(KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
    message = {"code": "00", "desc": "success", "success": True, "data": data}
    body = json.dumps(message | {"signature": signature}, ensure_ascii=False)
    return Call(dict(JSON), body.encode())


CASE = Case(
    key="payos",
    rail="bank",
    currency="VND",
    price=50_000,
    settings=lambda _url: {
        "BANK_BIN": "970436",
        "BANK_ACCOUNT": "0011002233445",
        "PAYOS_CLIENT_ID": "client",
        "PAYOS_API_KEY": "api-key",
        "PAYOS_CHECKSUM_KEY": KEY,
    },
    call=call,
    proof=Proof(field="signature"),
    outcomes=(Kind.SUCCEEDED,),
    payer_sets_amount=True,
    unsigned=frozenset({"code", "desc", "success"}),
)
