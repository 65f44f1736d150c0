"""Two pages to try sockets and payments by hand: in the sandbox for everybody, elsewhere for staff.

What they do, they do by the socket and the API, with the tester's own rights.
"""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from payments.dialects import DIALECTS, Dialect, Subject
from payments.domain.errors import NotFound
from payments.front.request import house, identity
from payments.front.words import rail_words
from payments.providers.registry import PROVIDERS
from payments.services import live
from payments.web.blueprint import web


@web.get("/websocket-test.html")
def websocket_test() -> BaseResponse | str:
    return _away() or render_template(
        "trials/websocket.html",
        vocabularies=[_vocabulary(one) for one in DIALECTS],
        staff=identity().staff,
    )


@web.post("/websocket-test.html")
def send_connection_test() -> tuple[str, int]:
    """Staff ask whether anybody hears: `connection-test` to whoever has joined the order."""
    if not identity().staff:
        raise NotFound
    live.tell_again(request.form.get("order", ""), "test")
    return "", 204


@web.get("/payment-test")
def payment_test() -> BaseResponse | str:
    return _away() or render_template(
        "trials/payment.html",
        order_id=request.args.get("order", "")[:64],
        rails=[_rail(key) for key in PROVIDERS if house().rails.offers(key)],
    )


def _away() -> BaseResponse | None:
    """Where to go instead of a trial. Raises NotFound for a customer outside of the sandbox."""
    who = identity()
    if house().settings.sandbox or who.staff:
        return None
    if who.user is None:
        return redirect(url_for("web.login", next=request.path))
    raise NotFound


def _rail(key: str) -> dict[str, Any]:
    """A way to pay, and what a test order for it costs: ten times the least it takes."""
    currency, (least, most) = next(iter(PROVIDERS[key].limits.items()))
    return {
        "key": key,
        "label": rail_words(key),
        "currency": currency,
        "amount": min(10 * least, most),
    }


def _vocabulary(dialect: Dialect) -> dict[str, Any]:
    """What the page needs to speak it. `prefix` stands before an id that is typed alone."""
    return {
        "name": dialect.name,
        "namespace": dialect.namespace,
        "id_field": dialect.id_field,
        "prefix": "order:" if dialect.subject is Subject.TOPIC else "",
        "join": " ".join(dialect.subscribe),
        "leave": " ".join(dialect.unsubscribe),
        "calls": " ".join(dialect.replies),
    }
