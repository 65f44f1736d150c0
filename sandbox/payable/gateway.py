"""PAYable's API without the web: init, check-status, and the calls about kept cards."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..courier import Courier, now_ms
from ..pages import Kit
from ..switches import Switches
from . import book, check, told, wire
from .cards import CARDS
from .check import Refused

BEARER_SECONDS = 300
"""The direct API guide: an access token expires in five minutes."""


@dataclass(frozen=True)
class Answer:
    http_status: int
    body: dict[str, Any]


class Gateway:
    def __init__(self, keys: wire.PayableKeys, kit: Kit) -> None:
        self.keys = keys
        self.book = book.Book(kit.store)
        self.courier: Courier = kit.courier
        self._url = f"{kit.public_url}/payable"
        self._knobs = kit.knobs

    def init(self, environment: str, raw: bytes) -> Answer:
        """Opens a hosted page. The same invoice again is the same page until it is decided."""
        asked = check.init(self.keys, check.read_json(raw))
        time.sleep(float(self._knobs["ANSWER_SECONDS"]))
        with self.book.store.transaction() as db:
            payment = self.book.payment(asked.invoice_id)
            if payment is None:
                payment = self._fresh(asdict(asked), environment)
                book.add_payment(db, payment)
            elif payment.decided_ms is not None or payment.amount != asked.amount:
                raise check.wrong_fields({"invoiceId": ["This invoice was used before."]})
        return Answer(200, {**self._pending(payment), "paymentPage": self.page_url(payment)})

    def check_status(self, raw: bytes) -> Answer:
        body = check.read_json(raw)
        payment = self.book.payment_of_page(check.text(body, "uid"))
        if payment is None or payment.indicator != check.text(body, "statusIndicator"):
            raise Refused(404, {"status": 404, "error": {"err-message": "NOT FOUND"}})
        if payment.decided_ms is None:
            raise Refused(404, {"status": 404, "error": {"err-message": "PENDING"}})
        return Answer(200, {"status": 200, "data": told.result(self.keys, payment)})

    def list_cards(self, raw: bytes) -> Answer:
        body = check.read_json(raw)
        customer = check.text(body, "customerId")
        check.prove_kept(self.keys, body, customer)
        reference = self.book.customer_ref(customer)
        if reference is None:
            raise check.unknown()
        nicknames = self.book.nicknames()
        listed = [
            told_card(card, reference, nicknames.get(card.token_id, ""))
            for card in self.book.cards(customer)
        ]
        return Answer(
            200,
            {
                "customerId": customer,
                "customerRefNo": reference,
                "tokenizedCardCount": len(listed),
                "tokenizedCardList": listed,
                "checkValue": self._sign([self.keys.merchant_id, customer]),
            },
        )

    def edit_card(self, raw: bytes, header: str) -> Answer:
        """Names a kept card."""
        self._admit(header)
        body = check.read_json(raw)
        customer, token = check.text(body, "customerId"), check.text(body, "tokenId")
        check.prove_kept(self.keys, body, customer, token)
        card, name = self._card_of(customer, token), check.nickname(body)
        with self.book.store.transaction() as db:
            book.nickname(db, card.token_id, name)
        return Answer(200, {**self._about(card), "nickName": name})

    def delete_card(self, raw: bytes) -> Answer:
        body = check.read_json(raw)
        customer, token = check.text(body, "customerId"), check.text(body, "tokenId")
        check.prove_kept(self.keys, body, customer, token)
        card = self._card_of(customer, token)
        with self.book.store.transaction() as db:
            book.remove(db, card.token_id)
        return Answer(200, {**self._about(card), "tokenStatus": "DELETED"})

    def authenticate(self, raw: bytes, header: str) -> Answer:
        """`Authorization` is the bare base64 of key and token, with no word before it."""
        body = check.read_json(raw)
        pair = f"{self.keys.business_key}:{self.keys.business_token}"
        wanted = base64.b64encode(pair.encode()).decode()
        right = self.keys.business_key and hmac.compare_digest(wanted.encode(), header.encode())
        if not right or check.text(body, "grant_type") != "client_credentials":
            raise check.unknown()
        until = int(time.time()) + BEARER_SECONDS
        told_until = f"{until}.{self._seal(str(until))}"
        return Answer(
            200, {"accessToken": told_until, "tokenType": "Bearer", "expiresIn": BEARER_SECONDS}
        )

    def pay(self, raw: bytes, header: str) -> Answer:
        """Takes the money from a kept card; how it ended is told by webhook."""
        self._admit(header)
        asked = check.charge(self.keys, check.read_json(raw))
        card = self._card_of(asked.customer_id, asked.token_id)
        time.sleep(float(self._knobs["ANSWER_SECONDS"]))
        paid = CARDS[card.name].later == "pay"
        with self.book.store.transaction() as db:
            if self.book.payment(asked.invoice_id) is not None:
                raise check.wrong_fields({"invoiceId": ["This invoice was used before."]})
            payment = replace(
                self._fresh(_paid_with(asked, self.book.customer_ref(card.customer_id)), "pro"),
                state=book.PAID if paid else book.DECLINED,
                scheme=card.scheme,
                masked=card.masked,
                customer_id=card.customer_id,
                decided_ms=now_ms(),
            )
            book.add_payment(db, payment)
            switches = Switches(**json.loads(card.next_switches or "{}"))
            book.plan(db, card.token_id, None)
            said = told.webhooks(self.keys, payment, switches)
            batch = self.courier.schedule(db, told.callbacks(payment, said, switches))
        self.courier.dispatch(batch)
        return Answer(200, self._pending(payment))

    def page_url(self, payment: book.Payment) -> str:
        return f"{self._url}/ipg/{payment.environment}/?uid={payment.uid}"

    def _fresh(self, asked: Mapping[str, Any], environment: str) -> book.Payment:
        # Not from the seed: whoever has a uid has the page.
        return book.Payment(
            uid=str(uuid.uuid4()),
            indicator=uuid.uuid4().hex,
            order_id=f"oid-{uuid.uuid4()}",
            # Its last digit is kept for the try that failed before.
            transaction_id=f"{uuid.uuid4()}1",
            environment=environment,
            created_ms=now_ms(),
            **asked,
        )

    def _pending(self, payment: book.Payment) -> dict[str, Any]:
        return {"status": "PENDING", "uid": payment.uid, "statusIndicator": payment.indicator}

    def _card_of(self, customer_id: str, token_id: str) -> book.Card:
        card = self.book.card(token_id)
        if card is None or card.customer_id != customer_id:
            raise check.unknown()
        return card

    def _about(self, card: book.Card) -> dict[str, Any]:
        return {
            "customerRefNo": self.book.customer_ref(card.customer_id),
            "customerId": card.customer_id,
            "tokenId": card.token_id,
            "tokenStatus": "ACTIVE",
            "checkValue": self._sign([self.keys.merchant_id, card.customer_id, card.token_id]),
        }

    def _admit(self, header: str) -> None:
        scheme, _, bearer = header.partition(" ")
        until, _, seal = bearer.partition(".")
        right = hmac.compare_digest(self._seal(until).encode(), seal.encode(errors="replace"))
        if scheme != "Bearer" or not right or int(until) < time.time():
            raise Refused(401, {"status": 401, "error": "Invalid access token"})

    def _seal(self, text: str) -> str:
        key = self.keys.business_token.encode()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def _sign(self, values: list[str]) -> str:
        return wire.check_value(self.keys.tokens[0], values)


def told_card(card: book.Card, reference: str, nickname: str) -> dict[str, Any]:
    return {
        "tokenId": card.token_id,
        "maskedCardNo": card.masked,
        "exp": card.exp,
        "reference": reference,
        "nickname": nickname,
        "cardScheme": card.scheme,
        "tokenStatus": "ACTIVE",
    }


def _paid_with(asked: check.Charge, reference: str | None) -> dict[str, str]:
    return {
        "invoice_id": asked.invoice_id,
        "amount": asked.amount,
        "currency": asked.currency,
        "description": "Paid with a kept card",
        "return_url": "",
        "webhook_url": asked.webhook_url,
        "customer_ref": reference or "",
        "custom1": "",
        "custom2": "",
    }
