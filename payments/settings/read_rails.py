"""Reads from the environment what each rail needs, and the values of the sandbox."""

from __future__ import annotations

import base64
import binascii
import re

from payments.settings.rails import (
    BankSettings,
    CampaySettings,
    MomoSettings,
    Pay2sGatewaySettings,
    PayableSettings,
    PayosSettings,
    RailSettings,
    RazorpaySettings,
    SepaySettings,
    UpiSettings,
)
from payments.settings.reader import BadSetting, Reader

SANDBOX_VALUES = {
    # MoMo's own public test credentials.
    "MOMO_PARTNER_CODE": "MOMO",
    "MOMO_ACCESS_KEY": "F8BBA842ECF85",
    "MOMO_SECRET_KEY": "K951B6PE1waDMi640xX08PD3vg6EkVlz",
    "CAMPAY_PERMANENT_ACCESS_TOKEN": "sandbox-campay-permanent-access-token",
    "CAMPAY_WEBHOOK_KEY": "sandbox-campay-webhook-key-of-32-bytes-or-more",
    "CAMPAY_APP_ID": "sandbox-campay-app",
    "BANK_BIN": "970436",
    "BANK_ACCOUNT": "0011002233445",
    "BANK_ACCOUNT_NAME": "PAYCHIME DEMO SHOP",
    "PAY2S_WEBHOOK_TOKEN": "sandbox-pay2s-webhook-token",
    "SEPAY_WEBHOOK_SECRET": "sandbox-sepay-webhook-secret",
    "CASSO_WEBHOOK_KEY": "sandbox-casso-webhook-key",
    "PAYOS_CLIENT_ID": "sandbox-payos-client",
    "PAYOS_API_KEY": "sandbox-payos-api-key",
    "PAYOS_CHECKSUM_KEY": "sandbox-payos-checksum-key",
    "PAY2S_PARTNER_CODE": "PAY2SDEMO",
    "PAY2S_ACCESS_KEY": "sandbox-pay2s-access-key",
    "PAY2S_SECRET_KEY": "sandbox-pay2s-secret-key",
    "UPI_VPA": "paychime.demo@upi",
    "UPI_PAYEE_NAME": "Paychime Demo Shop",
    "RAZORPAY_KEY_ID": "rzp_test_sandbox",
    "RAZORPAY_KEY_SECRET": "sandbox-razorpay-key-secret",
    "RAZORPAY_WEBHOOK_SECRET": "sandbox-razorpay-webhook-secret",
    "PAYABLE_MERCHANT_KEY": "SANDBOXMERCHANT",
    "PAYABLE_MERCHANT_TOKEN": "sandbox-payable-merchant-token",
    "PAYABLE_BUSINESS_KEY": "SANDBOXBUSINESS",
    "PAYABLE_BUSINESS_TOKEN": "sandbox-payable-business-token",
    "GENERIC_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
"""Hold only where SANDBOX=1."""


def read_rails(read: Reader, sandbox_url: str | None, shop_name: str) -> RailSettings:
    """`sandbox_url`: where the pretended providers answer; None: the real ones are meant.

    `shop_name` is the payee's where no other name is set.
    """

    def address(name: str, key: str, real: str) -> str:
        return read.url(name, f"{sandbox_url}/{key}" if sandbox_url else real)

    return RailSettings(
        momo=_momo(read, address("MOMO_API_URL", "momo", "https://payment.momo.vn")),
        campay=_campay(read, address("CAMPAY_API_URL", "campay/api", "https://www.campay.net/api")),
        bank=_bank(read, shop_name),
        pay2s_tokens=read.secrets("PAY2S_WEBHOOK_TOKEN"),
        pay2s_gateway=_pay2s(read, address("PAY2S_API_URL", "pay2s", "https://payment.pay2s.vn")),
        sepay=_sepay(read),
        casso_keys=read.secrets("CASSO_WEBHOOK_KEY"),
        payos=_payos(read),
        upi=_upi(read, shop_name),
        razorpay=_razorpay(
            read, address("RAZORPAY_API_URL", "razorpay/v1", "https://api.razorpay.com/v1")
        ),
        payable=_payable(
            read, address("PAYABLE_API_URL", "payable", "https://ipgpayment.payable.lk")
        ),
        generic_secrets=_webhook_secrets(read),
    )


def _momo(read: Reader, api_url: str) -> MomoSettings | None:
    names = ("MOMO_PARTNER_CODE", "MOMO_ACCESS_KEY", "MOMO_SECRET_KEY")
    if not read.all_or_none("MoMo", *names):
        return None
    code, access_key = (read.text(name) or "" for name in names[:2])
    return MomoSettings(code, access_key, read.secrets(names[2]), api_url)


def _campay(read: Reader, api_url: str) -> CampaySettings | None:
    # The sandbox's token gives way to a login of the shop's own.
    if read.given("CAMPAY_USERNAME") and not read.given("CAMPAY_PERMANENT_ACCESS_TOKEN"):
        read = read.without("CAMPAY_PERMANENT_ACCESS_TOKEN")
    by_password = read.all_or_none("CamPay", "CAMPAY_USERNAME", "CAMPAY_APP_PASSWORD")
    token = read.text("CAMPAY_PERMANENT_ACCESS_TOKEN")
    if not token and not by_password:
        return None
    return CampaySettings(
        api_url=api_url,
        access_token=token,
        username=read.text("CAMPAY_USERNAME"),
        password=read.text("CAMPAY_APP_PASSWORD"),
        webhook_keys=read.secrets("CAMPAY_WEBHOOK_KEY"),
        app_id=read.text("CAMPAY_APP_ID"),
    )


def _checked(read: Reader, name: str, pattern: str, expected: str) -> str:
    def cast(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError
        return value

    return read.read(name, cast, "", expected)


def _bank(read: Reader, shop_name: str) -> BankSettings | None:
    if not read.all_or_none("the bank account", "BANK_BIN", "BANK_ACCOUNT"):
        return None
    return BankSettings(
        bin=_checked(read, "BANK_BIN", r"[0-9]{6}", "the six digits that name the bank"),
        account=_checked(read, "BANK_ACCOUNT", r"[A-Za-z0-9]{1,19}", "1 to 19 letters and digits"),
        account_name=read.text("BANK_ACCOUNT_NAME") or shop_name,
    )


def _pay2s(read: Reader, api_url: str) -> Pay2sGatewaySettings | None:
    names = ("PAY2S_PARTNER_CODE", "PAY2S_ACCESS_KEY", "PAY2S_SECRET_KEY")
    if not read.all_or_none("the Pay2S gateway", *names):
        return None
    code, access_key = (read.text(name) or "" for name in names[:2])
    return Pay2sGatewaySettings(code, access_key, read.secrets(names[2]), api_url)


def _sepay(read: Reader) -> SepaySettings | None:
    # The sandbox's secret gives way to a key of the shop's own, and the other way round.
    if read.given("SEPAY_API_KEY") and not read.given("SEPAY_WEBHOOK_SECRET"):
        read = read.without("SEPAY_WEBHOOK_SECRET")
    keys, secrets = read.secrets("SEPAY_API_KEY"), read.secrets("SEPAY_WEBHOOK_SECRET")
    return SepaySettings(keys, secrets) if keys or secrets else None


def _payos(read: Reader) -> PayosSettings | None:
    names = ("PAYOS_CLIENT_ID", "PAYOS_API_KEY", "PAYOS_CHECKSUM_KEY")
    if not read.all_or_none("payOS", *names):
        return None
    client_id, api_key = (read.text(name) or "" for name in names[:2])
    return PayosSettings(client_id, api_key, read.secrets(names[2]))


def _upi(read: Reader, shop_name: str) -> UpiSettings | None:
    if not read.text("UPI_VPA"):
        return None
    return UpiSettings(
        vpa=_checked(
            read, "UPI_VPA", r"[A-Za-z0-9._-]{2,256}@[A-Za-z][A-Za-z0-9]{1,63}", "name@handle"
        ),
        payee_name=read.text("UPI_PAYEE_NAME") or shop_name,
    )


def _razorpay(read: Reader, api_url: str) -> RazorpaySettings | None:
    names = ("RAZORPAY_KEY_ID", "RAZORPAY_KEY_SECRET", "RAZORPAY_WEBHOOK_SECRET")
    # A UPI address of the shop's own is not hidden behind a Razorpay that only the sandbox set.
    if read.given("UPI_VPA") and not any(read.given(name) for name in names):
        read = read.without(*names)
    if not read.all_or_none("Razorpay", *names):
        return None
    key_id, key_secret = (read.text(name) or "" for name in names[:2])
    return RazorpaySettings(key_id, key_secret, read.secrets(names[2]), api_url)


def _payable(read: Reader, api_url: str) -> PayableSettings | None:
    if not read.all_or_none("Payable", "PAYABLE_MERCHANT_KEY", "PAYABLE_MERCHANT_TOKEN"):
        return None
    read.all_or_none("Payable's saved cards", "PAYABLE_BUSINESS_KEY", "PAYABLE_BUSINESS_TOKEN")
    return PayableSettings(
        merchant_key=read.text("PAYABLE_MERCHANT_KEY") or "",
        merchant_tokens=read.secrets("PAYABLE_MERCHANT_TOKEN"),
        business_key=read.text("PAYABLE_BUSINESS_KEY"),
        business_token=read.text("PAYABLE_BUSINESS_TOKEN"),
        api_url=api_url,
    )


def _webhook_secrets(read: Reader) -> tuple[str, ...]:
    values = read.secrets("GENERIC_WEBHOOK_SECRET")
    for value in values:
        try:
            key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not value.startswith("whsec_") or len(key) < 16:
            raise BadSetting("GENERIC_WEBHOOK_SECRET", "expected whsec_ and the base64 of a key")
    return values
