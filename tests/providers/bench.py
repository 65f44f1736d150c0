"""The shop as a provider meets it: orders that wait, callbacks that come, questions it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

from flask import Flask, Response
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from payments.domain.order import Order, Payment, begun
from payments.domain.ports import Provider
from payments.domain.states import PaymentStatus
from payments.services.ids import new_reference
from payments.services.reconcile import reconcile_once
from payments.store import ledger, orders, payments
from payments.store.db import in_transaction, now
from tests.people import People
from tests.providers.case import Call, Case, Said
from tests.sandbox.world import served

ROUND = timedelta(seconds=5)


@dataclass
class Desk:
    """Where a doorbell's provider answers, and what is true of each reference."""

    url: str = ""
    truth: dict[str, Said] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    instead: bytes | None = None
    """Answered instead of the truth."""


@contextmanager
def opened(case: Case) -> Iterator[Desk]:
    """A server on a port of its own, where the provider is one that has to be asked."""
    desk = Desk()
    if case.answers is None:
        yield desk
        return
    app, answers = Flask(__name__), case.answers

    @app.route("/<path:path>", methods=["GET", "POST"])
    def answer(path: str) -> Response:
        desk.asked.append(path)
        status, body = answers(f"/{path}", desk.truth)
        text = json.dumps(body).encode() if desk.instead is None else desk.instead
        return Response(text, status, content_type="application/json")

    with served(app) as desk.url:
        yield desk


class Bench:
    """One receiver at work; the questions of doorbells are asked on a clock of its own."""

    def __init__(self, people: People, case: Case, desk: Desk) -> None:
        self.people = people
        self.case = case
        self.desk = desk
        self._at = now()

    @property
    def rail(self) -> Provider:
        return self.people.house.rails.receiver(self.case.key)

    def order(self, currency: str | None = None) -> Said:
        """An order with an attempt that waits for its payer; the good news of it."""
        order = self.people.order(self.case.price, currency or self.case.currency)
        reference = new_reference()
        if self.case.rail is not None:
            self.people.in_app(in_transaction, lambda: self._begin(reference, order))
        said = Said(order.id, reference, order.amount, self.case.currency)
        self.desk.truth[reference] = replace(said, outcome=self.case.outcomes[-1])
        return said

    def _begin(self, reference: str, order: Order) -> None:
        assert self.case.rail is not None
        payment = begun(reference, order, self.case.rail, order.amount, now())
        payments.add(replace(self.case.begun(payment), status=PaymentStatus.PENDING))

    def send(self, call: Call, *more_headers: tuple[str, str]) -> TestResponse:
        headers = Headers(list(call.headers.items()) + list(more_headers))
        client = self.people.app.test_client()
        return client.post(f"/callbacks/{self.case.key}", data=call.body, headers=headers)

    def tell(self, said: Said) -> TestResponse:
        """It is so, and the provider calls to say so."""
        self.desk.truth[said.reference] = said
        answer = self.send(self.case.call(said))
        self.ask()
        return answer

    def ask(self) -> None:
        """What a server does by itself within a second after a doorbell."""
        if self.case.doorbell and self.case.rail is not None:
            self._at += ROUND
            rails = self.people.house.rails
            self.people.in_app(reconcile_once, rails, self.case.rail, self._at)

    def found(self, said: Said) -> Order:
        order = self.people.in_app(orders.find, said.order_id)
        assert order is not None
        return order

    def attempts(self, said: Said) -> list[Payment]:
        return list(self.people.in_app(payments.of_order, said.order_id))

    def state(self, said: Said) -> tuple[object, ...]:
        """Of the order and its attempts: what must not depend on who came first."""
        order = self.found(said)
        attempts = sorted(
            (one.status.value, one.amount_received, one.failure_code or "")
            for one in self.attempts(said)
        )
        money = (order.amount_paid, order.amount_excess)
        return (order.status.value, *money, order.late, *attempts)

    def paid(self, said: Said) -> bool:
        """It is paid, once, by this callback alone, and the books agree."""
        order = self.found(said)
        self.books()
        return order.status.value == "paid" and order.amount_paid == said.amount

    def untouched(self, said: Said) -> bool:
        order = self.found(said)
        self.books()
        waits = {PaymentStatus.PENDING, PaymentStatus.CREATED}
        return (
            order.status.value == "pending"
            and order.amount_paid == 0
            and all(one.status in waits for one in self.attempts(said))
        )

    def books(self) -> None:
        assert self.people.in_app(lambda: list(ledger.faults())) == []
