"""What bank feeds send, proved as each of them does it; written apart from the adapters."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any

from flask import Flask

from tests.signing import JSON

TOKEN = "token-of-the-pay2s-webhook"
SEPAY_SECRET, SEPAY_KEY = "secret-of-the-sepay-webhook", "key-of-the-sepay-webhook"
CASSO_KEY = "key-of-the-casso-webhook"
PAYOS_KEY = "checksum-key-of-payos"
PARTNER, ACCESS, SECRET = "PAY2STEST", "access-key-of-pay2s", "secret-key-of-the-pay2s-gateway"

SETTINGS = {
    "BANK_BIN": "970436",
    "BANK_ACCOUNT": "0011002233445",
    "PAY2S_WEBHOOK_TOKEN": TOKEN,
    "SEPAY_WEBHOOK_SECRET": SEPAY_SECRET,
    "CASSO_WEBHOOK_KEY": CASSO_KEY,
    "PAYOS_CLIENT_ID": "client",
    "PAYOS_API_KEY": "api-key",
    "PAYOS_CHECKSUM_KEY": PAYOS_KEY,
    "PAY2S_PARTNER_CODE": PARTNER,
    "PAY2S_ACCESS_KEY": ACCESS,
    "PAY2S_SECRET_KEY": SECRET,
}
"""A shop that has set up every one of them."""


@dataclass(frozen=True)
class Transfer:
    """A line of the account: `id` is the feed's own, `number` the bank's."""

    text: str
    amount: int
    id: int = 1
    number: str = ""
    incoming: bool = True


@dataclass(frozen=True)
class Told:
    """One request of a feed's."""

    key: str
    body: bytes
    headers: dict[str, str]

    def to(self, app: Flask) -> int:
        answer = app.test_client().post(
            f"/callbacks/{self.key}", data=self.body, headers=self.headers
        )
        if answer.status_code == 200:
            assert json.loads(answer.data) == {"success": True}
        return answer.status_code


def each(field: str, *values: Any) -> list[dict[str, Any]]:
    """The same field with each of these."""
    return [{field: value} for value in values]


def sha256(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def written(message: Any) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()


def pay2s(*transfers: Transfer, token: str = TOKEN) -> Told:
    lines = [
        {
            "id": str(one.id),
            "gateway": "VCB",
            "transactionDate": "2026-11-01 10:02:18",
            "transactionNumber": one.number,
            "accountNumber": "0011002233445",
            "content": one.text,
            "transferType": "IN" if one.incoming else "OUT",
            "transferAmount": one.amount,
            "checksum": "7e2b3bbc03d1083017e3d2a96d3b8e01",
        }
        for one in transfers
    ]
    headers = JSON | {"Authorization": f"Bearer {token}"}
    return Told("pay2s", written({"transactions": lines}), headers)


def sepay(one: Transfer, *, secret: str = SEPAY_SECRET, age: int = 0, **more: Any) -> Told:
    body = written(
        {
            "id": one.id,
            "gateway": "Vietcombank",
            "transactionDate": "2026-11-01 10:02:37",
            "accountNumber": "0011002233445",
            "code": None,
            "content": one.text,
            "transferType": "in" if one.incoming else "out",
            "transferAmount": one.amount,
            "accumulated": 19_077_000,
            "subAccount": None,
            "referenceCode": one.number,
            "description": "",
            **more,
        }
    )
    at = str(int(time.time()) - age)
    proof = f"sha256={sha256(secret, f'{at}.{body.decode()}')}"
    return Told("sepay", body, JSON | {"X-SePay-Timestamp": at, "X-SePay-Signature": proof})


def casso(
    one: Transfer, *, key: str = CASSO_KEY, age: float = 0, as_php: bool = False, **more: Any
) -> Told:
    message = {
        "error": 0,
        "data": {
            "id": one.id,
            "reference": one.number,
            "description": one.text,
            "amount": one.amount if one.incoming else -one.amount,
            "runningBalance": 25_000_000,
            "transactionDateTime": "2026-11-01 10:06:37",
            "accountNumber": "0011002233445",
            **more,
        },
    }
    ordered = json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=as_php)
    if as_php:
        ordered = ordered.replace("/", r"\/")
    at = int((time.time() - age) * 1000)
    proof = hmac.new(key.encode(), f"{at}.{ordered}".encode(), hashlib.sha512).hexdigest()
    return Told("casso", written(message), JSON | {"X-Casso-Signature": f"t={at},v1={proof}"})


def payos(one: Transfer, *, key: str = PAYOS_KEY, **more: Any) -> Told:
    data = {
        "orderCode": one.id,
        "amount": one.amount,
        "description": one.text,
        "accountNumber": "0011002233445",
        "reference": one.number,
        "transactionDateTime": "2026-11-01 10:25:00",
        "currency": "VND",
        "paymentLinkId": f"{one.id:032x}",
        "code": "00",
        "desc": "Thành công",
        "counterAccountBankName": None,
        "virtualAccountNumber": "",
        **more,
    }
    text = "&".join(f"{name}={'' if v is None else v}" for name, v in sorted(data.items()))
    message = {"code": "00", "desc": "success", "success": True, "data": data}
    return Told("payos", written(message | {"signature": sha256(key, text)}), dict(JSON))


def gateway(
    memo: str,
    amount: int | str,
    *,
    id: int = 1,
    code: int = 0,
    secret: str = SECRET,
    field: str = "m2signature",
    **more: Any,
) -> Told:
    fields: dict[str, Any] = {
        "partnerCode": PARTNER,
        "orderId": memo,
        "requestId": memo,
        "amount": str(amount),
        "orderInfo": memo,
        "orderType": "Pay2S_wallet",
        "transId": id,
        "resultCode": code,
        "message": "Thành công.",
        "payType": "qr",
        "responseTime": "20261101100218",
        "extraData": "",
        **more,
    }
    signed = fields | {"accessKey": ACCESS}
    proof = sha256(secret, "&".join(f"{name}={signed[name]}" for name in sorted(signed)))
    return Told("pay2s-gateway", written(fields | {field: proof}), dict(JSON))
