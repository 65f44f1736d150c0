"""What the tests of the outside share: callers, pages as parsed, signed callbacks, many at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html.parser import HTMLParser
from threading import Barrier
from typing import Any, TypeVar

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from payments.domain.order import Payment
from payments.domain.ports import Payer
from payments.services import checkout, confirm
from payments.services.access import Identity
from payments.services.confirm import Confirmed
from payments.store import payments, tables
from payments.store.db import db
from tests.people import People
from tests.sandbox.world import result_signature

T = TypeVar("T")
Json = dict[str, Any]

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what no database decides: pages, words, headers."""

ORDER: Json = {"amount": 50_000, "currency": "VND", "description": "Coffee"}
SCRIPT = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
SQL = "'); DROP TABLE orders; --"


class Caller:
    """One program that calls the API with headers of its own."""

    def __init__(
        self, app: Flask, headers: dict[str, str] | None = None, *, address: str = "127.0.0.1"
    ) -> None:
        self.client = app.test_client(use_cookies=False)
        self.client.environ_base["REMOTE_ADDR"] = address
        self.headers = headers or {}

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(f"/api/v1{path}", headers=self.headers | headers)

    def post(self, path: str, body: Json | None = None, **headers: str) -> TestResponse:
        return self.client.post(f"/api/v1{path}", json=body or {}, headers=self.headers | headers)

    def patch(self, path: str, body: Json, **headers: str) -> TestResponse:
        return self.client.patch(f"/api/v1{path}", json=body, headers=self.headers | headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.client.delete(f"/api/v1{path}", headers=self.headers | headers)

    def raw(self, path: str, body: bytes, kind: str = "application/json") -> TestResponse:
        return self.client.post(
            f"/api/v1{path}", data=body, headers={**self.headers, "Content-Type": kind}
        )


def problem(answer: TestResponse, status: int, code: str, about: str | None = None) -> Json:
    """The refusal, which is a problem of RFC 9457 with our stable code, about that field."""
    assert answer.status_code == status, (answer.status, answer.get_data(as_text=True))
    assert answer.content_type == "application/problem+json"
    told: Json = json.loads(answer.data)
    assert told["status"] == status
    assert told["type"] == "about:blank"
    assert told["title"]
    assert told["detail"]
    assert (told["code"], told.get("field")) == (code, about)
    return told


def done(answer: TestResponse, status: int = 200) -> Json:
    assert answer.status_code == status, (answer.status, answer.get_data(as_text=True))
    assert answer.content_type == "application/json"
    told: Json = json.loads(answer.data)
    return told


def count(people: People, table: str) -> int:
    def rows() -> int:
        found = db.session.execute(select(func.count()).select_from(getattr(tables, table)))
        return int(found.scalar_one())

    return people.in_app(rows)


def everything(people: People) -> dict[str, int]:
    """How many rows stand in each table that money or an order could leave one in."""
    names = ("orders", "payments", "postings", "entries", "outbox", "audit", "confirmations")
    return {name: count(people, name) for name in (*names, "refunds", "inbox")}


def attempt_of(people: People, order_id: str) -> Payment:
    last = people.in_app(payments.last_of, order_id)
    assert last is not None
    return last


def begin(people: People, order_id: str) -> Payment:
    """An attempt by MoMo, which waits for the payer; `phone` is to be among the settings."""
    return people.in_app(
        checkout.start_payment,
        people.house.rails,
        people.shop,
        order_id,
        "momo",
        Payer(),
        return_url="http://localhost/back",
        locale="en",
    )


def seen(
    people: People,
    order_id: str,
    amount: int,
    evidence: str = "receipt 1",
    who: Identity | None = None,
    reason: str = "I counted it",
) -> Confirmed:
    """Staff have seen this money."""
    return people.in_app(
        confirm.confirm,
        people.house.settings,
        who or people.clerk,
        order_id,
        amount,
        reason,
        evidence,
    )


def at_once(times: int, deed: Callable[[int], T]) -> list[T]:
    """Everybody does it at the same moment, each in a thread of their own."""
    together = Barrier(times)

    def one(number: int) -> T:
        together.wait(30)
        return deed(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(one, range(times)))


def momo_notice(payment: Payment, **changes: Any) -> Json:
    """What MoMo calls with when this attempt is paid, signed with its public test keys."""
    told: Json = {
        "partnerCode": "MOMO",
        "orderId": payment.reference,
        "requestId": payment.reference,
        "amount": payment.amount,
        "orderInfo": "Coffee",
        "orderType": "momo_wallet",
        "transId": 4088878653,
        "resultCode": 0,
        "message": "Successful.",
        "payType": "qr",
        "responseTime": 1721720663942,
        "extraData": "",
        **changes,
    }
    return {**told, "signature": result_signature(told)}


def momo_calls(app: Flask, payment: Payment, **changes: Any) -> TestResponse:
    return app.test_client().post("/callbacks/momo", json=momo_notice(payment, **changes))


VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta"})
SILENT = frozenset({"script", "style", "title", "template"})


@dataclass
class Element:
    """`inside`: the names of the elements around it, outermost first."""

    name: str
    attributes: dict[str, str]
    inside: tuple[str, ...] = ()
    text: str = ""
    form: Element | None = None
    fields: list[Element] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)


