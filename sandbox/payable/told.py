"""What PAYable tells the merchant about a payment, and how the switches spoil it. No I/O here.

The switches change the webhooks alone. What check-status says stays true, as it would when a
network or a forger is at fault.
"""

import json
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..courier import Callback
from ..switches import Switch, Switches
from . import book, wire

HEADERS = {"Content-Type": "application/json"}
SUCCESS, FAILURE = 1, 0

SWITCHES = (
    Switch("twice", "Twice", "The same webhook two times"),
    Switch("reorder", "Out of order", "A failed try from before comes after"),
    Switch("wrong_amount", "Wrong amount", "Less by half, with a right check value"),
    Switch("forged", "Forged", "Hashed with another token"),
    Switch("silent", "Silent", "No webhook; check-status tells"),
)

Fields = dict[str, Any]


def result(
    keys: wire.PayableKeys,
    payment: book.Payment,
    *,
    amount: str | None = None,
    failed_before: bool = False,
    token: str | None = None,
) -> Fields:
    """The fields of a webhook. `failed_before`: of another try by the same customer that failed."""
    paid = payment.state == book.PAID and not failed_before
    transaction = payment.transaction_id
    fields: Fields = {
        "merchantKey": keys.merchant_key,
        "payableOrderId": payment.order_id,
        "payableTransactionId": f"{transaction[:-1]}0" if failed_before else transaction,
        "payableAmount": payment.amount if amount is None else amount,
        "payableCurrency": payment.currency,
        "invoiceNo": payment.invoice_id,
        "statusCode": SUCCESS if paid else FAILURE,
        "statusMessage": "SUCCESS" if paid else "FAILURE",
        "paymentType": 1,
        "paymentMethod": 1,
        "paymentScheme": payment.scheme,
        "custom1": payment.custom1,
        "custom2": payment.custom2,
        "cardHolderName": "TEST CUSTOMER",
        "cardNumber": payment.masked,
    }
    if payment.customer_ref:
        fields["customerRefNo"] = payment.customer_ref
    if payment.customer_ref and payment.customer_id:
        fields |= {"merchantId": keys.merchant_id, "customerId": payment.customer_id}
    fields["checkValue"] = wire.check_value(token or keys.tokens[0], signed(fields))
    return fields


def signed(fields: Fields) -> list[str]:
    """The values under the check value, in PAYable's order; customerRefNo where there is one."""
    names = (
        *("merchantKey", "payableOrderId", "payableTransactionId", "payableAmount"),
        *("payableCurrency", "invoiceNo", "statusCode"),
    )
    values = [str(fields[name]) for name in names]
    return [*values, fields["customerRefNo"]] if "customerRefNo" in fields else values


def webhooks(
    keys: wire.PayableKeys, payment: book.Payment, switches: Switches
) -> list[tuple[str, Fields]]:
    """What is sent after a decision, in this order, each with the words for the log."""
    if switches.silent:
        return []
    amount = wrong(payment.amount) if switches.wrong_amount else None
    token = f"not {keys.tokens[0]}" if switches.forged else None
    spoilt = ", wrong amount" * switches.wrong_amount + ", forged" * switches.forged
    final = result(keys, payment, amount=amount, token=token)
    told = [(f"result{spoilt}", final)]
    if switches.twice:
        told.append((f"the same again{spoilt}", final))
    if switches.reorder:
        older = result(keys, payment, amount=amount, failed_before=True, token=token)
        told.append((f"older: a failed try{spoilt}", older))
    return told


def wrong(amount: str) -> str:
    """Half of it, in cents."""
    cents = int(amount.replace(".", "")) // 2
    return f"{cents // 100}.{cents % 100:02d}"


def callbacks(
    payment: book.Payment, told: list[tuple[str, Fields]], switches: Switches
) -> list[Callback]:
    return [
        Callback(
            provider=wire.KEY,
            subject=payment.invoice_id,
            label=label,
            url=payment.webhook_url,
            headers=HEADERS,
            body=json.dumps(fields, ensure_ascii=False),
            delay_seconds=switches.late,
            # A forger who is refused does not come back every second, as PAYable would.
            most_tries=1 if switches.forged else None,
        )
        for label, fields in told
    ]


def return_url(payment: book.Payment) -> str:
    """Where the browser goes: with two texts that say nothing of how it ended."""
    parts = urlsplit(payment.return_url)
    carried = urlencode({"uid": payment.uid, "statusIndicator": payment.indicator})
    return urlunsplit(parts._replace(query=f"{parts.query}&{carried}" if parts.query else carried))
