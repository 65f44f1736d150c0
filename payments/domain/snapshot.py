"""The one picture of an order that pages, calls and pushes share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from payments.domain.order import Order, Payment
from payments.domain.states import OrderStatus, PaymentStatus


def iso(moment: datetime | None) -> str | None:
    """UTC ISO 8601 with a Z, to the millisecond."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def display(order: Order, last: Payment | None) -> str:
    """The word of `data-status`: the order's status, or `failed` where one may try again."""
    if order.status is OrderStatus.PENDING and last and last.status is PaymentStatus.FAILED:
        return "failed"
    return order.status.value


def payment_view(payment: Payment) -> dict[str, Any]:
    return {
        "reference": payment.reference,
        "provider": payment.provider,
        "status": payment.status.value,
        "amount": payment.amount,
        "amount_received": payment.amount_received,
        "currency": payment.currency,
        "action": payment.action if payment.unsettled else None,
        "provider_transaction_id": payment.transaction_id,
        "failure_code": payment.failure_code,
        "created_at": iso(payment.created_at),
    }


def snapshot(order: Order, last: Payment | None) -> dict[str, Any]:
    """The body of `GET /api/v1/orders/{id}` less its links, with `display` and the last attempt."""
    return {
        "id": order.id,
        "status": order.status.value,
        "display": display(order, last),
        "version": order.version,
        "amount": order.amount,
        "amount_paid": order.amount_paid,
        "amount_due": order.amount_due,
        "amount_refunded": order.amount_refunded,
        "excess": order.excess_held,
        "credited": order.amount_credited,
        "purpose": order.purpose,
        "currency": order.currency,
        "description": order.description,
        "late": order.late,
        "salon_id": order.salon_id,
        "return_url": order.return_url,
        "metadata": order.metadata,
        "created_at": iso(order.created_at),
        "expires_at": iso(order.expires_at),
        "settled_at": iso(order.ended_at),
        "payment": payment_view(last) if last else None,
    }