class Page(HTMLParser):
    """A page as a browser would take it apart; nothing of it is matched by regular expressions."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        around = tuple(one.name for one in self._open)
        element = Element(tag, {name: value or "" for name, value in attrs}, around)
        form = next((one for one in reversed(self._open) if one.name == "form"), None)
        if form is not None and tag in {"input", "select", "textarea", "button"}:
            element.form = form
            form.fields.append(element)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop().name != tag:
            pass

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data
        if not self._open or self._open[-1].name not in SILENT:
            self.words.append(data)

    @property
    def text(self) -> str:
        """What a person reads of it."""
        return " ".join("".join(self.words).split())

    def all(self, name: str, /, **attributes: str) -> list[Element]:
        return [
            one
            for one in self.elements
            if one.name == name
            and all(one.get(key.replace("_", "-")) == value for key, value in attributes.items())
        ]

    def id(self, name: str) -> Element:
        (found,) = [one for one in self.elements if one.get("id") == name]
        return found

    def has(self, name: str) -> bool:
        return any(one.get("id") == name for one in self.elements)

    def form(self, action: str) -> Element:
        (found,) = self.all("form", action=action)
        return found

    def actions(self) -> set[str]:
        """Where the forms of this page lead."""
        return {one.get("action") or "" for one in self.all("form")}

    def inline(self) -> Iterator[str]:
        """Whatever a Content-Security-Policy without 'unsafe-inline' would not run."""
        for one in self.elements:
            if one.name == "style" or (one.name == "script" and "src" not in one.attributes):
                yield one.name
            for name, value in one.attributes.items():
                address = "".join(value.split()).lower()
                if name == "style" or name.startswith("on") or address.startswith("javascript:"):
                    yield f"{one.name} {name}={value}"


def page_of(answer: TestResponse, status: int = 200) -> Page:
    assert answer.status_code == status, (answer.status, answer.get_data(as_text=True)[:2000])
    assert answer.content_type == "text/html; charset=utf-8"
    return Page(answer.get_data(as_text=True))


def csrf(browser: FlaskClient) -> str:
    """The token of this browser's forms."""
    form = page_of(browser.get("/login")).form("/login")
    return next(one["value"] for one in form.fields if one.get("name") == "csrf_token")


def submit(browser: FlaskClient, action: str, **fields: str) -> TestResponse:
    """Sends a form as a page of ours would, with its token."""
    return browser.post(action, data={"csrf_token": csrf(browser), **fields})
