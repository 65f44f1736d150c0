"""Razorpay's entities as its answers and webhooks show them. No I/O here."""

import json
from collections.abc import Sequence
from typing import Any

from . import book

Entity = dict[str, Any]

FAILURES = {
    "payment_declined": "You have declined the payment request on the UPI app.",
    "insufficient_funds": "Transaction failed due to insufficient funds.",
    "incorrect_pin": "You have entered an incorrect PIN on the UPI app.",
    "bank_technical_error": "The payment failed due to a downtime on the UPI provider.",
}


def notes(text: str) -> Any:
    """An empty object is an empty list in Razorpay's JSON."""
    return json.loads(text) or []


def qr_code(ask: book.Ask, received: int, image_url: str, text: str | None) -> Entity:
    said, closed = ask.said, ask.state != book.OPEN
    shown = {
        "id": ask.id,
        "entity": "qr_code",
        "created_at": ask.created_s,
        "name": said.get("name", ""),
        "usage": said["usage"],
        "type": said["type"],
        "image_url": image_url,
        "payment_amount": ask.amount,
        "status": "closed" if closed else "active",
        "description": said.get("description", ""),
        "fixed_amount": True,
        "payments_amount_received": received,
        "payments_count_received": 1 if received else 0,
        "notes": said.get("notes") or [],
        "customer_id": said.get("customer_id"),
        "close_by": ask.closes_s,
        "closed_at": None,
        "close_reason": "paid" if ask.state == book.PAID else None,
    }
    return shown if text is None else {**shown, "image_content": text}


def payment_link(ask: book.Ask, paid: Sequence[book.Payment], short_url: str) -> Entity:
    said = ask.said
    status = {book.OPEN: "created", book.PAID: "paid", book.CLOSED: "cancelled"}[ask.state]
    captured = [one for one in paid if one.status == book.CAPTURED]
    return {
        "accept_partial": False,
        "amount": ask.amount,
        "amount_paid": sum(one.amount for one in captured),
        "callback_method": said.get("callback_method", ""),
        "callback_url": said.get("callback_url", ""),
        "cancelled_at": 0,
        "created_at": ask.created_s,
        "currency": "INR",
        "customer": said.get("customer") or {},
        "description": said.get("description", ""),
        "expire_by": ask.closes_s or 0,
        "expired_at": 0,
        "first_min_partial_amount": 0,
        "id": ask.id,
        "notes": said.get("notes") or None,
        "notify": said.get("notify") or {"email": False, "sms": False},
        "order_id": ask.order_id,
        "payments": [
            {
                "amount": one.amount,
                "created_at": one.created_s,
                "method": "upi",
                "payment_id": one.id,
                "status": one.status,
            }
            for one in paid
        ]
        or None,
        "reference_id": said.get("reference_id", ""),
        "reminder_enable": bool(said.get("reminder_enable", False)),
        "reminders": [],
        "short_url": short_url,
        "status": status,
        "updated_at": ask.created_s,
        "upi_link": bool(said.get("upi_link", False)),
        "user_id": "",
    }


def order(made: book.Order, paid: int, tries: int) -> Entity:
    return {
        "id": made.id,
        "entity": "order",
        "amount": made.amount,
        "amount_paid": paid,
        "amount_due": made.amount - paid,
        "currency": "INR",
        "receipt": made.receipt,
        "offer_id": None,
        "status": "paid" if paid else "attempted" if tries else "created",
        "attempts": tries,
        "notes": notes(made.notes),
        "created_at": made.created_s,
    }


def payment(one: book.Payment, returned: int = 0) -> Entity:
    failed = one.status == book.FAILED
    source = "customer" if one.reason != "bank_technical_error" else "issuer_bank"
    return {
        "id": one.id,
        "entity": "payment",
        "amount": one.amount,
        "currency": "INR",
        "status": "refunded" if returned >= one.amount else one.status,
        "order_id": one.order_id,
        "invoice_id": None,
        "international": False,
        "method": "upi",
        "amount_refunded": returned,
        "refund_status": None if not returned else "full" if returned >= one.amount else "partial",
        "captured": one.status == book.CAPTURED,
        "description": one.description,
        "card_id": None,
        "bank": None,
        "wallet": None,
        "vpa": one.vpa,
        "email": "void@razorpay.com",
        "contact": "+919999999999",
        "notes": notes(one.notes),
        "fee": 0,
        "tax": 0,
        "error_code": "BAD_REQUEST_ERROR" if failed else None,
        "error_description": FAILURES.get(one.reason) if failed else None,
        "error_source": source if failed else None,
        "error_step": "payment_authentication" if failed else None,
        "error_reason": one.reason if failed else None,
        "acquirer_data": {"rrn": one.rrn or None},
        "created_at": one.created_s,
    }


def refund(one: book.Refund, status: str) -> Entity:
    return {
        "id": one.id,
        "entity": "refund",
        "amount": one.amount,
        "currency": "INR",
        "payment_id": one.payment_id,
        "notes": notes(one.notes),
        "receipt": one.receipt,
        "acquirer_data": {"arn": None},
        "created_at": one.created_s,
        "batch_id": None,
        "status": status,
        "speed_processed": "normal",
        "speed_requested": "normal",
    }


def collection(items: Sequence[Entity]) -> Entity:
    return {"entity": "collection", "count": len(items), "items": list(items)}
