"""Pay2S's gateway: takes orders, shows them on a page of its own, and tells how they end.

docs.pay2s.vn: api/collection-link, api/instant-payment-notification, others/signature. Its API is
a relative of MoMo's; where the docs give no result code for a refusal, MoMo's stands here.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..chance import Chance
from ..courier import now_ms
from . import book, qr
from .book import Book, Link, local_time
from .keys import GatewayKeys

WAITING, PAID, DENIED = 9000, 0, 1006
MESSAGES = {WAITING: "Đang chờ thanh toán.", PAID: "Thành công.", DENIED: "Giao dịch bị hủy."}

SIGNED_CREATE = (
    *("accessKey", "amount", "bankAccounts", "ipnUrl", "orderId", "orderInfo"),
    *("partnerCode", "redirectUrl", "requestId", "requestType"),
)
SIGNED_RESULT = (
    *("accessKey", "amount", "extraData", "message", "orderId", "orderInfo", "orderType"),
    *("partnerCode", "payType", "requestId", "responseTime", "resultCode", "transId"),
)

ORDER_INFO = re.compile(r"[A-Za-z0-9]{10,32}")
ORDER_ID = re.compile(r"[A-Za-z0-9._-]{1,50}")
ACCOUNT = re.compile(r"[A-Za-z0-9]{1,19}")
MOST_DONG = 499_999_999

Fields = dict[str, str | int]


class Refused(Exception):
    """`code` is the resultCode of the answer; `detail` names the field."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class Gateway:
    def __init__(self, keys: GatewayKeys, public_url: str, ledger: Book, chance: Chance) -> None:
        self.keys = keys
        self.book = ledger
        self.chance = chance
        self._public_url = public_url

    def create(self, raw: bytes) -> tuple[dict[str, Any], int]:
        """The answer and its HTTP status."""
        body: dict[str, Any] = {}
        try:
            body = read_object(raw)
            link = self._asked(body)
            with self.book.store.transaction() as db:
                if self.book.is_known(link.order_id, link.request_id):
                    raise Refused(41, "orderId")
                book.add(db, link)
        except Refused as refusal:
            message = f"Yêu cầu không hợp lệ ({refusal.detail})"
            return {"status": False, "resultCode": refusal.code, "message": message}, 400
        return self._taken(link), 200

    def pay_url(self, link: Link) -> str:
        return f"{self._public_url}/pay2s/checkout/{link.token}"

    def result(
        self,
        link: Link,
        *,
        code: int | None = None,
        amount: int | None = None,
        forged: bool = False,
    ) -> Fields:
        """What the gateway says of an order, signed. An older `code` is what it was before."""
        shown = link.result_code if code is None else code
        fields: Fields = {
            "partnerCode": self.keys.partner_code,
            "orderId": link.order_id,
            # A number of its own: only orderId and orderInfo are the shop's.
            "requestId": f"P2S{link.trans_id or link.created_ms}",
            "amount": (link.paid or link.amount) if amount is None else amount,
            "orderInfo": link.order_info,
            "orderType": "Pay2S_wallet",
            "transId": link.trans_id,
            "resultCode": shown,
            "message": MESSAGES[shown],
            "payType": "qr",
            "responseTime": local_time(now_ms(), "%Y%m%d%H%M%S"),
            "extraData": "",
        }
        secret = self._secrets()[0]
        signed = sign(
            f"not {secret}" if forged else secret,
            SIGNED_RESULT,
            {**fields, "accessKey": self.keys.access_key},
        )
        return {**fields, "m2signature": signed}

    def redirect_url(self, link: Link) -> str:
        """Where the browser goes back to: with the result, once there is one."""
        if link.result_code == WAITING:
            return link.redirect_url
        split = urlsplit(link.redirect_url)
        carried = urlencode(self.result(link))
        return urlunsplit(
            split._replace(query=f"{split.query}&{carried}" if split.query else carried)
        )

    def _asked(self, body: Mapping[str, Any]) -> Link:
        amount = whole(body, "amount")
        if not 1 <= amount <= MOST_DONG:
            raise Refused(22, "amount")
        if (text(body, "requestType"), text(body, "orderType")) != ("pay2s", "pay2s"):
            raise Refused(20, "requestType")
        if not ORDER_INFO.fullmatch(text(body, "orderInfo")):
            raise Refused(20, "orderInfo: 10 to 32 letters and digits")
        if not ORDER_ID.fullmatch(text(body, "orderId")) or len(text(body, "requestId")) > 50:
            raise Refused(20, "orderId, requestId")
        bin, account = payee(body.get("bankAccounts"))
        self._prove(body)
        order_id = text(body, "orderId")
        return Link(
            order_id=order_id,
            token=self.chance.letters(32, "pay2s page", order_id),
            request_id=text(body, "requestId"),
            order_info=text(body, "orderInfo"),
            amount=amount,
            bin=bin,
            account=account,
            shop=str(body.get("partnerName") or self.keys.partner_code)[:100],
            redirect_url=address(body, "redirectUrl"),
            ipn_url=address(body, "ipnUrl"),
            created_ms=now_ms(),
        )

    def _prove(self, body: Mapping[str, Any]) -> None:
        keys = (self.keys.partner_code, self.keys.access_key)
        if (text(body, "partnerCode"), text(body, "accessKey")) != keys:
            raise Refused(13, "partnerCode, accessKey")
        signed = {**body, "bankAccounts": "Array"}
        given = text(body, "signature").encode()
        if not any(
            hmac.compare_digest(sign(one, SIGNED_CREATE, signed).encode(), given)
            for one in self._secrets()
        ):
            raise Refused(13, "signature")

    def _secrets(self) -> list[str]:
        return [part.strip() for part in self.keys.secret_key.split(",")]

    def _taken(self, link: Link) -> dict[str, Any]:
        return {
            "partnerCode": self.keys.partner_code,
            "requestId": link.request_id,
            "orderId": link.order_id,
            "orderInfo": link.order_info,
            "amount": str(link.amount),
            "message": MESSAGES[PAID],
            "lang": "vi",
            "resultCode": 0,
            "qrList": [
                {
                    "bank_id": qr.BANKS[link.bin][0].lower(),
                    "account_number": link.account,
                    "account_name": link.shop,
                    "qrUrl": f"{self.pay_url(link)}/code.svg",
                }
            ],
            "payUrl": self.pay_url(link),
        }


