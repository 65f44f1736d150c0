"""MoMo's addresses: the API under /momo/v2/gateway/api, the hosted page, the phone."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from .. import pages
from ..courier import Sent
from ..pages import Kit
from ..switches import LATE_CHOICES, read_switches
from . import book, ipn, wire
from .check import Refused, read_json
from .gateway import CALLS, Gateway, refused
from .phone import LEAVE, RESULTS, AlreadyDecided, Decision, Phone, told

MOST_LISTED = 30
LIST_SECONDS = 3
SENDING_SECONDS = 2
IN_APP = "app"


def blueprint(kit: Kit, keys: wire.MomoKeys) -> Blueprint:
    gateway = Gateway(keys, kit.public_url, book.Book(kit.store), kit.chance, kit.knobs)
    phone = Phone(gateway, kit.courier)
    screens, payments = Screens(phone), Payments(phone)
    paths = Blueprint("momo", __name__, url_prefix="/momo")
    for call in CALLS:
        paths.post(f"/v2/gateway/api/{call}", endpoint=call)(api_view(gateway, call))
    paths.get("/v2/gateway/pay")(screens.pay)
    paths.get("/")(screens.latest)
    paths.get("/payments/<order_id>")(payments.show)
    paths.post("/payments/<order_id>/decide")(payments.decide)
    paths.post("/payments/<order_id>/resend")(payments.resend)
    return paths


def api_view(gateway: Gateway, call: str) -> Callable[[], ResponseReturnValue]:
    def view() -> ResponseReturnValue:
        try:
            answer = gateway.answer(call, request.get_data())
        except RequestEntityTooLarge:
            answer = refused({}, Refused(20, "the body is too large"))
        return answer.body, answer.http_status

    return view


class Screens:
    """What a person sees."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.keys = phone.gateway.keys
        self.book = phone.gateway.book

    def latest(self) -> ResponseReturnValue:
        """The list; `?still=1` stops its refreshing."""
        still = "still" in request.args
        listed = [
            (one, own_page(self.phone, one, in_app=True), self._log(one))
            for one in self.book.latest(MOST_LISTED)
        ]
        page = render_template("momo/latest.html", listed=listed, still=still)
        return pages.refreshing(page, None if still else LIST_SECONDS)

    def pay(self) -> ResponseReturnValue:
        """The hosted page. `&via=app` is the same page inside the phone: it stays there."""
        token, seal = request.args.get("t", ""), request.args.get("s", "")
        payment = self.book.payment(wire.order_of_link(self.keys, token, seal) or "")
        if payment is None:
            abort(404, "This payment link is not one of ours.")
        in_app = request.args.get("via") == IN_APP
        if payment.decided_ms is None:
            return self._open(payment, in_app)
        return self._decided(payment, in_app)

    def _open(self, payment: book.Payment, in_app: bool) -> Response:
        page = render_template(
            "momo/pay.html",
            payment=payment,
            switches=ipn.SWITCHES,
            late_choices=LATE_CHOICES,
            in_app=in_app,
        )
        return pages.leading_out(page)

    def _decided(self, payment: book.Payment, in_app: bool) -> Response:
        log = self._log(payment)
        page = render_template(
            "momo/decided.html",
            payment=payment,
            message=wire.message(payment.result_code, "en"),
            refunds=self.book.refunds(payment.order_id),
            log=log,
            shop_url=ipn.redirect_url(self.keys, payment),
            in_app=in_app,
        )
        sending = any(sent.state == "waiting" for sent in log)
        return pages.refreshing(page, SENDING_SECONDS if sending else None)

    def _log(self, payment: book.Payment) -> list[Sent]:
        return self.phone.courier.log(wire.KEY, payment.order_id)


class Payments:
    """One simulated payment, for forms and for scripts."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def show(self, order_id: str) -> ResponseReturnValue:
        return told(self.phone, self._known(order_id))

    def decide(self, order_id: str) -> ResponseReturnValue:
        found = self._known(order_id)
        try:
            asked = decision_asked()
            choice = str(asked.get("result"))
            switches = read_switches(asked)
            if choice not in RESULTS and choice != LEAVE:
                raise ValueError("result: pay, decline or leave")
        except ValueError as error:
            abort(400, str(error))
        in_app = asked.get("via") == IN_APP
        try:
            if choice == LEAVE:
                decision = self.phone.leave(found)
            else:
                decision = self.phone.decide(found, choice, in_app, switches)
        except AlreadyDecided:
            return self._too_late(self._known(order_id), choice, in_app)
        return told_decision(decision) if pages.wants_json() else self._follow(decision, in_app)

    def resend(self, order_id: str) -> ResponseReturnValue:
        found = self._known(order_id)
        if found.decided_ms is None:
            abort(409, "Nothing is decided yet, so there is nothing to send again.")
        decision = self.phone.resend(found)
        if pages.wants_json():
            return told_decision(decision)
        if request.form.get("back") == "list":
            return redirect(url_for("momo.latest"), 303)
        return redirect(own_page(self.phone, found, in_app=True), 303)

    def _known(self, order_id: str) -> book.Payment:
        return self.phone.gateway.book.payment(order_id) or abort(404, "No such payment.")

    def _too_late(self, found: book.Payment, choice: str, in_app: bool) -> ResponseReturnValue:
        """A second click goes where the first one went; scripts are told."""
        decision = Decision(found, 0)
        if pages.wants_json():
            return {**told_decision(decision), "error": "already decided"}, 409
        if RESULTS.get(choice) == found.result_code:
            return self._follow(decision, in_app)
        return redirect(own_page(self.phone, found, in_app), 303)

    def _follow(self, decision: Decision, in_app: bool) -> Response:
        """The hosted page leads back to the shop; in the app one stays in the app."""
        if not in_app:
            url = ipn.redirect_url(self.phone.gateway.keys, decision.payment)
            return redirect(url, 303)
        if decision.payment.decided_ms is None:
            return redirect(url_for("momo.latest"), 303)
        return redirect(own_page(self.phone, decision.payment, in_app), 303)


def own_page(phone: Phone, payment: book.Payment, in_app: bool) -> str:
    """The pay page by the way that this request came, not by the public address."""
    keys = phone.gateway.keys
    token = wire.pay_token(keys, payment.order_id)
    seal = wire.pay_seal(keys.secrets[0], token)
    return url_for("momo.pay", t=token, s=seal, via=IN_APP if in_app else None)


def told_decision(decision: Decision) -> dict[str, Any]:
    return {
        "resultCode": decision.payment.result_code,
        "transId": decision.payment.trans_id,
        "ipns": decision.sent,
    }


def decision_asked() -> Mapping[str, Any]:
    """The form, or the JSON object that was sent in its place. ValueError: neither."""
    if not request.is_json:
        return request.form
    try:
        return read_json(request.get_data())
    except Refused as refusal:
        raise ValueError(refusal.detail) from refusal
