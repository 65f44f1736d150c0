"""What staff do. Each form says what it will do; the service checks the right and the state."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import Conflict, Forbidden, PaychimeError, Unauthenticated
from payments.domain.money import from_major
from payments.front.problems import status_of
from payments.front.request import house, identity
from payments.front.words import refusal_words
from payments.providers.registry import PROVIDERS
from payments.services import callbacks, checkout, refunds
from payments.services import confirm as confirmation
from payments.services.access import demand, order_for
from payments.staff.blueprint import staff
from payments.staff.pages import order_parts
from payments.store import idempotency
from payments.store.db import in_transaction

Page = BaseResponse | str | tuple[str, int]


def _currencies() -> list[str]:
    """Those that the offered rails take."""
    rails = house().rails
    return sorted(
        {c for key, spec in PROVIDERS.items() if rails.able(key, "start") for c in spec.limits}
    )


@staff.route("/new", methods=["GET", "POST"])
def new_order() -> Page:
    demand(identity(), "order.create")
    values = {
        name: request.form.get(name, "").strip() for name in ("amount", "currency", "description")
    }
    errors: dict[str, str] = {}
    if request.method == "POST":
        try:
            if not 0 < len(values["description"]) <= 500:
                errors["description"] = _("Say what it is for.")
            money = from_major(values["amount"], values["currency"])
            if not errors:
                order = checkout.open_order(
                    house().settings, identity(), checkout.NewOrder(money, values["description"])
                )
                return redirect(url_for("staff.show", order_id=order.id), 303)
        except PaychimeError as refusal:
            errors[refusal.field or "amount"] = refusal_words(refusal)
    page = render_template(
        "staff/new_order.html", currencies=_currencies(), errors=errors, values=values
    )
    return page, 422 if errors else 200


@staff.post("/orders/<order_id>/cancel")
def cancel(order_id: str) -> Page:
    return _do(order_id, "cancel", lambda: checkout.cancel(identity(), order_id, _field("reason")))


@staff.post("/orders/<order_id>/confirm")
def confirm(order_id: str) -> Page:
    def deed() -> None:
        order = order_for(identity(), order_id)
        amount = from_major(_field("amount"), order.currency).amount
        confirmation.confirm(
            house().settings, identity(), order_id, amount, _field("reason"), _field("evidence")
        )

    return _do(order_id, "confirm", deed)


@staff.post("/orders/<order_id>/refund")
def refund(order_id: str) -> Page:
    def deed() -> None:
        order = order_for(identity(), order_id)
        if not _first(_field("once")):
            return
        text = _field("amount")
        amount = from_major(text, order.currency).amount if text else None
        refunds.refund(house().rails, identity(), order_id, amount, _field("reason"))

    return _do(order_id, "refund", deed)


@staff.post("/callbacks/<int:callback_id>/resolve")
def resolve_callback(callback_id: int) -> Page:
    callbacks.resolve(identity(), callback_id, _field("reason"))
    return redirect(url_for("staff.parked"), 303)


@staff.post("/refunds/<refund_id>/paid")
def refund_paid(refund_id: str) -> Page:
    """The rail cannot refund, and a person has given the money back."""
    order_id = refunds.settle_by_hand(identity(), refund_id, _field("evidence"))
    return redirect(url_for("staff.order", order_id=order_id), 303)


def _first(once: str) -> bool:
    """Two presses of the button send one form twice; a second form is meant."""
    if not once:
        return True
    key = f"form:{once}"[:200]
    return in_transaction(lambda: idempotency.begin(identity().actor, key, "")) is None


@staff.post("/confirmations/<confirmation_id>/approve")
def approve(confirmation_id: str) -> Page:
    approved = confirmation.approve(identity(), confirmation_id)
    return redirect(url_for("staff.order", order_id=approved.order_id), 303)


@staff.post("/confirmations/<confirmation_id>/decline")
def decline(confirmation_id: str) -> Page:
    declined = confirmation.decline(identity(), confirmation_id, _field("reason"))
    return redirect(url_for("staff.order", order_id=declined.order_id), 303)


def _field(name: str) -> str:
    return request.form.get(name, "").strip()


def _do(order_id: str, form: str, deed: Any) -> Page:
    """Does it and shows the order; what was wrong stands in the form, with what was typed."""
    order = order_for(identity(), order_id)
    try:
        deed()
    except (Forbidden, Unauthenticated):
        raise
    except PaychimeError as refusal:
        if isinstance(refusal, Conflict) and refusal.field is None:
            # The order has moved on and has no such form any more: a page of its own says why.
            raise
        parts = order_parts(order_for(identity(), order.id))
        values = {name: text for name, text in request.form.items() if name != "csrf_token"}
        parts |= {"errors": {form: refusal_words(refusal)}, "values": values}
        return render_template("staff/order.html", **parts), status_of(refusal)
    return redirect(url_for("staff.order", order_id=order.id), 303)
