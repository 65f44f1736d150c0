"""A person's wallet: balances, what they missed, and topping up."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _

from payments.api import schemas_wallet
from payments.api.blueprint import api
from payments.api.body import idempotent, read, version_asked
from payments.api.orders import links
from payments.domain.order import Payment
from payments.domain.ports import Payer
from payments.domain.states import PaymentStatus
from payments.front.request import base_url, house, identity, locale, return_url
from payments.services.access import person_of
from payments.services.wallets import deposits, wallet_view

_STATUS = {
    PaymentStatus.SUCCEEDED: "completed",
    PaymentStatus.FAILED: "failed",
    PaymentStatus.EXPIRED: "cancelled",
    PaymentStatus.CANCELLED: "cancelled",
}


@api.get("/wallet")
def get_wallet() -> dict[str, Any]:
    return wallet_view.wallet(person_of(identity()).id)


@api.get("/wallet/events")
def get_wallet_events() -> dict[str, Any]:
    return wallet_view.events(person_of(identity()).id, version_asked())


@api.post("/payment/deposit")
@idempotent
def deposit() -> tuple[dict[str, Any], int]:
    person_of(identity())
    asked = read(schemas_wallet.DepositIn)
    payment = deposits.deposit(
        house().settings,
        house().rails,
        identity(),
        deposits.money_of(asked.amount, asked.currency, asked.provider),
        asked.provider,
        Payer(phone=asked.phone),
        description=_("Top-up"),
        page=return_url,
        locale=locale(),
    )
    return deposit_body(payment), 201


def deposit_body(payment: Payment) -> dict[str, Any]:
    """In the words of the frontends that send it."""
    action = payment.action or {}
    page = f"{base_url()}/checkout/{payment.order_id}"
    url = action.get("url")
    if action.get("fields"):
        # No link leads to the provider's page: ours has the form that does.
        url = links(payment.order_id)["checkout_url"]
    told = {
        "transactionId": payment.order_id,
        "paymentUrl": url or page,
        "qrCode": action.get("qr"),
        "ussdCode": action.get("ussd_code"),
        "status": _STATUS.get(payment.status, "pending"),
    }
    return {name: value for name, value in told.items() if value is not None}
