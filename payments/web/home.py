"""The demo shop of the first minutes; in production this address leads to the sign-in."""

from __future__ import annotations

from datetime import timedelta

from flask import abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.money import Money
from payments.front.request import house
from payments.front.words import rail_words, role_words
from payments.services.access import Identity
from payments.services.checkout import NewOrder, open_order
from payments.services.demo import GOODS, LOGINS, PASSWORD
from payments.web.blueprint import web


@web.get("/")
def home() -> BaseResponse | str:
    settings = house().settings
    if settings.production or not settings.sandbox:
        return redirect(url_for("web.login"))
    goods = [
        {
            "title": _(good.title),
            "amount": good.amount,
            "currency": good.currency,
            "provider_label": rail_words(good.provider),
            "action_url": url_for("web.buy", good=key),
        }
        for key, good in GOODS.items()
    ]
    return render_template(
        "home.html",
        goods=goods,
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
    chosen = GOODS[good]
    shop = Identity("key", key_name="demo shop")
    order = open_order(
        house().settings,
        shop,
        NewOrder(
            Money(chosen.amount, chosen.currency),
            _(chosen.title),
            return_url=request.url_root,
            expires_in=timedelta(minutes=30),
        ),
    )
    link = house().tokens.link(order.id)
    return redirect(url_for("web.checkout", order_id=order.id, access=link), 303)
