"""Signs as MoMo and as a shop do, written apart from the adapters that verify."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

JSON = {"Content-Type": "application/json"}
MOMO_ACCESS = "F8BBA842ECF85"
MOMO_SECRET = "K951B6PE1waDMi640xX08PD3vg6EkVlz"
SHOP_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def momo_ipn(
    reference: str,
    amount: int,
    *,
    code: int = 0,
    trans_id: int = 4_088_878_653,
    secret: str = MOMO_SECRET,
    **changed: Any,
) -> bytes:
    """The body of an IPN, signed; `changed` replaces fields before the signature is made."""
    fields: dict[str, Any] = {
        "partnerCode": "MOMO",
        "orderId": reference,
        "requestId": reference,
        "amount": amount,
        "orderInfo": "Cà phê",
        "orderType": "momo_wallet",
        "transId": trans_id,
        "resultCode": code,
        "message": "Thành công." if code == 0 else "Giao dịch bị từ chối.",
        "payType": "qr",
        "responseTime": 1_721_720_663_942,
        "extraData": "",
        **changed,
    }
    text = "&".join(
        f"{name}={({**fields, 'accessKey': MOMO_ACCESS})[name]}"
        for name in sorted([*fields, "accessKey"])
    )
    fields["signature"] = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return json.dumps(fields, ensure_ascii=False).encode()


def shop_webhook(
    order_id: str,
    amount: int,
    *,
    transaction: str = "T-1",
    status: str = "success",
    event: str = "msg_1",
    secret: str = SHOP_SECRET,
    **more: Any,
) -> tuple[bytes, dict[str, str]]:
    """Body and headers of `POST /webhook/payment`, signed by the Standard Webhooks library."""
    said = {"bookingId": order_id, "transactionId": transaction, "amount": amount, "status": status}
    body = json.dumps({**said, **more}).encode()
    at = datetime.now(UTC)
    return body, {
        **JSON,
        "webhook-id": event,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event, at, body.decode()),
    }
