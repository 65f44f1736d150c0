"""Razorpay's API without the web: QR codes, payment links, orders, payments, refunds."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

from ..chance import Chance
from ..courier import Callback, Courier, now_ms
from . import book, check, events, told, wire
from .told import Entity
from .wire import Refused

QR_MODES = ("text", "picture", "none", "orders")
"""What an account has: codes with their text, or as a picture alone; links; or orders alone."""

PREFIXES = {"qr_code": "qr", "payment_link": "plink"}
"""Of ids. An order that is paid on its page has the id of the order."""

REFUND_MODES = {
    "at once": (0, "processed", False),
    "later": (2, "processed", False),
    "later, silently": (2, "processed", True),
    "fails": (2, "failed", False),
}
"""Seconds until a refund ends, how it ends, and whether nobody is told."""


class Gateway:
    def __init__(
        self,
        keys: wire.RazorpayKeys,
        public_url: str,
        ledger: book.Book,
        chance: Chance,
        courier: Courier,
        knobs: Mapping[str, Any],
    ) -> None:
        """`knobs`: ANSWER_SECONDS, how long a create or a refund takes."""
        self.keys = keys
        self.book = ledger
        self.chance = chance
        self.courier = courier
        self._public_url = public_url
        self._knobs = knobs

    def create_code(self, body: dict[str, Any]) -> Entity:
        if self._mode() in {"none", "orders"}:
            raise Refused("The requested URL was not found on the server.", status=404)
        asked = check.code(body)
        return self.shown(self._keep("qr_code", asked, None))

    def create_link(self, body: dict[str, Any]) -> Entity:
        asked = check.link(body)
        if self._mode() == "orders":
            raise Refused("UPI Payment Links is not supported in Test Mode", "upi_link")
        if asked.reference and self.book.link_of(asked.reference):
            raise Refused("payment link with given reference_id already exists", "reference_id")
        made = self._order(asked)
        return self.shown(self._keep("payment_link", asked, made.id))

    def create_order(self, body: dict[str, Any]) -> Entity:
        """The same receipt again is another order."""
        asked = check.order(body)
        made = self._order(asked)
        return self.shown(self._keep("order", asked, made.id))

    def opened(self, form: Mapping[str, str]) -> book.Ask:
        """The order that a browser has brought to the hosted page, with what it brought."""
        if form.get("key_id") != self.keys.key_id:
            raise Refused("The api key provided is invalid", status=401)
        ask = self._known(form.get("order_id", ""), "order")
        fields = check.hosted(form, ask.amount)
        with self.book.store.transaction() as db:
            book.brought(db, ask, fields)
        return self._known(ask.id, "order")

    def show_ask(self, ask_id: str, kind: str) -> Entity:
        return self.shown(self._known(ask_id, kind))

    def paid_by_code(self, ask_id: str) -> Entity:
        ask = self._known(ask_id, "qr_code")
        return told.collection([self.payment(one) for one in self.book.payments("ask_id", ask.id)])

    def close_code(self, ask_id: str) -> Entity:
        ask = self._known(ask_id, "qr_code")
        with self.book.store.transaction() as db:
            book.move(db, ask, book.CLOSED)
        return self.show_ask(ask_id, "qr_code")

    def show_order(self, order_id: str) -> Entity:
        made = self.book.order(order_id)
        if made is None:
            raise Refused("The id provided does not exist")
        tries = self.book.payments("order_id", order_id)
        paid = sum(one.amount for one in tries if one.status == book.CAPTURED)
        return told.order(made, paid, len(tries))

    def paid_by_order(self, order_id: str) -> Entity:
        self.show_order(order_id)
        listed = self.book.payments("order_id", order_id)
        return told.collection([self.payment(one) for one in listed])

    def show_payment(self, payment_id: str) -> Entity:
        return self.payment(self._paid(payment_id))

    def refund(self, payment_id: str, body: dict[str, Any], key: str | None) -> Entity:
        """The same key and body again is the same refund; another body under it is refused."""
        time.sleep(float(self._knobs["ANSWER_SECONDS"]))
        key = check.idempotency(key)
        said = json.dumps({"payment": payment_id, **body}, sort_keys=True)
        fingerprint = hashlib.sha256(said.encode()).hexdigest()
        with self.book.store.transaction() as db:
            known = self.book.refund_by("idempotency", key) if key else None
            if known is not None:
                if known.fingerprint != fingerprint:
                    raise Refused("Different request body sent for the same Idempotency Header")
                return told.refund(known, known.status(now_ms()))
            paid = self._paid(payment_id)
            made = self._refund(db, paid, body, key, fingerprint)
            batch = self.courier.schedule(db, self._refund_events(paid, made))
        self.courier.dispatch(batch)
        return told.refund(made, made.status(now_ms()))

    def show_refund(self, refund_id: str, payment_id: str | None = None) -> Entity:
        found = self.book.refund_by("id", refund_id)
        if found is None or (payment_id is not None and found.payment_id != payment_id):
            raise Refused("The id provided does not exist")
        return told.refund(found, found.status(now_ms()))

    def payment(self, one: book.Payment) -> Entity:
        at = now_ms()
        returned = sum(
            back.amount for back in self.book.refunds(one.id) if back.status(at) == "processed"
        )
        return told.payment(one, returned)

    def shown(self, ask: book.Ask) -> Entity:
        if ask.is_order:
            return self.show_order(ask.id)
        paid = self.book.payments("ask_id", ask.id)
        if ask.is_link:
            return told.payment_link(ask, paid, self.page_url(ask))
        received = sum(one.amount for one in paid if one.status == book.CAPTURED)
        text = wire.code_text(self.keys, ask.id, ask.amount) if self._mode() == "text" else None
        return told.qr_code(ask, received, f"{self.page_url(ask)}.png", text)

    def page_url(self, ask: book.Ask) -> str:
        return f"{self._public_url}/razorpay/i/{ask.id}"

    def new_id(self, kind: str, table: str) -> str:
        return wire.new_id(self.chance, kind, self.book.count(table))

    def _mode(self) -> str:
        return self.book.setting("qr", QR_MODES[0])

    def _keep(self, kind: str, asked: check.Asked, order_id: str | None) -> book.Ask:
        time.sleep(float(self._knobs["ANSWER_SECONDS"]))
        with self.book.store.transaction() as db:
            ask = book.Ask(
                id=self.new_id(PREFIXES[kind], "asked") if kind in PREFIXES else str(order_id),
                kind=kind,
                amount=asked.amount,
                reference=asked.reference,
                order_id=order_id,
                body=json.dumps(asked.body),
                created_s=int(time.time()),
                closes_s=asked.closes_s,
            )
            book.add(db, ask)
        return ask

    def _order(self, asked: check.Asked) -> book.Order:
        with self.book.store.transaction() as db:
            made = book.Order(
                id=self.new_id("order", "orders"),
                amount=asked.amount,
                receipt=asked.reference,
                notes=json.dumps(check.notes(asked.body)),
                created_s=int(time.time()),
            )
            book.add(db, made)
        return made

    def _refund(
        self,
        db: sqlite3.Connection,
        paid: book.Payment,
        body: dict[str, Any],
        key: str | None,
        fingerprint: str,
    ) -> book.Refund:
        if paid.status != book.CAPTURED:
            raise Refused("The payment status should be captured for action to be taken")
        before = self.book.refunds(paid.id)
        left = paid.amount - sum(one.amount for one in before if one.ends_as != "failed")
        amount = check.paise(body, "amount") if "amount" in body else left
        if left == 0:
            raise Refused("The payment has been fully refunded already", "amount")
        if amount > left:
            raise Refused("The refund amount is more than what is left", "amount")
        seconds, ends_as, _ = self.refund_mode()
        made = book.Refund(
            id=self.new_id("rfnd", "refunds"),
            payment_id=paid.id,
            amount=amount,
            receipt=check.text(body, "receipt", 40) or None,
            notes=json.dumps(check.notes(body)),
            idempotency=key,
            fingerprint=fingerprint,
            created_s=int(time.time()),
            ends_ms=now_ms() + seconds * 1000,
            ends_as=ends_as,
        )
        book.add(db, made)
        return made

    def _refund_events(self, paid: book.Payment, made: book.Refund) -> list[Callback]:
        seconds, ends_as, silent = self.refund_mode()
        if silent:
            return []
        steps = [("refund.created", "pending", 0.0), (f"refund.{ends_as}", ends_as, float(seconds))]
        return [
            events.callback(
                self.keys,
                f"{made.id}.{name}",
                name,
                {"refund": told.refund(made, status), "payment": told.payment(paid)},
                subject=paid.ask_id or paid.id,
                delay_seconds=delay,
            )
            for name, status, delay in steps
        ]

    def refund_mode(self) -> tuple[int, str, bool]:
        return REFUND_MODES[self.book.setting("refunds", "at once")]

    def _known(self, ask_id: str, kind: str) -> book.Ask:
        ask = self.book.ask(ask_id)
        if ask is None or ask.id != ask_id or ask.kind != kind:
            raise Refused("The id provided does not exist")
        return ask

    def _paid(self, payment_id: str) -> book.Payment:
        found = self.book.payment(payment_id)
        if found is None:
            raise Refused("The id provided does not exist")
        return found
