"""MoMo on the wire: field orders, the signature, pay links, the QR text, result codes.

Written from MoMo's documents (developers.momo.vn/v3, API v2), not from the adapter under test.
"""

import base64
import binascii
import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from ..emv import tlv, with_crc

KEY = "momo"
"""The name of this provider, in addresses and in the courier's log."""


@dataclass(frozen=True)
class MomoKeys:
    """What MoMo gives a merchant. `secret_key` may hold two, comma-separated, during a rotation:
    the first signs, both verify."""

    partner_code: str
    access_key: str
    secret_key: str

    @property
    def secrets(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.secret_key.split(",") if part.strip())


# The order of the fields in the signed text. (MoMo docs: onetime, notification, query, refund.)
CREATE_ORDER = (
    *("accessKey", "amount", "extraData", "ipnUrl", "orderId", "orderInfo"),
    *("partnerCode", "redirectUrl", "requestId", "requestType"),
)
RESULT_ORDER = (
    *("accessKey", "amount", "extraData", "message", "orderId", "orderInfo", "orderType"),
    *("partnerCode", "payType", "requestId", "responseTime", "resultCode", "transId"),
)
QUERY_ORDER = ("accessKey", "orderId", "partnerCode", "requestId")
REFUND_ORDER = (
    *("accessKey", "amount", "description", "orderId", "partnerCode", "requestId", "transId"),
)


def sign(secret: str, order: tuple[str, ...], fields: Mapping[str, object]) -> str:
    """HMAC-SHA256 over `key=value&...`, values raw and in UTF-8, lower-case hex."""
    text = "&".join(f"{name}={fields.get(name, '')}" for name in order)
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_signed(
    keys: MomoKeys, order: tuple[str, ...], fields: Mapping[str, object], signature: str
) -> bool:
    filled = {**fields, "accessKey": keys.access_key}
    return any(
        hmac.compare_digest(sign(secret, order, filled).encode(), signature.encode())
        for secret in keys.secrets
    )


@dataclass(frozen=True)
class Result:
    """`final`: the answer to a repeated requestId is this one again (else code 40)."""

    http_status: int
    final: bool
    en: str
    vi: str


# MoMo docs, result codes. HTTP: 2xx was processed, 4xx is the caller's fault.
RESULTS: dict[int, Result] = {
    0: Result(200, True, "Successful.", "Thành công."),
    13: Result(400, False, "Merchant authentication failed.", "Xác thực doanh nghiệp thất bại."),
    20: Result(400, False, "Bad format request.", "Yêu cầu sai định dạng."),
    21: Result(400, False, "Invalid transaction amount.", "Số tiền giao dịch không hợp lệ."),
    22: Result(
        *(400, False, "The transaction amount is out of range."),
        "Số tiền giao dịch nằm ngoài phạm vi cho phép.",
    ),
    40: Result(400, False, "Duplicated requestId.", "RequestId bị trùng."),
    41: Result(400, False, "Duplicated orderId.", "OrderId bị trùng."),
    42: Result(
        *(400, False, "Invalid orderId or orderId is not found."),
        "OrderId không hợp lệ hoặc không được tìm thấy.",
    ),
    1000: Result(
        *(200, False, "Transaction is initiated, waiting for user confirmation."),
        "Giao dịch đã được khởi tạo, chờ người dùng xác nhận thanh toán.",
    ),
    1006: Result(200, True, "Transaction denied by user.", "Giao dịch bị từ chối bởi người dùng."),
    1081: Result(
        *(200, True, "Refund rejected: already refunded, or more than was paid."),
        "Giao dịch hoàn tiền bị từ chối: đã được hoàn hoặc vượt quá số tiền đã thanh toán.",
    ),
    1088: Result(
        *(200, True, "The transaction is not eligible for a refund."),
        "Giao dịch không đủ điều kiện để hoàn tiền.",
    ),
    7000: Result(422, False, "Transaction is being processed.", "Giao dịch đang được xử lý."),
}


def message(code: int, lang: str) -> str:
    return RESULTS[code].en if lang == "en" else RESULTS[code].vi


def pay_token(keys: MomoKeys, order_id: str) -> str:
    """The `t` of a pay link: base64url of `partnerCode|orderId`, no padding."""
    return base64.urlsafe_b64encode(f"{keys.partner_code}|{order_id}".encode()).decode().rstrip("=")


def pay_seal(secret: str, token: str) -> str:
    """The `s` of a pay link, 64 hex. How MoMo makes it is not public; this is ours."""
    return hmac.new(secret.encode(), f"pay link {token}".encode(), hashlib.sha256).hexdigest()


def order_of_link(keys: MomoKeys, token: str, seal: str) -> str | None:
    """The order a pay link names, or None where its seal or its form is wrong."""
    if not any(
        hmac.compare_digest(pay_seal(secret, token).encode(), seal.encode(errors="replace"))
        for secret in keys.secrets
    ):
        return None
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    partner, _, order_id = text.partition("|")
    return order_id if partner == keys.partner_code else None


def qr_text(amount: int, reference: str, order_info: str) -> str:
    """The EMV payload of `qrCodeUrl`, laid out as in MoMo's own sample (docs, onetime)."""
    body = "".join(
        (
            *(tlv("00", "01"), tlv("01", "12"), tlv("26", tlv("00", "vn.momo"))),
            tlv("38", tlv("00", "A000000727") + tlv("02", "QRIBFTTA")),
            *(tlv("53", "704"), tlv("54", str(amount)), tlv("58", "VN")),
            tlv("62", tlv("05", reference) + tlv("08", plain(order_info)[:25].strip() or "MoMo")),
        )
    )
    return with_crc(body)


def plain(text: str) -> str:
    """Without diacritics, in ASCII: lengths in a QR payload are then the same in any reading."""
    folded = unicodedata.normalize("NFKD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in folded if " " <= letter <= "~")
