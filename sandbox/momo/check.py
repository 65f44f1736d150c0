"""Reads the bodies of MoMo's calls, and refuses them the way MoMo does. No I/O here."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from . import wire

WHOLE = re.compile(r"[0-9]{1,30}")
# MoMo's ^[0-9a-zA-Z]([-_.]*[0-9a-zA-Z]+)*$, said without the repetition inside a repetition,
# on which a long bad id would take exponential time.
ORDER_ID = re.compile(r"[0-9a-zA-Z](?:[-_.0-9a-zA-Z]*[0-9a-zA-Z])?")
MOST_STORED = 2**63 - 1

# The least and the most VND a payment may have, by requestType (MoMo docs, onetime/atm/credit).
LIMITS: dict[str, tuple[int, int]] = {
    "captureWallet": (1_000, 50_000_000),
    "payWithATM": (10_000, 50_000_000),
    "payWithCC": (1_000, 10_000_000),
    "payWithMethod": (1_000, 50_000_000),
}
MOST_ITEMS = 50


class Refused(Exception):
    """`code` is MoMo's resultCode; `detail` says which field, for the person who reads the log."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Create:
    request_id: str
    order_id: str
    amount: int
    order_info: str
    redirect_url: str
    ipn_url: str
    request_type: str
    extra_data: str
    lang: str
    shop: str
    signature: str


@dataclass(frozen=True)
class Query:
    request_id: str
    order_id: str
    lang: str


@dataclass(frozen=True)
class Refund:
    request_id: str
    order_id: str
    amount: int
    trans_id: int
    description: str
    lang: str
    signature: str


def read_json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(20, "not JSON") from error
    if not isinstance(body, dict):
        raise Refused(20, "not an object")
    return body


def create(keys: wire.MomoKeys, body: Mapping[str, Any]) -> Create:
    request_type = text(body, "requestType", 50)
    if request_type not in LIMITS:
        raise Refused(20, f"requestType, known here: {', '.join(LIMITS)}")
    if body.get("autoCapture", True) is not True:
        raise Refused(20, "autoCapture=false is not pretended here")
    items = body.get("items")
    if items is not None and (not isinstance(items, list) or len(items) > MOST_ITEMS):
        raise Refused(20, "items")
    asked = Create(
        request_id=text(body, "requestId", 50),
        order_id=order_id(body),
        amount=whole(body, "amount", 21),
        order_info=text(body, "orderInfo", 255),
        redirect_url=address(body, "redirectUrl"),
        ipn_url=address(body, "ipnUrl"),
        request_type=request_type,
        extra_data=extra_data(body),
        lang=lang(body),
        shop=shop(body),
        signature=text(body, "signature", 64),
    )
    parts = urlsplit(asked.ipn_url)
    if parts.query or parts.fragment:
        raise Refused(20, "ipnUrl has a query string")
    prove(keys, wire.CREATE_ORDER, body)
    return asked


def query(keys: wire.MomoKeys, body: Mapping[str, Any]) -> Query:
    asked = Query(text(body, "requestId", 50), order_id(body), lang(body))
    text(body, "signature", 64)
    prove(keys, wire.QUERY_ORDER, body)
    return asked


def refund(keys: wire.MomoKeys, body: Mapping[str, Any]) -> Refund:
    asked = Refund(
        request_id=text(body, "requestId", 50),
        order_id=order_id(body),
        amount=whole(body, "amount", 21),
        trans_id=whole(body, "transId", 20),
        description=text(body, "description", 255, empty=True, missing=True),
        lang=lang(body),
        signature=text(body, "signature", 64),
    )
    if asked.trans_id > MOST_STORED:
        raise Refused(20, "transId")
    prove(keys, wire.REFUND_ORDER, body)
    return asked


def prove(keys: wire.MomoKeys, order: tuple[str, ...], body: Mapping[str, Any]) -> None:
    """The caller knows the secret, and calls as the partner it belongs to."""
    if text(body, "partnerCode", 50) != keys.partner_code:
        raise Refused(13, "partnerCode")
    if body.get("accessKey", keys.access_key) != keys.access_key:
        raise Refused(13, "accessKey")
    if not wire.is_signed(keys, order, body, str(body["signature"])):
        raise Refused(13, "signature")


def text(
    body: Mapping[str, Any], name: str, most: int, *, empty: bool = False, missing: bool = False
) -> str:
    value = body.get(name)
    if value is None and missing:
        return ""
    if not isinstance(value, str) or len(value) > most or not (value or empty):
        raise Refused(20, name)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Refused(20, f"{name} is not Unicode text") from error
    return value


def whole(body: Mapping[str, Any], name: str, code: int) -> int:
    """A whole number, sent as a number or, as MoMo's own samples do, as text."""
    value = body.get(name)
    if value is None:
        raise Refused(20, name)
    if isinstance(value, str) and WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Refused(code, name)


def order_id(body: Mapping[str, Any]) -> str:
    value = text(body, "orderId", 200)
    if not ORDER_ID.fullmatch(value):
        raise Refused(20, "orderId")
    return value


def address(body: Mapping[str, Any], name: str) -> str:
    value = text(body, name, 2_000)
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # Printable ASCII alone: MoMo asks it of ipnUrl, and a line break would end a Location header.
    if not usable or not all("!" <= letter <= "~" for letter in value):
        raise Refused(20, name)
    return value


def extra_data(body: Mapping[str, Any]) -> str:
    """`""`, or base64 of JSON. It must be there even when it is empty (MoMo docs, onetime)."""
    value = text(body, "extraData", 1_000, empty=True)
    if value:
        try:
            json.loads(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError, RecursionError) as error:
            raise Refused(20, "extraData is not base64 of JSON") from error
    return value


def lang(body: Mapping[str, Any]) -> str:
    """`vi` or `en`. Whether MoMo insists is not known; without it the answer is Vietnamese."""
    value = body.get("lang", "vi")
    if value not in ("vi", "en"):
        raise Refused(20, "lang")
    return str(value)


def shop(body: Mapping[str, Any]) -> str:
    """The name the customer sees: the store's, else the partner's, else the partner code."""
    names = (
        text(body, name, 255, empty=True, missing=True) for name in ("storeName", "partnerName")
    )
    return next((name for name in names if name), "") or text(body, "partnerCode", 50)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
