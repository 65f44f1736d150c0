"""Three screens side by side: the customer's, the provider's phone, the staff's. Sandbox only.

Each is the page itself in a frame, so that what changes there is what changes for its people.
"""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from flask import abort, make_response, redirect, render_template, request, url_for
from flask_login import login_user
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import NotFound, Unauthenticated
from payments.front.request import LoggedIn, house, identity, remember_order
from payments.services import accounts
from payments.services.access import order_for
from payments.services.demo import GOODS, LOGINS, PASSWORD
from payments.web.blueprint import web
from payments.web.home import goods, open_good

PHONES = {
    "momo": "/sandbox/momo/",
    "bank": "/sandbox/bank/",
    "campay": "/sandbox/campay/",
    "upi": "/sandbox/razorpay/",
    "upi-address": "/sandbox/upi/",
    "payable": "/sandbox/payable/",
}
"""Where the pretended provider of a rail is held in the hand."""

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
"""One machine, and to a browser several origins."""


@web.get("/three-screens")
def three_screens() -> BaseResponse | str:
    if not house().settings.sandbox:
        abort(404)
    # The simulators' links name our public address; a frame of another origin would be refused.
    public = urlsplit(house().settings.public_url)
    if _name_here() != public.hostname and {_name_here(), public.hostname} <= LOOPBACK:
        return redirect(f"{public.scheme}://{public.netloc}{request.full_path.rstrip('?')}")
    shown = None
    if "order" in request.args:
        with suppress(NotFound):
            shown = order_for(identity(), request.args["order"])
    return render_template(
        "three_screens.html",
        order=shown,
        goods=goods("web.show_three_screens"),
        phone_url=PHONES.get(_rail(request.args.get("good", "")), "/sandbox/"),
    )


@web.post("/three-screens/<good>")
def show_three_screens(good: str) -> BaseResponse:
    """An order for one good; its payer and a clerk are both this browser."""
    if good not in GOODS or not house().settings.sandbox:
        abort(404)
    if not identity().staff:
        _sign_in_clerk()
    # Nowhere to go back to: that would show this page inside of itself.
    order = open_good(GOODS[good], return_url=None)
    shown = redirect(url_for("web.three_screens", order=order.id, good=good), 303)
    return remember_order(make_response(shown), order.id)


def _name_here() -> str:
    """The host as this browser names it."""
    return request.host.rsplit(":", 1)[0].strip("[]").lower()


def _sign_in_clerk() -> None:
    """With the password that everybody may read; where it was changed, the frame asks for it."""
    with suppress(Unauthenticated):
        user = accounts.sign_in(house().offload, LOGINS[0][0], PASSWORD)
        login_user(LoggedIn(user, accounts.begin_login(user.id)))


def _rail(good: str) -> str:
    if good not in GOODS:
        return ""
    rail = GOODS[good].provider
    return "upi-address" if rail == "upi" and not house().rails.able(rail, "fetch") else rail
