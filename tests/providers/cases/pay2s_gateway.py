"""Pay2S's gateway: thirteen fields of its notification, signed as MoMo's are."""

from __future__ import annotations

import hashlib
import hmac
import json

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Json, Proof, Said
from tests.signing import JSON

ACCESS, SECRET = "access-key-of-pay2s", "secret-key-of-the-pay2s-gateway"
CODES = {Kind.SUCCEEDED: 0, Kind.FAILED: 1006, Kind.PROCESSING: 9000}


def call(said: Said) -> Call:
    fields: Json = {
        "partnerCode": "PAY2STEST",
        "orderId": said.reference,
        "requestId": said.reference,
        "amount": str(said.amount),
        "orderInfo": said.reference,
        "orderType": "Pay2S_wallet",
        "transId": said.serial,
        "resultCode": CODES[said.outcome],
        "message": "Thành công.",
        "payType": "qr",
        "responseTime": "20261101100218",
        "extraData": "",
    }
    signed = fields | {"accessKey": ACCESS}
    text = "&".join(f"{name}={signed[name]}" for name in sorted(signed))
    fields["m2signature"] = hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return Call(dict(JSON), json.dumps(fields, ensure_ascii=False).encode())


CASE = Case(
    key="pay2s-gateway",
    rail="bank",
    currency="VND",
    price=50_000,
    settings=lambda _url: {
        "BANK_BIN": "970436",
        "BANK_ACCOUNT": "0011002233445",
        "PAY2S_PARTNER_CODE": "PAY2STEST",
        "PAY2S_ACCESS_KEY": ACCESS,
        "PAY2S_SECRET_KEY": SECRET,
    },
    call=call,
    proof=Proof(field="m2signature"),
    payer_sets_amount=True,
    names_currency=False,
    # It is empty: left out, the signed text is the same.
    unsigned=frozenset({"extraData"}),
)
