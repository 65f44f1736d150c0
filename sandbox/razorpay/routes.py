"""Razorpay's pages: those of a link and an order, the UPI app that scanned a code, the list."""

import io
from collections.abc import Mapping
from typing import Any

import segno
from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from .. import pages
from ..pages import Kit
from ..switches import LATE_CHOICES, read_switches
from ..upi.link import rupees_shown
from . import book, events, told, wire
from .api import add_api
from .check import read_json
from .gateway import QR_MODES, REFUND_MODES, Gateway
from .phone import LEAVE, RESULTS, NotOpen, Phone, brought_back, returning, shown

MOST_LISTED = 30
LIST_SECONDS = 3
SENDING_SECONDS = 2
SETTINGS = {"qr": QR_MODES, "refunds": tuple(REFUND_MODES)}


def blueprint(kit: Kit, keys: wire.RazorpayKeys) -> Blueprint:
    gateway = Gateway(
        *(keys, kit.public_url, book.Book(kit.store), kit.chance, kit.courier), kit.knobs
    )
    phone = Phone(gateway, kit.courier)
    screens, asks = Screens(phone), Asks(phone)
    paths = Blueprint("razorpay", __name__, url_prefix="/razorpay")
    paths.add_app_template_filter(rupees_shown, "rupees")
    add_api(paths, gateway)
    paths.get("/")(screens.latest)
    paths.post("/account")(screens.account)
    paths.post("/v1/checkout/embedded")(screens.hosted)
    paths.get("/scan")(screens.scan)
    paths.get("/i/<ask_id>")(screens.pay)
    paths.get("/i/<ask_id>.png")(screens.picture)
    paths.get("/asks/<name>")(asks.show)
    paths.post("/asks/<name>/decide")(asks.decide)
    paths.post("/asks/<name>/resend")(asks.resend)
    return paths


class Screens:
    """What a person sees."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.book = phone.gateway.book

    def latest(self) -> ResponseReturnValue:
        """The list; `?still=1` stops its refreshing."""
        still = "still" in request.args
        listed = [(one, self._log(one)) for one in self.book.latest(MOST_LISTED)]
        chosen = {name: self.book.setting(name, "") for name in SETTINGS}
        page = render_template(
            *("razorpay/latest.html",), listed=listed, still=still, settings=SETTINGS, chosen=chosen
        )
        return pages.refreshing(page, None if still else LIST_SECONDS)

    def account(self) -> ResponseReturnValue:
        """What Razorpay has opened for this account, and how its refunds end."""
        for name, choices in SETTINGS.items():
            value = request.form.get(name)
            if value is not None and value not in choices:
                abort(400, f"{name}: one of {', '.join(choices)}")
        with self.book.store.transaction() as db:
            for name in SETTINGS.keys() & request.form.keys():
                book.set_up(db, name, request.form[name])
        return redirect(url_for("razorpay.latest", still=1), 303)

    def scan(self) -> ResponseReturnValue:
        """The text of a code, as the camera of a phone reads it."""
        ask = self.book.ask(wire.code_of(request.args.get("link", "")) or "")
        if ask is None:
            abort(404, "This code is not one of Razorpay's.")
        return redirect(url_for("razorpay.pay", ask_id=ask.id))

    def hosted(self) -> ResponseReturnValue:
        """The checkout page, to which a browser brings an order."""
        try:
            ask = self.phone.gateway.opened(request.form)
        except wire.Refused as refused:
            abort(refused.status, str(refused))
        return self.pay(ask.id)

    def pay(self, ask_id: str) -> ResponseReturnValue:
        ask = self.book.ask(ask_id) or abort(404, "There is no such payment page.")
        tries = self.book.payments("ask_id", ask.id)
        if ask.state == book.OPEN:
            why = told.FAILURES[tries[0].reason] if tries else None
            page = render_template(
                *("razorpay/pay.html",),
                ask=ask,
                said=ask.said,
                shop=self.phone.keys.name,
                why=why,
                switches=events.SWITCHES,
                late_choices=LATE_CHOICES,
            )
            return pages.leading_out(page)
        log = self._log(ask)
        page = render_template(
            *("razorpay/decided.html",),
            ask=ask,
            paid=next((one for one in tries if one.status == book.CAPTURED), None),
            shop=self.phone.keys.name,
            refunds=[back for one in tries for back in self.book.refunds(one.id)],
            log=log,
            shop_url=returning(self.phone, ask),
        )
        sending = any(sent.state == "waiting" for sent in log)
        return pages.refreshing(page, SENDING_SECONDS if sending else None)

    def picture(self, ask_id: str) -> ResponseReturnValue:
        ask = self.book.ask(ask_id)
        if ask is None or ask.has_page:
            abort(404, "There is no such code.")
        out = io.BytesIO()
        text = wire.code_text(self.phone.keys, ask.id, ask.amount)
        segno.make(text, error="m", micro=False).save(out, kind="png", scale=8, border=4)
        return Response(out.getvalue(), content_type="image/png")

    def _log(self, ask: book.Ask) -> Any:
        return self.phone.courier.log(wire.KEY, ask.id)


class Asks:
    """A code, link or order, for forms and scripts; named by its id or the merchant's reference."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def show(self, name: str) -> ResponseReturnValue:
        return shown(self.phone, self._known(name))

    def decide(self, name: str) -> ResponseReturnValue:
        ask = self._known(name)
        try:
            asked = decision_asked()
            choice, switches = str(asked.get("result")), read_switches(asked)
            if choice not in RESULTS and choice != LEAVE:
                raise ValueError(f"result: {', '.join((*RESULTS, LEAVE))}")
        except ValueError as error:
            abort(400, str(error))
        if choice == LEAVE:
            return {"events": 0} if pages.wants_json() else self._away(ask)
        try:
            decision = self.phone.decide(ask, choice, switches)
        except NotOpen:
            if pages.wants_json():
                return {"error": "not open any more"}, 409
            return redirect(url_for("razorpay.pay", ask_id=ask.id), 303)
        if pages.wants_json():
            payment = decision.payment
            return {
                "payment_id": payment.id,
                "status": payment.status,
                "utr": payment.rrn,
                "events": decision.sent,
            }
        if ask.is_link and choice == "pay":
            return self._away(self._known(ask.id))
        if ask.is_order and (address := ask.said.get("callback_url")):
            fields = brought_back(self.phone, decision.payment)
            page = render_template("razorpay/back.html", address=address, fields=fields)
            return pages.posting_out(page)
        return redirect(url_for("razorpay.pay", ask_id=ask.id), 303)

    def resend(self, name: str) -> ResponseReturnValue:
        ask = self._known(name)
        try:
            sent = self.phone.resend(ask)
        except NotOpen:
            abort(409, "Nothing is decided yet, so there is nothing to send again.")
        if pages.wants_json():
            return {"events": sent}
        return redirect(url_for("razorpay.pay", ask_id=ask.id), 303)

    def _known(self, name: str) -> book.Ask:
        return self.phone.gateway.book.ask(name) or abort(404, "No such code, link or order.")

    def _away(self, ask: book.Ask) -> BaseResponse:
        """A page of Razorpay's leads back to the shop; who scanned a code stays on the phone."""
        back = ask.said.get("cancel_url") if ask.is_order else returning(self.phone, ask)
        return redirect(back or url_for("razorpay.latest"), 303)


def decision_asked() -> Mapping[str, Any]:
    """The form, or the JSON object that was sent in its place. ValueError: neither."""
    if not request.is_json:
        return request.form
    try:
        return read_json(request.get_data())
    except wire.Refused as refusal:
        raise ValueError(str(refusal)) from refusal
