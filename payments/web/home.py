"""The demo shop of the first minutes; in production this address leads to the sign-in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.money import Money
from payments.domain.order import Order
from payments.front.request import house
from payments.front.words import rail_words, role_words
from payments.services.access import Identity
from payments.services.checkout import NewOrder, open_order
from payments.services.demo import GOODS, LOGINS, PASSWORD, Good
from payments.web.blueprint import web


@web.get("/")
def home() -> BaseResponse | str:
    settings = house().settings
    if settings.production or not settings.sandbox:
        return redirect(url_for("web.login"))
    return render_template(
        "home.html",
        goods=goods("web.buy"),
        logins=[
            {"email": email, "role": role_words(role), "password": PASSWORD}
            for email, role, *_rest in LOGINS
        ],
        phone_url="/sandbox/",
    )


@web.post("/demo/<good>")
def buy(good: str) -> BaseResponse:
    """A visitor of the demo shop puts one good into the basket and goes to checkout."""
    if good not in GOODS or not house().settings.sandbox:
        abort(404)
    order = open_good(GOODS[good], request.url_root)
    link = house().tokens.link(order.id)
    return redirect(url_for("web.checkout", order_id=order.id, access=link), 303)


def goods(endpoint: str) -> list[dict[str, Any]]:
    """What is for sale, and where the form of each leads."""
    return [
        {
            "title": _(good.title),
            "amount": good.amount,
            "currency": good.currency,
            "provider_label": rail_words(good.provider),
            "action_url": url_for(endpoint, good=key),
        }
        for key, good in GOODS.items()
    ]


def open_good(good: Good, return_url: str | None) -> Order:
    """An order of the demo shop for it, open for half an hour."""
    return open_order(
        house().settings,
        Identity("key", key_name="demo shop"),
        NewOrder(
            Money(good.amount, good.currency),
            _(good.title),
            return_url=return_url,
            expires_in=timedelta(minutes=30),
        ),
    )
