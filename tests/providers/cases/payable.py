"""PAYable: the upper-case SHA-512 of seven fields and of the hashed token of the merchant."""

from __future__ import annotations

import hashlib
import json

from payments.domain.states import Kind
from tests.providers.case import Call, Case, Proof, Said
from tests.signing import JSON

MERCHANT, TOKEN = "CONTRACTMERCHANT", "token-of-the-payable-merchant"
CODES = {Kind.SUCCEEDED: 1, Kind.FAILED: 0}


def upper_sha512(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest().upper()


def call(said: Said) -> Call:
    transaction = f"00000000-0000-0000-0000-{said.serial:012d}"
    if said.outcome is Kind.FAILED:
        transaction = transaction.replace("0000-", "f000-", 1)
    signed = {
        "merchantKey": MERCHANT,
        "payableOrderId": f"oid-{said.reference}",
        "payableTransactionId": transaction,
        "payableAmount": f"{said.amount // 100}.{said.amount % 100:02d}",
        "payableCurrency": said.currency,
        "invoiceNo": said.reference,
        "statusCode": CODES[said.outcome],
    }
    text = "|".join(str(value) for value in signed.values())
    message = signed | {
        "statusMessage": "SUCCESS" if said.outcome is Kind.SUCCEEDED else "FAILURE",
        "paymentType": 1,
        "paymentMethod": 1,
        "paymentScheme": "VISA",
        "custom1": "",
        "custom2": "",
        "cardHolderName": "N PERERA",
        "cardNumber": "411111xxxxxx1111",
        "checkValue": upper_sha512(f"{text}|{upper_sha512(TOKEN)}"),
    }
    return Call(dict(JSON), json.dumps(message).encode())


CASE = Case(
    key="payable",
    rail="payable",
    currency="LKR",
    price=235_000,
    settings=lambda _url: {
        "PAYABLE_MERCHANT_KEY": MERCHANT,
        "PAYABLE_MERCHANT_TOKEN": TOKEN,
    },
    call=call,
    proof=Proof(field="checkValue", form="HEX"),
    outcomes=(Kind.SUCCEEDED, Kind.FAILED),
    unsigned=frozenset(
        {
            *("statusMessage", "paymentType", "paymentMethod", "paymentScheme"),
            *("custom1", "custom2", "cardHolderName", "cardNumber"),
        }
    ),
)
