"""The checkout page: open by an access link, choose a way, watch it flip."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import segno
from flask import Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import Conflict, InvalidInput, ProviderRefused, ProviderUnavailable
from payments.domain.money import Money
from payments.domain.order import Order
from payments.domain.ports import Payer
from payments.front.request import house, identity, locale, remember_order, return_url
from payments.front.words import failure_words, rail_words, refusal_words
from payments.services import checkout as use
from payments.services.access import link_is_open, order_for
from payments.services.snapshots import order_snapshot
from payments.store import audit, orders, payments
from payments.store.db import now
from payments.web.blueprint import web

MOST_CLAIMS = 5


def view(order: Order) -> dict[str, Any]:
    """The snapshot with what only a page needs: names of rails and the customer's words."""
    seen = order_snapshot(order)
    seen["seconds_left"] = max(0, int((order.expires_at - now()).total_seconds()))
    payment = seen["payment"]
    if payment:
        payment["provider_label"] = rail_words(payment["provider"])
        payment["failure_reason"] = failure_words(payment["failure_code"])
    return seen


def parts(order: Order) -> dict[str, Any]:
    ways = house().rails.ways(Money(order.amount_due, order.currency)) if order.open else []
    return {
        "order": view(order),
        "ways": [{**way, "hint": _way_hint(way["key"])} for way in ways],
        "returned": "returned" in request.args,
        "claimed": bool(audit.claims([order.id])),
        "error": None,
    }


def _way_hint(key: str) -> str:
    hints = {"momo": _("Scan with the MoMo app, or open it on this phone")}
    return str(hints.get(key, ""))


@web.get("/checkout/<order_id>")
def checkout(order_id: str) -> BaseResponse | str:
    link = request.args.get("access")
    if link is not None:
        return _enter(order_id, link)
    return render_template("checkout/page.html", **parts(order_for(identity(), order_id)))


def _enter(order_id: str, link: str) -> BaseResponse:
    """The access link makes the order this browser's own, then gives way to the clean address."""
    if house().tokens.read("link", link) != order_id:
        abort(404)
    order = orders.find(order_id)
    if order is None:
        abort(404)
    if not link_is_open(order):
        abort(410)
    clean = url_for("web.checkout", order_id=order_id, lang=request.args.get("lang"))
    return remember_order(make_response(redirect(clean)), order_id)


@web.get("/checkout/<order_id>/fragment")
def checkout_fragment(order_id: str) -> str:
    return render_template("parts/payment.html", **parts(order_for(identity(), order_id)))


@web.post("/checkout/<order_id>/pay")
def pay(order_id: str) -> BaseResponse | tuple[str, int]:
    order = order_for(identity(), order_id)
    payer = Payer(phone=request.form.get("phone"), email=request.form.get("email"))
    try:
        use.start_payment(
            house().rails,
            identity(),
            order.id,
            request.form.get("provider", ""),
            payer,
            return_url(order.id),
            locale(),
            again="again" in request.form,
        )
    except (InvalidInput, ProviderRefused, ProviderUnavailable) as refusal:
        return _refused(order_for(identity(), order_id), refusal_words(refusal))
    except Conflict:
        # It has ended meanwhile: the page says how.
        pass
    return redirect(url_for("web.checkout", order_id=order_id), 303)


def _refused(order: Order, words: str) -> tuple[str, int]:
    """The page again, with what was wrong."""
    return render_template("checkout/page.html", **{**parts(order), "error": words}), 422


@web.get("/checkout/<order_id>/return")
def come_back(order_id: str) -> BaseResponse:
    """Where providers send the browser.

    What they append is the browser's word, and is not believed.
    """
    return redirect(url_for("web.checkout", order_id=order_id, returned=1), 303)


@web.post("/checkout/<order_id>/claim")
def claim(order_id: str) -> BaseResponse | tuple[str, int]:
    order = order_for(identity(), order_id)
    reference, note = (request.form.get(name, "").strip() for name in ("reference", "note"))
    if not 0 < len(reference) <= 100 or len(note) > 500:
        words = _("Give the reference of your payment, as your bank or app shows it.")
        return _refused(order, words)
    # Nobody reads a hundredth note, and each is kept for good.
    if len(audit.claims([order.id])) >= MOST_CLAIMS:
        raise Conflict(_("Your notes have reached the shop. Please wait for its answer."))
    use.claim_paid(order.id, reference, note)
    return redirect(url_for("web.checkout", order_id=order_id), 303)


@web.get("/checkout/<order_id>/<reference>.<any(svg, png):kind>")
def qr(order_id: str, reference: str, kind: str) -> Response:
    """The code as a picture, dark on white with a quiet zone of 4 modules, in every theme."""
    order = order_for(identity(), order_id)
    payment = payments.find(reference)
    text = (payment.action or {}).get("qr") if payment and payment.order_id == order.id else None
    if not text:
        abort(404)
    return picture(text, kind, f"{order.id}.{kind}")


def picture(text: str, kind: str, name: str) -> Response:
    out = BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind=kind, scale=8, border=4, dark="#000", light="#fff"
    )
    response = make_response(out.getvalue())
    response.headers["Content-Type"] = "image/svg+xml" if kind == "svg" else "image/png"
    response.headers["Cache-Control"] = "private, max-age=3600"
    if "download" in request.args:
        response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
