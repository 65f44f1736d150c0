"""MoMo's API without the web: create, query, refund. (MoMo docs: onetime, query, refund.)"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..chance import Chance
from ..courier import now_ms
from . import book, check, wire
from .check import Refused

# MoMo's docs, refund: VND.
REFUND_MOST = 50_000_000


@dataclass(frozen=True)
class Answer:
    http_status: int
    body: dict[str, Any]


@dataclass
class Flights:
    """The requestIds being worked on, so that a second one meanwhile is told 7000."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _under_way: set[str] = field(default_factory=set)

    def enter(self, request_id: str) -> bool:
        with self._lock:
            if request_id in self._under_way:
                return False
            self._under_way.add(request_id)
            return True

    def leave(self, request_id: str) -> None:
        with self._lock:
            self._under_way.discard(request_id)


class Gateway:
    def __init__(
        self,
        keys: wire.MomoKeys,
        public_url: str,
        ledger: book.Book,
        chance: Chance,
        knobs: Mapping[str, Any],
    ) -> None:
        """`knobs`: ANSWER_SECONDS, how long a create or a refund takes."""
        self.keys = keys
        self.book = ledger
        self.chance = chance
        self._public_url = public_url
        self._knobs = knobs
        self._flights = Flights()

    def answer(self, call: str, raw: bytes) -> Answer:
        """One call of the API: `call` is create, query or refund."""
        body: dict[str, Any] = {}
        try:
            body = check.read_json(raw)
            return CALLS[call](self, body)
        except Refused as refusal:
            return refused(body, refusal)

    def create(self, body: dict[str, Any]) -> Answer:
        asked = check.create(self.keys, body)
        return self._once(body, f"create {asked.signature}", lambda db: self._create(db, asked))

    def refund(self, body: dict[str, Any]) -> Answer:
        asked = check.refund(self.keys, body)
        return self._once(body, f"refund {asked.signature}", lambda db: self._refund(db, asked))

    def query(self, body: dict[str, Any]) -> Answer:
        """A question changes nothing, so its requestId is not kept."""
        asked = check.query(self.keys, body)
        payment = self.book.payment(asked.order_id)
        if payment is None:
            raise Refused(42)
        told: dict[str, Any] = {
            **self._head(asked.order_id, asked.request_id, payment.amount),
            "extraData": payment.extra_data,
            "transId": payment.trans_id,
            "payType": payment.pay_type,
            "refundTrans": [told_refund(one) for one in self.book.refunds(payment.order_id)],
            **outcome(payment.result_code, asked.lang),
        }
        if payment.payment_option:
            told["paymentOption"] = payment.payment_option
        return Answer(200, told)

    def pay_url(self, order_id: str) -> str:
        token = wire.pay_token(self.keys, order_id)
        seal = wire.pay_seal(self.keys.secrets[0], token)
        return f"{self._public_url}/momo/v2/gateway/pay?t={token}&s={seal}"

    def new_transaction(self, order_id: str, low: int, high: int) -> int:
        """A transId that no payment has; the same again for the same seed and order."""
        attempt = 0
        while True:
            number = self.chance.number(f"transId{attempt}", order_id, low, high)
            if not self.book.is_transaction_taken(number):
                return number
            attempt += 1

    def _once(
        self, body: dict[str, Any], fingerprint: str, work: Callable[[sqlite3.Connection], Answer]
    ) -> Answer:
        """Each requestId has one effect. (MoMo docs: idempotency.)"""
        request_id = str(body["requestId"])
        if not self._flights.enter(request_id):
            raise Refused(7000)
        try:
            time.sleep(float(self._knobs["ANSWER_SECONDS"]))
            with self.book.store.transaction() as db:
                known = self.book.remembered(request_id)
                if known is not None:
                    return again(known, fingerprint)
                try:
                    answer = work(db)
                except Refused as refusal:
                    answer = refused(body, refusal)
                code = answer.body["resultCode"]
                text = json.dumps(answer.body)
                book.add(db, book.Remembered(request_id, fingerprint, code, text))
                return answer
        finally:
            self._flights.leave(request_id)

    def _create(self, db: sqlite3.Connection, asked: check.Create) -> Answer:
        least, most = check.LIMITS[asked.request_type]
        if not least <= asked.amount <= most:
            raise Refused(22)
        if self.book.is_order_taken(asked.order_id):
            raise Refused(41)
        book.add(
            db,
            book.Payment(
                order_id=asked.order_id,
                request_id=asked.request_id,
                amount=asked.amount,
                order_info=asked.order_info,
                redirect_url=asked.redirect_url,
                ipn_url=asked.ipn_url,
                request_type=asked.request_type,
                extra_data=asked.extra_data,
                lang=asked.lang,
                shop=asked.shop,
                created_ms=now_ms(),
            ),
        )
        reference = f"MMT{self.chance.letters(10, 'qr', asked.order_id)}QR"
        told = {
            **self._head(asked.order_id, asked.request_id, asked.amount),
            **outcome(0, asked.lang),
            "payUrl": self.pay_url(asked.order_id),
            # MoMo's is `momo://app?action=payWithApp&...`; here the app is a page of the phone.
            "deeplink": f"{self.pay_url(asked.order_id)}&via=app",
            "qrCodeUrl": wire.qr_text(asked.amount, reference, asked.order_info),
        }
        return Answer(200, told)

    def _refund(self, db: sqlite3.Connection, asked: check.Refund) -> Answer:
        payment = self.book.payment_of_transaction(asked.trans_id)
        if payment is None:
            raise Refused(42, "transId")
        if not check.LIMITS[payment.request_type][0] <= asked.amount <= REFUND_MOST:
            raise Refused(22)
        if self.book.is_order_taken(asked.order_id):
            raise Refused(41)
        code = self._refund_code(payment, asked.amount)
        trans_id = 0
        if code == 0:
            trans_id = self.new_transaction(asked.order_id, 2_000_000_000, 4_500_000_000)
            book.add(
                db,
                book.Refund(
                    order_id=asked.order_id,
                    purchase_id=payment.order_id,
                    amount=asked.amount,
                    trans_id=trans_id,
                    result_code=code,
                    created_ms=now_ms(),
                ),
            )
        head = self._head(asked.order_id, asked.request_id, asked.amount)
        return Answer(200, {**head, "transId": trans_id, **outcome(code, asked.lang)})

    def _refund_code(self, payment: book.Payment, amount: int) -> int:
        if payment.result_code != book.PAID:
            return 1088
        returned = sum(one.amount for one in self.book.refunds(payment.order_id))
        return 1081 if returned + amount > payment.amount else 0

    def _head(self, order_id: str, request_id: str, amount: int) -> dict[str, Any]:
        return {
            "partnerCode": self.keys.partner_code,
            "orderId": order_id,
            "requestId": request_id,
            "amount": amount,
        }


