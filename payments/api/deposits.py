"""Staff confirm a deposit whose money they have seen; in the sandbox its owner may."""

from __future__ import annotations

from typing import Any

from payments.api import schemas_withdrawals as schemas
from payments.api.blueprint import api
from payments.api.body import idempotent, read
from payments.domain.states import OrderStatus
from payments.front.request import house, identity, somebody
from payments.services.wallets.deposit_confirmation import confirm_deposit
from payments.store import wallets

_STATUS = {
    OrderStatus.PENDING: "pending",
    OrderStatus.PARTIALLY_PAID: "pending",
    OrderStatus.EXPIRED: "cancelled",
    OrderStatus.CANCELLED: "cancelled",
}
"""In the words of the frontends; whatever else an order is, its money is in the wallet."""


@api.post("/payment/confirm-deposit")
@idempotent
def confirm_a_deposit() -> tuple[dict[str, Any], int]:
    somebody()
    asked = read(schemas.ConfirmDepositIn)
    done = confirm_deposit(
        *(house().settings, identity(), asked.transactionId),
        *(asked.amount, asked.reason, asked.evidence),
    )
    order = done.order
    if done.held is not None:
        return {"transactionId": order.id, "confirmation_id": done.held, "status": "held"}, 202
    return {
        "transactionId": order.id,
        "status": _STATUS.get(order.status, "completed"),
        "amount": order.amount_paid,
        "currency": order.currency,
        "newBalance": wallets.balance(order.customer_id or "", order.currency),
    }, 200
