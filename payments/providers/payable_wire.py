"""What PAYable's messages are made of: check values, amounts, and what a message says of a payment.

Pure. Facts from PAYable's own packages (npm payable-ipg-js 4.1.4, echeckout-ipg-reactnative-sdk
2.1.7) and guides. A check value is the upper-case hex SHA-512 of values joined by `|`, the last of
them the upper-case hex SHA-512 of the merchant token. Values go in as they stand in the message.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from payments.domain.cards import KeptCard
from payments.domain.errors import MalformedCallback
from payments.domain.notice import Notice
from payments.domain.states import Kind

KEY = "payable"

SUCCESS = "1"
"""UNCONFIRMED: that a failure is 0. Whatever is not the documented success is none."""

TOKENISED_MAY_BE_SIGNED_PLAINLY = True
"""UNCONFIRMED: PAYable's formula for payments with a kept card has customerRefNo in it, the sample
beside it has not. True takes both; what the shorter one leaves out decides nothing about money."""

CALLBACK = (
    *("merchantKey", "payableOrderId", "payableTransactionId", "payableAmount"),
    *("payableCurrency", "invoiceNo", "statusCode"),
)
HOLDER = "customerRefNo"

_AMOUNT = re.compile(r"([0-9]{1,12})\.([0-9]{2})")
_CURRENCY = re.compile(r"[A-Z]{3}")
_ID = re.compile(r"[\x21-\x7e]{1,128}")
_REFERENCE = re.compile(r"[\x21-\x7e]{1,64}")


def _upper_sha512(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest().upper()


def check_value(merchant_token: str, *values: str) -> str:
    return _upper_sha512("|".join([*values, _upper_sha512(merchant_token)]))


def environment(api_url: str, simulator_url: str | None) -> str:
    """The name in the addresses: `sandbox` at PAYable's own and at our simulator, else `pro`."""
    host = urlsplit(api_url).hostname or ""
    return "sandbox" if host.startswith("sandbox") or api_url == simulator_url else "pro"


def signed_texts(message: Mapping[str, Any]) -> list[str]:
    """What may stand under the check value, less the token. Raises MalformedCallback."""
    plain = [_plain(message, name) for name in CALLBACK]
    if message.get(HOLDER) in (None, ""):
        return ["|".join(plain)]
    tokenised = "|".join([*plain, _plain(message, HOLDER)])
    return [tokenised, "|".join(plain)] if TOKENISED_MAY_BE_SIGNED_PLAINLY else [tokenised]


def notice_of(message: Mapping[str, Any]) -> Notice:
    """What a callback, or the answer to a question, says. Raises MalformedCallback.

    `statusMessage` stands outside of the check value and is not looked at.
    """
    code = _plain(message, "statusCode")
    transaction = _matching(message, "payableTransactionId", _ID)
    amount = _AMOUNT.fullmatch(_plain(message, "payableAmount"))
    if amount is None:
        raise MalformedCallback("payableAmount is not an amount with two digits.")
    paid = code == SUCCESS
    return Notice(
        provider=KEY,
        event_id=f"{transaction}:{code[:16]}",
        kind=Kind.SUCCEEDED if paid else Kind.FAILED,
        reference=_matching(message, "invoiceNo", _REFERENCE),
        transaction_id=transaction,
        amount=int(amount[1] + amount[2]),
        currency=_matching(message, "payableCurrency", _CURRENCY),
        reason_code=None if paid else "card_declined",
        signed=signed_texts(message)[0].encode(),
        kept_card=_kept_card(message) if paid else None,
    )


def _kept_card(message: Mapping[str, Any]) -> KeptCard | None:
    """UNCONFIRMED: that the card's own id comes along. The provider's list is asked for it."""
    holder, merchant, customer = (
        message.get(name) for name in (HOLDER, "merchantId", "customerId")
    )
    texts = [str(one) for one in (holder, merchant, customer) if isinstance(one, str | int)]
    if len(texts) < 3 or not all(_ID.fullmatch(one) for one in texts):
        return None
    return KeptCard(texts[0], {"merchant_id": texts[1], "customer_id": texts[2]})


def _plain(message: Mapping[str, Any], name: str) -> str:
    """The text as it was joined. With a `|` inside, one field could pass for two."""
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or "|" in str(value):
        raise MalformedCallback(f"{name} is missing or malformed.")
    return str(value)


def _matching(message: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = _plain(message, name)
    if not pattern.fullmatch(value):
        raise MalformedCallback(f"{name} is missing or malformed.")
    return value
