"""The checkout page: open by an access link, choose a way, watch it flip."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import quote

import segno
from flask import Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.money import Money
from payments.domain.order import WALLET, Order
from payments.domain.ports import Payer
from payments.front.request import house, identity, locale, remember_order, return_url
from payments.front.words import (
    BESIDE_THE_CODE,
    SCANNED_WITH,
    detail_rows,
    failure_words,
    rail_words,
    refusal_words,
)
from payments.services import checkout as use
from payments.services.access import link_is_open, order_for
from payments.services.confirm import UPI
from payments.services.snapshots import order_snapshot
from payments.store import audit, orders, payments
from payments.store.db import now
from payments.web.balance import balance_for, pay_from_balance
from payments.web.blueprint import web
from payments.web.cards import card_choices, chosen_card

MOST_CLAIMS = 5

PRETENDED = {
    "bank": "/sandbox/bank/pay?qr=",
    "upi": "/sandbox/upi/pay?link=",
    "upi-address": "/sandbox/upi/pay?link=",
}
"""Where the sandbox scans a code of this rail, which no link of its own leads to."""


def view(order: Order) -> dict[str, Any]:
    """The snapshot with what only a page needs: names of rails and the customer's words."""
    seen = order_snapshot(order)
    seen["seconds_left"] = max(0, int((order.expires_at - now()).total_seconds()))
    payment = seen["payment"]
    if payment:
        payment["provider_label"] = rail_words(payment["provider"])
        payment["provider_name"] = house().rails.label(payment["provider"])
        payment["failure_reason"] = failure_words(payment["failure_code"])
        payment |= _instructions(payment)
    seen["paid_with"] = [] if order.open else _paid_with(order)
    return seen


def _paid_with(order: Order) -> list[dict[str, Any]]:
    """Each part, where several ways have paid one order."""
    came = [one for one in payments.of_order(order.id) if one.amount_received]
    parts = [{"label": rail_words(one.provider), "amount": one.amount_received} for one in came]
    return parts if len(parts) > 1 else []


def _instructions(payment: dict[str, Any]) -> dict[str, Any]:
    """How an attempt under way is paid, in words."""
    action, rail = payment["action"] or {}, payment["provider"]
    pretended = house().settings.sandbox and rail in PRETENDED and "qr" in action
    return {
        "details": detail_rows(action.get("details") or {}, payment["amount"], payment["currency"]),
        "scan_words": SCANNED_WITH.get(rail),
        "beside_words": BESIDE_THE_CODE.get(rail),
        "by_hand": rail in UPI and not house().rails.able(rail, "fetch"),
        "pretended_url": PRETENDED[rail] + quote(action["qr"], safe="") if pretended else None,
    }


def parts(order: Order) -> dict[str, Any]:
    ways = house().rails.ways(Money(order.amount_due, order.currency)) if order.open else []
    return {
        "order": view(order),
        "ways": [
            {
                **way,
                "label": rail_words(way["key"]),
                "hint": _way_hint(way["key"]),
                **card_choices(order, way["key"]),
            }
            for way in ways
        ],
        "returned": "returned" in request.args,
        "claimed": _claimed(order),
        "balance": balance_for(order),
        "error": None,
        "error_field": None,
    }


def _claimed(order: Order) -> bool:
    """The customer has said to have paid: this attempt, while the order waits for its money."""
    said, last = audit.claims([order.id]), payments.last_of(order.id)
    return bool(said) and not (order.open and last and last.created_at > said[-1].at)


def _way_hint(key: str) -> str:
    by_hand = not house().rails.able(key, "fetch")
    hints = {
        "upi": _("Scan with any UPI app, or open it on this phone"),
        "upi-address": _("To the shop's own UPI address; the shop confirms it by hand"),
        "momo": _("Scan with the MoMo app, or open it on this phone"),
        "bank": _("Scan with your bank's app, or transfer by hand"),
        "campay": _("Confirm on your phone, with your PIN"),
        "payable": _("Visa or Mastercard, on the page of PAYable"),
    }
    return str(hints["upi-address" if key == "upi" and by_hand else key] if key in hints else "")


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
    payer = Payer(phone=request.form.get("phone"), email=request.form.get("email"), **chosen_card())
    try:
        if request.form.get("provider") == WALLET:
            return redirect(pay_from_balance(order), 303)
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
        return _refused(order_for(identity(), order_id), refusal_words(refusal), refusal.field)
    except NotFound:
        # Of all that was found a moment ago only a saved card can be gone.
        return _refused(order_for(identity(), order_id), _("This card is not kept any more."))
    except Conflict:
        # It has ended meanwhile: the page says how.
        pass
    # With a saved card nothing is left to do: the page waits for the provider's word at once.
    waits = 1 if payer.token_id else None
    return redirect(url_for("web.checkout", order_id=order_id, returned=waits), 303)


def _refused(order: Order, words: str, field: str | None = None) -> tuple[str, int]:
    """The page again, with what was wrong, and beside which field."""
    told = {**parts(order), "error": words, "error_field": field}
    return render_template("checkout/page.html", **told), 422


@web.route("/checkout/<order_id>/return", methods=["GET", "POST"])
def come_back(order_id: str) -> BaseResponse:
    """Where providers send the browser, some of them by POST.

    What they append is the browser's word, and is not believed. That it came makes a question due.
    A POST from their page carries no cookie of ours; the GET that it is answered with does.
    """
    use.ask_soon(order_id)
    return redirect(url_for("web.checkout", order_id=order_id, returned=1), 303)


@web.post("/checkout/<order_id>/claim")
def claim(order_id: str) -> BaseResponse | tuple[str, int]:
    order = order_for(identity(), order_id)
    reference, note = (request.form.get(name, "").strip() for name in ("reference", "note"))
    if not 0 < len(reference) <= 100 or len(note) > 500:
        words = _("Give the reference of your payment, as your bank or app shows it.")
        return _refused(order, words, "reference")
    # Nobody reads a hundredth note, and each is kept for good.
    if len(audit.claims([order.id])) >= MOST_CLAIMS:
        raise Conflict(_("Your notes have reached the shop. Please wait for its answer."))
    try:
        use.claim_paid(order.id, reference, note)
    except InvalidInput as refusal:
        return _refused(order, refusal_words(refusal), refusal.field)
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
