"""The customer's phone: what a decision does, and the JSON that tests and scripts read."""

import json
import sqlite3
import time
from dataclasses import dataclass, replace
from typing import Any

from ..courier import Courier, now_ms
from ..switches import Switches
from ..upi.utr import new_utr
from . import book, events, told, wire
from .gateway import Gateway

LEAVE = "leave"
RESULTS = {"pay": "", "decline": "payment_declined", "no_money": "insufficient_funds"}
"""What a person does, and why the payment then fails."""

PAID_EVENTS = {
    "qr_code": ("qr_code.credited",),
    "payment_link": ("order.paid", "payment_link.paid"),
    "order": ("order.paid",),
}
"""What is told of a payment beside payment.captured."""


class NotOpen(Exception):
    """It was paid before, or its time is up; nothing was changed or sent."""


@dataclass(frozen=True)
class Decision:
    """`sent` is the number of events that go out."""

    payment: book.Payment
    sent: int


class Phone:
    def __init__(self, gateway: Gateway, courier: Courier) -> None:
        self.gateway = gateway
        self.courier = courier
        self.keys = gateway.keys
        self._store = gateway.book.store

    def decide(self, ask: book.Ask, choice: str, switches: Switches) -> Decision:
        """`choice` is a key of RESULTS. A try that fails leaves the code or link open."""
        with self._store.transaction() as db:
            if ask.closes_s is not None and ask.closes_s < time.time():
                book.move(db, ask, book.CLOSED)
            current = self.gateway.book.ask(ask.id)
            if current is None or current.state != book.OPEN:
                raise NotOpen
            payment = self._payment(ask, RESULTS[choice])
            book.add(db, payment)
            if payment.status == book.CAPTURED:
                book.move(db, ask, book.PAID)
            batch, sent = self._schedule(db, ask, payment, switches, "")
        self.courier.dispatch(batch)
        return Decision(payment, sent)

    def resend(self, ask: book.Ask) -> int:
        """The true events of the last try once more, as the dashboard sends them again."""
        tries = self.gateway.book.payments("ask_id", ask.id)
        if not tries:
            raise NotOpen
        with self._store.transaction() as db:
            batch, sent = self._schedule(db, ask, tries[0], Switches(), f".{now_ms()}")
        self.courier.dispatch(batch)
        return sent

    def _schedule(
        self,
        db: sqlite3.Connection,
        ask: book.Ask,
        payment: book.Payment,
        switches: Switches,
        round_: str,
    ) -> tuple[str, int]:
        made = events.callbacks(
            self.keys, ask.id, self._events(ask, payment), switches, round_=round_
        )
        return self.courier.schedule(db, made), len(made)

    def _payment(self, ask: book.Ask, reason: str) -> book.Payment:
        payment_id = self.gateway.new_id("pay", "payments")
        # Razorpay puts a code's notes on its payments; a link's and an order's stand on themselves.
        notes = {} if ask.has_page else ask.said.get("notes") or {}
        return book.Payment(
            id=payment_id,
            ask_id=ask.id,
            order_id=ask.order_id,
            amount=ask.amount,
            status=book.FAILED if reason else book.CAPTURED,
            reason=reason,
            vpa="gauri.kumari@okhdfcbank",
            rrn="" if reason else new_utr(self.gateway.chance, payment_id),
            description=self._description(ask),
            notes=json.dumps(notes),
            created_s=int(time.time()),
        )

    def _description(self, ask: book.Ask) -> str:
        if ask.is_order:
            return str(ask.said.get("description", ""))
        return f"#{ask.id[6:]}" if ask.is_link else "QRv2 Payment"

    def _events(self, ask: book.Ask, payment: book.Payment) -> list[tuple[str, dict[str, Any]]]:
        shown = told.payment(payment)
        paid = payment.status == book.CAPTURED
        entities = {
            "payment": shown,
            ask.kind: self.gateway.shown(replace(ask, state=book.PAID if paid else ask.state)),
        }
        if ask.order_id:
            entities["order"] = self.gateway.show_order(ask.order_id)
        if not paid:
            return [("payment.failed", entities)]
        return [(name, entities) for name in ("payment.captured", *PAID_EVENTS[ask.kind])]


def returning(phone: Phone, ask: book.Ask) -> str | None:
    """Where a payment link sends the browser; bare while it is not paid."""
    if not ask.is_link:
        return None
    address = str(ask.said.get("callback_url") or "")
    paid = [
        one for one in phone.gateway.book.payments("ask_id", ask.id) if one.status == book.CAPTURED
    ]
    if not address or not paid:
        return address or None
    return wire.returning_url(phone.keys, address, ask.id, ask.reference, paid[0].id)


def brought_back(phone: Phone, payment: book.Payment) -> dict[str, str]:
    """What an order's page has the browser bring to the shop, after this try."""
    if payment.status == book.CAPTURED and payment.order_id:
        return wire.paid_fields(phone.keys, payment.order_id, payment.id)
    return wire.failed_fields(told.payment(payment))


def shown(phone: Phone, ask: book.Ask) -> dict[str, Any]:
    """The body of GET /razorpay/asks/<id or reference>."""
    return {
        "id": ask.id,
        "kind": ask.kind,
        "reference": ask.reference,
        "amount": ask.amount,
        "state": ask.state,
        "entity": phone.gateway.shown(ask),
        "payments": [
            phone.gateway.payment(one) for one in phone.gateway.book.payments("ask_id", ask.id)
        ],
        "events": [
            {
                "label": sent.label,
                "url": sent.url,
                "body": sent.body,
                "state": sent.state,
                "tries": [{"status": one.status, "note": one.note} for one in sent.tries],
            }
            for sent in phone.courier.log(wire.KEY, ask.id)
        ],
    }
