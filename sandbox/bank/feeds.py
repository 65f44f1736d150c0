"""Who tells the shop of its account's lines, each in its own form. No I/O here.

pay2s: docs.pay2s.vn/webhook/tai-lieu-ky-thuat. sepay: developer.sepay.vn/en/sepay-webhooks.
casso: Casso's own PHP sample for `X-Casso-Signature`. payos: payos.vn/docs/tich-hop-webhook.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..courier import Manners
from .book import Line
from .keys import BankKeys
from .qr import BANKS

PAYER = {"bin": "970407", "account": "19034567890123", "name": "NGUYEN THI MAI"}

Told = tuple[dict[str, str], str]
"""Headers and body of one callback."""


@dataclass(frozen=True)
class Teller:
    """What a feed signs with: the shop's keys, or a forger's; `now_ms` is when it sends."""

    keys: BankKeys
    now_ms: int
    forged: bool = False

    def secret(self, value: str) -> str:
        """The first of two, while they are rotated; none of them in a forger's hands."""
        return f"not {value}" if self.forged else value.split(",")[0].strip()


@dataclass(frozen=True)
class Feed:
    """`secret`: what the shop must have registered. `outgoing`: it tells of money that leaves."""

    key: str
    label: str
    secret: Callable[[BankKeys], object | None]
    tell: Callable[[Teller, Sequence[Line]], list[Told]]
    manners: Manners
    outgoing: bool = True


def pay2s(teller: Teller, lines: Sequence[Line]) -> list[Told]:
    """All lines in one body. Nothing is signed: the token alone shows who speaks."""
    headers = {"Authorization": f"Bearer {teller.secret(teller.keys.pay2s_token or '')}"}
    transactions = [
        {
            "id": str(line.id),
            "gateway": bank_code(line.bin),
            "transactionDate": line.local_time,
            "transactionNumber": line.reference,
            "accountNumber": line.account,
            "content": line.content,
            "transferType": "IN" if line.incoming else "OUT",
            "transferAmount": line.amount,
            # How Pay2S makes it is not public; it has 32 hex digits.
            "checksum": hashlib.md5(line.reference.encode(), usedforsecurity=False).hexdigest(),
        }
        for line in lines
    ]
    return [as_json(headers, {"transactions": transactions})]


def sepay(teller: Teller, lines: Sequence[Line]) -> list[Told]:
    return [_sepay(teller, line) for line in lines]


def _sepay(teller: Teller, line: Line) -> Told:
    headers, body = as_json(
        {},
        {
            "id": line.id,
            "gateway": bank_name(line.bin),
            "transactionDate": line.local_time,
            "accountNumber": line.account,
            "code": None,
            "content": line.content,
            "transferType": "in" if line.incoming else "out",
            "transferAmount": line.amount,
            "accumulated": line.balance,
            "subAccount": None,
            "referenceCode": line.reference,
            "description": f"BankAPINotify {line.content}",
        },
    )
    if not teller.keys.sepay_secret:
        key = teller.secret(teller.keys.sepay_api_key or "")
        return {**headers, "Authorization": f"Apikey {key}"}, body
    at = str(teller.now_ms // 1000)
    secret = teller.secret(teller.keys.sepay_secret)
    signed = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return {**headers, "X-SePay-Timestamp": at, "X-SePay-Signature": f"sha256={signed}"}, body


def casso(teller: Teller, lines: Sequence[Line]) -> list[Told]:
    return [_casso(teller, line) for line in lines]


def _casso(teller: Teller, line: Line) -> Told:
    told = {
        "error": 0,
        "data": {
            "id": line.id,
            "reference": line.reference,
            "description": line.content,
            "amount": line.amount if line.incoming else -line.amount,
            "runningBalance": line.balance,
            "transactionDateTime": line.local_time,
            "accountNumber": line.account,
            "bankName": bank_name(line.bin),
            "bankAbbreviation": bank_code(line.bin),
            "virtualAccountNumber": "",
            "virtualAccountName": "",
            "counterAccountName": PAYER["name"],
            "counterAccountNumber": PAYER["account"],
            "counterAccountBankId": PAYER["bin"],
            "counterAccountBankName": bank_name(PAYER["bin"]),
        },
    }
    headers, body = as_json({}, told)
    # Which of its samples Casso's server follows is not known; here it is the one in JavaScript.
    ordered = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    secret = teller.secret(teller.keys.casso_key or "")
    text = f"{teller.now_ms}.{ordered}"
    signed = hmac.new(secret.encode(), text.encode(), hashlib.sha512).hexdigest()
    return {**headers, "X-Casso-Signature": f"t={teller.now_ms},v1={signed}"}, body


def payos(teller: Teller, lines: Sequence[Line]) -> list[Told]:
    return [_payos(teller, line) for line in lines]


def _payos(teller: Teller, line: Line) -> Told:
    data: dict[str, str | int | None] = {
        "orderCode": line.id,
        "amount": line.amount,
        "description": line.content,
        "accountNumber": line.account,
        "reference": line.reference,
        "transactionDateTime": line.local_time,
        "currency": "VND",
        "paymentLinkId": hashlib.md5(str(line.id).encode(), usedforsecurity=False).hexdigest(),
        "code": "00",
        "desc": "Thành công",
        "counterAccountBankId": PAYER["bin"],
        "counterAccountBankName": bank_name(PAYER["bin"]),
        "counterAccountName": PAYER["name"],
        "counterAccountNumber": PAYER["account"],
        "virtualAccountName": None,
        "virtualAccountNumber": "",
    }
    text = "&".join(f"{name}={'' if data[name] is None else data[name]}" for name in sorted(data))
    secret = teller.secret(teller.keys.payos_checksum_key or "")
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    told = {"code": "00", "desc": "success", "success": True, "data": data}
    return as_json({}, {**told, "signature": signature})


def as_json(headers: Mapping[str, str], told: Mapping[str, Any]) -> Told:
    body = json.dumps(told, ensure_ascii=False)
    return {"Content-Type": "application/json; charset=UTF-8", **headers}, body


def bank_code(bin: str) -> str:
    return BANKS.get(bin, (bin, bin))[0]


def bank_name(bin: str) -> str:
    return BANKS.get(bin, (bin, bin))[1]


def said_success(status: int, body: str) -> bool:
    """Pay2S wants both: HTTP 200 and `{"success": true}`."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return status == 200 and isinstance(told, dict) and told.get("success") is True


def is_2xx(status: int, _body: str) -> bool:
    return 200 <= status < 300


ONCE_MORE_AND_SIX = Manners(said_success, tries=7)
"""Pay2S: again after 60 s, six times at most. Here the pauses are the sandbox's own."""

FEEDS = (
    Feed("pay2s", "Pay2S webhook", lambda keys: keys.pay2s_token, pay2s, ONCE_MORE_AND_SIX),
    Feed(
        *("sepay", "SePay", lambda keys: keys.sepay_secret or keys.sepay_api_key),
        *(sepay, Manners(is_2xx, tries=8)),
    ),
    Feed("casso", "Casso, version 2", lambda keys: keys.casso_key, casso, Manners(is_2xx, tries=5)),
    Feed(
        *("payos", "payOS", lambda keys: keys.payos_checksum_key),
        *(payos, Manners(is_2xx, tries=5)),
        outgoing=False,
    ),
)
