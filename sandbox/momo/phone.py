"""The customer's phone: what a decision does, and the JSON that tests and scripts read."""

from dataclasses import dataclass, replace
from typing import Any

from ..courier import Courier, now_ms
from ..switches import Switches
from . import book, ipn, wire
from .gateway import Gateway

RESULTS = {"pay": book.PAID, "decline": book.DENIED}
LEAVE = "leave"

# A transId as MoMo gives it: ten digits for a payment, a time in ms for one that was denied.
TRANSACTIONS = {
    book.PAID: (2_000_000_000, 4_500_000_000),
    book.DENIED: (1_700_000_000_000, 1_800_000_000_000),
}


class AlreadyDecided(Exception):
    """Somebody paid or declined before; nothing was changed or sent."""


@dataclass(frozen=True)
class Decision:
    """`sent` is the number of notices that go out."""

    payment: book.Payment
    sent: int


class Phone:
    def __init__(self, gateway: Gateway, courier: Courier) -> None:
        self.gateway = gateway
        self.courier = courier
        self._store = gateway.book.store

    def decide(
        self, payment: book.Payment, choice: str, in_app: bool, switches: Switches
    ) -> Decision:
        """`choice` is a key of RESULTS. One transaction: the decision and the notices it causes."""
        decided = self._decided(payment, RESULTS[choice], in_app)
        told = ipn.notices(self.gateway.keys, decided, switches)
        with self._store.transaction() as db:
            if not book.decide(db, decided):
                raise AlreadyDecided
            batch = self.courier.schedule(db, ipn.callbacks(decided, told, switches))
        self.courier.dispatch(batch)
        return Decision(decided, len(told))

    def leave(self, payment: book.Payment) -> Decision:
        with self._store.transaction() as db:
            if not book.leave(db, payment.order_id, now_ms()):
                raise AlreadyDecided
        return Decision(payment, 0)

    def resend(self, payment: book.Payment) -> Decision:
        """The true result once more, whatever the switches did the first time."""
        told = [("sent again by hand", ipn.result(self.gateway.keys, payment))]
        with self._store.transaction() as db:
            batch = self.courier.schedule(db, ipn.callbacks(payment, told, Switches()))
        self.courier.dispatch(batch)
        return Decision(payment, 1)

    def _decided(self, payment: book.Payment, code: int, in_app: bool) -> book.Payment:
        paid = code == book.PAID
        # payType: `qr` in the app, `web` on the hosted page, empty where nothing was paid
        # (MoMo docs, query).
        pay_type = ("qr" if in_app else "web") if paid else ""
        chance, order_id = self.gateway.chance, payment.order_id
        option = ""
        if chance.one_in(3, "has paymentOption", order_id):
            option = "pay_later" if chance.one_in(4, "pay_later", order_id) else "momo"
        return replace(
            payment,
            result_code=code,
            trans_id=self.gateway.new_transaction(order_id, *TRANSACTIONS[code]),
            pay_type=pay_type,
            payment_option=option,
            decided_ms=now_ms(),
        )


def told(phone: Phone, payment: book.Payment) -> dict[str, Any]:
    """The body of GET /momo/payments/<orderId>."""
    code = payment.result_code
    return {
        "orderId": payment.order_id,
        "requestId": payment.request_id,
        "amount": payment.amount,
        "orderInfo": payment.order_info,
        "state": payment.state,
        "left": payment.left_ms is not None,
        "resultCode": code,
        "transId": payment.trans_id,
        "payUrl": phone.gateway.pay_url(payment.order_id),
        "redirectUrl": ipn.redirect_url(phone.gateway.keys, payment),
        "refunds": [
            {"orderId": one.order_id, "amount": one.amount, "transId": one.trans_id}
            for one in phone.gateway.book.refunds(payment.order_id)
        ],
        "ipns": [
            {
                "label": sent.label,
                "url": sent.url,
                "body": sent.body,
                "state": sent.state,
                "dueTime": sent.due_ms,
                "tries": [
                    {"time": one.at_ms, "status": one.status, "note": one.note}
                    for one in sent.tries
                ],
            }
            for sent in phone.courier.log(wire.KEY, payment.order_id)
        ],
    }
