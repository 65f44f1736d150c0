"""Attempts to pay an order."""

from __future__ import annotations

from typing import Any

from payments.api import schemas
from payments.api.blueprint import api
from payments.api.body import idempotent, read
from payments.domain.ports import Payer
from payments.domain.snapshot import payment_view
from payments.front.request import house, identity, locale, return_url, somebody
from payments.services import checkout
from payments.services.access import order_for


@api.post("/orders/<order_id>/payments")
@idempotent
def start_payment(order_id: str) -> tuple[dict[str, Any], int]:
    order = order_for(somebody(), order_id)
    asked = read(schemas.PaymentIn)
    payment = checkout.start_payment(
        house().rails,
        identity(),
        order.id,
        asked.provider,
        Payer(
            *(asked.phone, asked.email, asked.name),
            save_card=bool(asked.save_card),
            token_id=asked.token_id,
        ),
        asked.return_url or return_url(order.id),
        locale(),
        amount=asked.amount,
    )
    return payment_view(payment), 201
