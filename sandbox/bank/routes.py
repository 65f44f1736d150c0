"""The addresses: the bank's app under /bank, Pay2S's gateway and its page under /pay2s."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from .. import pages
from ..pages import Kit
from .app import BankApp
from .book import Book, Payment
from .gateway import Gateway, Refused, read_object
from .keys import BankKeys
from .pages import Checkout, Screens


def blueprint(kit: Kit, keys: BankKeys) -> Blueprint:
    ledger = Book(kit.store)
    gateway = None
    if keys.gateway is not None:
        gateway = Gateway(keys.gateway, kit.public_url, ledger, kit.chance)
    app = BankApp(keys, ledger, kit.courier, kit.chance, gateway)
    screens, payments = Screens(app), Payments(app)
    paths = Blueprint("bank", __name__)
    paths.get("/bank/")(screens.home)
    paths.get("/bank/pay")(screens.pay)
    paths.post("/bank/payments")(payments.make)
    paths.get("/bank/payments/<int:payment_id>")(payments.show)
    paths.post("/bank/payments/<int:payment_id>/resend")(payments.resend)
    if gateway is not None:
        checkout = Checkout(app, gateway)
        paths.post("/pay2s/v1/gateway/api/create", endpoint="create")(lambda: create(gateway))
        paths.get("/pay2s/checkout/<token>", endpoint="checkout")(checkout.page)
        paths.get("/pay2s/checkout/<token>/code.svg", endpoint="code")(checkout.code)
        paths.post("/pay2s/checkout/<token>/cancel", endpoint="cancel")(checkout.cancel)
    return paths


def create(gateway: Gateway) -> ResponseReturnValue:
    try:
        raw = request.get_data()
    except RequestEntityTooLarge:
        raw = b""
    return gateway.create(raw)


class Payments:
    """Payments in the app, for forms and for scripts."""

    def __init__(self, app: BankApp) -> None:
        self.app = app

    def make(self) -> ResponseReturnValue:
        try:
            payment = self.app.pay(self.app.read(asked()))
        except ValueError as error:
            abort(400, str(error))
        if pages.wants_json():
            return self._told(payment), 201
        return redirect(url_for("bank.show", payment_id=payment.id), 303)

    def show(self, payment_id: int) -> ResponseReturnValue:
        payment = self._known(payment_id)
        return Screens(self.app).payment(payment) if pages.wants_page() else self._told(payment)

    def resend(self, payment_id: int) -> ResponseReturnValue:
        payment = self._known(payment_id)
        self.app.resend(payment)
        if pages.wants_json():
            return self._told(payment)
        return redirect(url_for("bank.show", payment_id=payment.id), 303)

    def _known(self, payment_id: int) -> Payment:
        return self.app.book.payment(payment_id) or abort(404, "No such payment.")

    def _told(self, payment: Payment) -> dict[str, Any]:
        return {
            "payment": payment.id,
            "feed": payment.feed,
            "amount": payment.amount,
            "memo": payment.memo,
            "lines": [
                {
                    "id": line.id,
                    "incoming": bool(line.incoming),
                    "amount": line.amount,
                    "content": line.content,
                    "reference": line.reference,
                }
                for line in self.app.book.lines(payment.id)
            ],
            "callbacks": [
                {
                    "label": sent.label,
                    "url": sent.url,
                    "body": sent.body,
                    "state": sent.state,
                    "tries": [
                        {"time": one.at_ms, "status": one.status, "note": one.note}
                        for one in sent.tries
                    ],
                }
                for sent in Screens(self.app).log(payment)
            ],
        }


def asked() -> Mapping[str, Any]:
    """The form, or the JSON object that was sent in its place. ValueError: neither."""
    if not request.is_json:
        return request.form
    try:
        return read_object(request.get_data())
    except Refused as refusal:
        raise ValueError(refusal.detail) from refusal
