"""The customer at the hosted page: what a decision does, and the JSON that scripts read."""

from dataclasses import dataclass, replace
from typing import Any

from ..courier import now_ms
from ..switches import Switches
from . import book, told, wire
from .cards import TrialCard
from .gateway import Gateway

PAY, DECLINE, LEAVE = "pay", "decline", "leave"
STATES = {PAY: book.PAID, DECLINE: book.DECLINED}


class AlreadyDecided(Exception):
    """Somebody paid or was declined before; nothing was changed or sent."""


@dataclass(frozen=True)
class Decision:
    """`sent` is the number of webhooks that go out."""

    payment: book.Payment
    sent: int


class Desk:
    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.courier = gateway.courier
        self._store = gateway.book.store

    def decide(
        self, payment: book.Payment, choice: str, card: TrialCard, exp: str, switches: Switches
    ) -> Decision:
        """`choice` is a key of STATES. One transaction: decision, kept card and webhooks."""
        decided = replace(
            payment,
            state=STATES[choice],
            scheme=card.scheme,
            masked=card.masked,
            decided_ms=now_ms(),
        )
        with self._store.transaction() as db:
            if decided.customer_ref and choice == PAY:
                letters = decided.uid.replace("-", "")
                customer = book.customer(db, decided.customer_ref, f"cid-{letters[:16]}")
                decided = replace(decided, customer_id=customer)
                book.keep(
                    db,
                    book.Card(
                        *(f"tok-{letters}", customer, card.name, card.masked),
                        *(card.scheme, exp, now_ms()),
                    ),
                )
            if not book.decide(db, decided):
                raise AlreadyDecided
            said = told.webhooks(self.gateway.keys, decided, switches)
            batch = self.courier.schedule(db, told.callbacks(decided, said, switches))
        self.courier.dispatch(batch)
        return Decision(decided, len(said))

    def leave(self, payment: book.Payment) -> Decision:
        with self._store.transaction() as db:
            if not book.leave(db, payment.invoice_id, now_ms()):
                raise AlreadyDecided
        return Decision(payment, 0)

    def resend(self, payment: book.Payment) -> Decision:
        """The true result once more, whatever the switches did the first time."""
        said = [("sent again by hand", told.result(self.gateway.keys, payment))]
        with self._store.transaction() as db:
            batch = self.courier.schedule(db, told.callbacks(payment, said, Switches()))
        self.courier.dispatch(batch)
        return Decision(payment, 1)


def described(desk: Desk, payment: book.Payment) -> dict[str, Any]:
    """The body of GET /payable/payments/<invoiceId>."""
    return {
        "invoiceId": payment.invoice_id,
        "amount": payment.amount,
        "currency": payment.currency,
        "state": payment.state,
        "left": payment.left_ms is not None,
        "transactionId": payment.transaction_id,
        "paymentPage": desk.gateway.page_url(payment),
        "returnUrl": told.return_url(payment),
        "webhooks": [
            {
                "label": sent.label,
                "url": sent.url,
                "body": sent.body,
                "state": sent.state,
                "tries": [{"status": one.status, "note": one.note} for one in sent.tries],
            }
            for sent in desk.courier.log(wire.KEY, payment.invoice_id)
        ],
    }
