"""What MoMo tells the merchant about a payment, and how the switches spoil it. No I/O here.

The switches change the notices (IPN) alone. What the browser carries back and what a query says
stay true, as they would when a network or a forger is at fault. (MoMo docs: notification.)
"""

import json
from urllib.parse import urlencode, urlsplit, urlunsplit

from ..courier import Callback
from ..switches import Switch, Switches
from . import book, wire

HEADERS = {"Content-Type": "application/json; charset=UTF-8"}
PROCESSING = 7000
OLDER_MS = {PROCESSING: 4_000, book.DENIED: 2_000}
WRONG_BY = 1_000

Fields = dict[str, str | int]


SWITCHES = (
    Switch("twice", "Twice", "The same notice two times"),
    Switch("reorder", "Out of order", "Older states come after"),
    Switch("wrong_amount", "Wrong amount", "Off by 1,000 ₫, well signed"),
    Switch("forged", "Forged", "Signed with another secret"),
    Switch("silent", "Silent", "No notice; a query tells"),
)


def result(
    keys: wire.MomoKeys,
    payment: book.Payment,
    *,
    code: int | None = None,
    amount: int | None = None,
    secret: str | None = None,
) -> Fields:
    """The signed fields of an IPN or a redirect; an older `code` gets an earlier responseTime."""
    shown = payment.result_code if code is None else code
    fields: Fields = {
        "partnerCode": keys.partner_code,
        "orderId": payment.order_id,
        "requestId": payment.request_id,
        "amount": payment.amount if amount is None else amount,
        "orderInfo": payment.order_info,
        "orderType": "momo_wallet",
        "transId": payment.trans_id,
        "resultCode": shown,
        "message": wire.message(shown, payment.lang),
        "payType": payment.pay_type,
        "responseTime": (payment.decided_ms or 0) - (OLDER_MS[code] if code is not None else 0),
        "extraData": payment.extra_data,
    }
    signed = {**fields, "accessKey": keys.access_key}
    fields["signature"] = wire.sign(secret or keys.secrets[0], wire.RESULT_ORDER, signed)
    if payment.payment_option:
        fields["paymentOption"] = payment.payment_option
    return fields


def notices(
    keys: wire.MomoKeys, payment: book.Payment, switches: Switches
) -> list[tuple[str, Fields]]:
    """What is sent after a decision, in this order, each with the words for the log."""
    if switches.silent:
        return []
    amount = wrong(payment.amount) if switches.wrong_amount else None
    secret = f"not {keys.secrets[0]}" if switches.forged else None
    spoilt = ", wrong amount" * switches.wrong_amount + ", forged" * switches.forged
    final = result(keys, payment, amount=amount, secret=secret)
    told = [(f"result{spoilt}", final)]
    if switches.twice:
        told.append((f"the same again{spoilt}", final))
    if switches.reorder:
        older = {PROCESSING: "older: processing", book.DENIED: "older: denied"}
        told += [
            (f"{label}{spoilt}", result(keys, payment, code=code, amount=amount, secret=secret))
            for code, label in older.items()
            if code != payment.result_code
        ]
    return told


def wrong(amount: int) -> int:
    """Less by 1,000 dong, or more where less would be no amount MoMo takes."""
    return amount - WRONG_BY if amount >= 2 * WRONG_BY else amount + WRONG_BY


def callbacks(
    payment: book.Payment, told: list[tuple[str, Fields]], switches: Switches
) -> list[Callback]:
    return [
        Callback(
            provider=wire.KEY,
            subject=payment.order_id,
            label=label,
            url=payment.ipn_url,
            headers=HEADERS,
            body=json.dumps(fields, ensure_ascii=False),
            delay_seconds=switches.late,
            # A forger who is refused does not come back every second, as MoMo would.
            most_tries=1 if switches.forged else None,
        )
        for label, fields in told
    ]


def redirect_url(keys: wire.MomoKeys, payment: book.Payment) -> str:
    """Where the browser goes: with the signed result, or bare while nothing is decided."""
    if payment.decided_ms is None:
        return payment.redirect_url
    parts = urlsplit(payment.redirect_url)
    carried = urlencode(result(keys, payment))
    return urlunsplit(parts._replace(query=f"{parts.query}&{carried}" if parts.query else carried))