def sign(secret: str, order: tuple[str, ...], fields: Mapping[str, object]) -> str:
    """HMAC-SHA256 over `key=value&...`, values raw and in UTF-8, lower-case hex."""
    signed = "&".join(f"{name}={fields.get(name, '')}" for name in order)
    return hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()


def read_object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(20, "not JSON") from error
    if not isinstance(body, dict):
        raise Refused(20, "not an object")
    return body


def text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 2_000 or not value.isprintable():
        raise Refused(20, name)
    return value


def whole(body: Mapping[str, Any], name: str) -> int:
    """A number, or its digits as text: Pay2S's samples have both."""
    value = body.get(name)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        return int(value)
    if type(value) is not int:
        raise Refused(20, name)
    return value


def address(body: Mapping[str, Any], name: str) -> str:
    value = text(body, name)
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and value.isascii()
    except ValueError:
        usable = False
    if not usable:
        raise Refused(20, name)
    return value


def payee(accounts: Any) -> tuple[str, str]:
    """The BIN and the number of the first account; more are not pretended here."""
    first = accounts[0] if isinstance(accounts, list) and accounts else None
    if not isinstance(first, dict):
        raise Refused(20, "bankAccounts")
    known = {code.lower(): bin for bin, (code, _name) in qr.BANKS.items()}
    bin, account = known.get(str(first.get("bank_id"))), str(first.get("account_number"))
    if bin is None or not ACCOUNT.fullmatch(account):
        raise Refused(20, "bankAccounts")
    return bin, account


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