def outcome(code: int, lang: str) -> dict[str, Any]:
    return {
        "responseTime": now_ms(),
        "message": wire.message(code, lang),
        "resultCode": code,
    }


def told_refund(refund: book.Refund) -> dict[str, Any]:
    return {
        "orderId": refund.order_id,
        "amount": refund.amount,
        "resultCode": refund.result_code,
        "transId": refund.trans_id,
        "createdTime": refund.created_ms,
    }


def again(known: book.Remembered, fingerprint: str) -> Answer:
    """The same request after a final answer gets that answer; all else is a duplicate."""
    if known.fingerprint != fingerprint or not wire.RESULTS[known.result_code].final:
        raise Refused(40)
    return Answer(wire.RESULTS[known.result_code].http_status, json.loads(known.answer))


def refused(body: Mapping[str, Any], refusal: Refused) -> Answer:
    echo = {
        name: body[name]
        for name in ("partnerCode", "orderId", "requestId")
        if isinstance(body.get(name), str)
    }
    told = {**echo, **outcome(refusal.code, "vi" if body.get("lang") == "vi" else "en")}
    if refusal.detail:
        told["message"] = f"{told['message']} ({refusal.detail})"
    return Answer(wire.RESULTS[refusal.code].http_status, told)


CALLS: dict[str, Callable[[Gateway, dict[str, Any]], Answer]] = {
    "create": Gateway.create,
    "query": Gateway.query,
    "refund": Gateway.refund,
}
