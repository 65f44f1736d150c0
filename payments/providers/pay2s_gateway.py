"""Pay2S from the paying side: its gateway's page, its quick link, and the gateway's signature.

Facts from docs.pay2s.vn (api/collection-link, api/instant-payment-notification, others/signature)
and Pay2S's sample app. A signature is the lower-case hex HMAC-SHA256 of `key=value` pairs joined by
`&`, values raw, keys a to z; the access key is in it, and need not be in the body.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from payments.domain.errors import ProviderRefused, ProviderUnavailable
from payments.domain.order import Payment
from payments.providers.banks import BANKS
from payments.providers.http import call_json
from payments.providers.signatures import hmac_sha256_hex
from payments.settings.rails import BankSettings, Pay2sGatewaySettings

CREATE_FIELDS = (
    *("accessKey", "amount", "bankAccounts", "ipnUrl", "orderId", "orderInfo"),
    *("partnerCode", "redirectUrl", "requestId", "requestType"),
)
IPN_FIELDS = (
    *("accessKey", "amount", "extraData", "message", "orderId", "orderInfo", "orderType"),
    *("partnerCode", "payType", "requestId", "responseTime", "resultCode", "transId"),
)

CONNECT_SECONDS = 2.0
READ_SECONDS = 4.0
"""The payer waits, and has our own code without it: one try, and not a long one."""

REQUEST_TYPE = "pay2s"
BANK_ACCOUNTS_SIGNED = "Array"
"""The list itself is not signed: PHP's word for it is (others/signature, sample app)."""

QUICKLINK = "https://payment.pay2s.vn/quicklink"
QUICKLINK_LOOK = {"is_mask": "0", "bg": "0"}
"""UNCONFIRMED: no page of Pay2S's says what they mean; integrators send these values."""


def m2signature(fields: Mapping[str, str | int], secret: str) -> str:
    """Over exactly these fields, which have to be those of one call: CREATE_FIELDS, IPN_FIELDS."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    return hmac_sha256_hex(secret, text)


def bank_id(bin: str) -> str:
    """UNCONFIRMED: `vcb` and `acb` are all that Pay2S's samples show; the rest follows them."""
    return BANKS[bin].code.lower() if bin in BANKS else bin


def ask_for_page(
    keys: Pay2sGatewaySettings,
    to: BankSettings,
    payment: Payment,
    partner_name: str,
    return_url: str,
    ipn_url: str,
) -> str:
    """The address of Pay2S's page for this attempt. Raises ProviderRefused, ProviderUnavailable.

    Our reference is its `orderId` and, for it fits the 10 to 32 letters and digits that Pay2S
    wants there, its `orderInfo`: the memo of the transfer.
    """
    signed: dict[str, str | int] = {
        "accessKey": keys.access_key,
        "amount": payment.amount,
        "bankAccounts": BANK_ACCOUNTS_SIGNED,
        "ipnUrl": ipn_url,
        "orderId": payment.reference,
        "orderInfo": payment.reference,
        "partnerCode": keys.partner_code,
        "redirectUrl": return_url,
        "requestId": payment.reference,
        "requestType": REQUEST_TYPE,
    }
    body = {
        **signed,
        "partnerName": partner_name,
        "orderType": REQUEST_TYPE,
        "bankAccounts": [{"account_number": to.account, "bank_id": bank_id(to.bin)}],
        "signature": m2signature(signed, keys.secret_keys[0]),
    }
    reply = call_json(
        "POST",
        f"{keys.api_url}/v1/gateway/api/create",
        READ_SECONDS,
        body,
        again=False,
        connect_seconds=CONNECT_SECONDS,
        tries=1,
    )
    # A number in some of Pay2S's samples, the same digits as a text in others.
    if not reply.ok or str(reply.body.get("resultCode")) != "0":
        raise ProviderRefused("Pay2S does not take this payment.")
    page = reply.body.get("payUrl")
    if not isinstance(page, str) or not _can_be_opened(page):
        raise ProviderUnavailable("The provider's answer makes no sense.")
    return page


def _can_be_opened(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in {"https", "http"} and bool(parts.hostname)
    except ValueError:
        return False


def quicklink(to: BankSettings, payment: Payment, callback_url: str) -> str | None:
    """A picture of the code at Pay2S; None where the bank has no code there.

    What comes to `callback_url` without the webhook's token is not believed: it makes us ask.
    """
    if to.bin not in BANKS:
        return None
    asked = {
        "amount": str(payment.amount),
        **QUICKLINK_LOOK,
        "memo": payment.reference,
        "callback": callback_url,
    }
    place = "/".join(quote(part, safe="") for part in (BANKS[to.bin].code, to.account))
    return f"{QUICKLINK}/{place}/{quote(to.account_name, safe='')}?{urlencode(asked)}"
