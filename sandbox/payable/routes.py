"""PAYable's addresses: the API under /payable/ipg, the hosted page, the list of payments."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from .. import pages
from ..courier import Sent
from ..pages import Kit
from ..switches import LATE_CHOICES, Switches, read_switches
from . import book, cards, check, told, wire
from .check import Refused
from .desk import DECLINE, LEAVE, PAY, STATES, AlreadyDecided, Decision, Desk, described
from .gateway import Answer, Gateway

MOST_LISTED = 30
LIST_SECONDS = 3
SENDING_SECONDS = 2
DEFAULT_EXPIRY = "12/30"


def blueprint(kit: Kit, keys: wire.PayableKeys) -> Blueprint:
    gateway = Gateway(keys, kit)
    screens, payments = Screens(Desk(gateway)), Payments(Desk(gateway))
    paths = Blueprint("payable", __name__, url_prefix="/payable")
    for address, name, call in (
        ("/ipg/<any(sandbox, pro):environment>", "init", gateway.init),
        ("/ipg/<any(sandbox, pro):environment>/check-status", "check_status", _status(gateway)),
        ("/ipg/v2/tokenize/listCard", "list_card", gateway.list_cards),
        ("/ipg/v2/tokenize/deleteCard", "delete_card", gateway.delete_card),
        ("/ipg/v2/tokenize/editCard", "edit_card", _with_header(gateway.edit_card)),
        ("/ipg/v2/auth/tokenize", "authenticate", _with_header(gateway.authenticate)),
        ("/ipg/v2/tokenize/pay", "charge", _with_header(gateway.pay)),
    ):
        paths.post(address, endpoint=name)(api_view(call))
    paths.get("/ipg/<any(sandbox, pro):environment>/")(screens.page)
    paths.get("/ipg/<any(sandbox, pro):environment>/status-view")(screens.page)
    paths.get("/")(screens.latest)
    paths.post("/pages/<uid>")(screens.typed)
    paths.get("/payments/<invoice_id>")(payments.show)
    paths.post("/payments/<invoice_id>/decide")(payments.decide)
    paths.post("/payments/<invoice_id>/resend")(payments.resend)
    paths.post("/cards/<token_id>/next")(payments.plan)
    return paths


def api_view(call: Callable[..., Answer]) -> Callable[..., ResponseReturnValue]:
    def view(**path: str) -> ResponseReturnValue:
        try:
            answer = call(*path.values(), request.get_data())
        except RequestEntityTooLarge:
            return {"status": 400, "error": "the body is too large"}, 400
        except Refused as refusal:
            return refusal.body, refusal.http_status
        return answer.body, answer.http_status

    return view


def _status(gateway: Gateway) -> Callable[[str, bytes], Answer]:
    return lambda _environment, raw: gateway.check_status(raw)


def _with_header(call: Callable[[bytes, str], Answer]) -> Callable[[bytes], Answer]:
    return lambda raw: call(raw, request.headers.get("Authorization", ""))


class Screens:
    """What a person sees."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.book = desk.gateway.book

    def latest(self) -> ResponseReturnValue:
        """The list; `?still=1` stops its refreshing."""
        still = "still" in request.args
        listed = [(one, own_page(one), self._log(one)) for one in self.book.latest(MOST_LISTED)]
        page = render_template(
            "payable/latest.html",
            listed=listed,
            kept=[(card, _planned(card)) for card in self.book.all_cards(MOST_LISTED)],
            switches=told.SWITCHES,
            still=still,
        )
        return pages.refreshing(page, None if still else LIST_SECONDS)

    def page(self, environment: str) -> ResponseReturnValue:
        """The hosted page, and the state of a payment that has ended."""
        payment = self.book.payment_of_page(request.args.get("uid", ""))
        if payment is None or payment.environment != environment:
            abort(404, "This payment page is not one of ours.")
        return self._open(payment) if payment.decided_ms is None else self._decided(payment)

    def typed(self, uid: str) -> ResponseReturnValue:
        """The card form was sent. Only test cards are read; nothing of another number is kept."""
        payment = self.book.payment_of_page(uid) or abort(404, "No such payment.")
        if request.form.get("result") == LEAVE:
            return self._follow(lambda: self.desk.leave(payment), payment)
        try:
            switches = read_switches(request.form)
        except ValueError as error:
            abort(400, str(error))
        # After the bank's step the card comes by its name, so that its number travels once.
        named = cards.CARDS.get(request.form.get("card", ""))
        card = named or cards.card_of(request.form.get("number", ""))
        exp = cards.expiry_of(request.form.get("expiry", ""))
        if card is None or exp is None:
            words = "The expiry is MM/YY." if card else "This is none of the test cards below."
            return self._open(payment, words), 422
        if card.now == cards.CHALLENGE and named is None:
            return self._bank(payment, card, exp, switches)
        refused = card.now == DECLINE or request.form.get("result") == DECLINE
        choice = DECLINE if refused else PAY
        return self._follow(lambda: self.desk.decide(payment, choice, card, exp, switches), payment)

    def _follow(self, deed: Callable[[], Decision], payment: book.Payment) -> Response:
        """A second click goes where the first one went."""
        with suppress(AlreadyDecided):
            payment = deed().payment
        return redirect(told.return_url(payment), 303)

    def _open(self, payment: book.Payment, error: str | None = None) -> Response:
        page = render_template(
            "payable/pay.html",
            payment=payment,
            cards=list(cards.CARDS.values()),
            expiry=DEFAULT_EXPIRY,
            switches=told.SWITCHES,
            late_choices=LATE_CHOICES,
            error=error,
        )
        return pages.leading_out(page)

    def _bank(
        self, payment: book.Payment, card: cards.TrialCard, exp: str, switches: Switches
    ) -> Response:
        page = render_template(
            "payable/bank.html", payment=payment, card=card, exp=exp, chosen=asdict(switches)
        )
        return pages.leading_out(page)

    def _decided(self, payment: book.Payment) -> Response:
        log = self._log(payment)
        page = render_template(
            "payable/decided.html",
            payment=payment,
            log=log,
            shop_url=told.return_url(payment) if payment.return_url else None,
        )
        sending = any(sent.state == "waiting" for sent in log)
        return pages.refreshing(page, SENDING_SECONDS if sending else None)

    def _log(self, payment: book.Payment) -> list[Sent]:
        return self.desk.courier.log(wire.KEY, payment.invoice_id)


class Payments:
    """One simulated payment, for forms and for scripts."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.book = desk.gateway.book

    def show(self, invoice_id: str) -> ResponseReturnValue:
        return described(self.desk, self._known(invoice_id))

    def decide(self, invoice_id: str) -> ResponseReturnValue:
        """JSON: `{result: pay|decline|leave, card?: a test card's name, and the switches}`."""
        payment = self._known(invoice_id)
        try:
            asked = _asked()
            choice, switches = str(asked.get("result")), read_switches(asked)
            card = cards.CARDS.get(str(asked.get("card") or "visa"))
            if choice not in {*STATES, LEAVE} or card is None:
                raise ValueError("result: pay, decline or leave; card: a test card's name")
        except ValueError as error:
            abort(400, str(error))
        try:
            if choice == LEAVE:
                decision = self.desk.leave(payment)
            else:
                decision = self.desk.decide(payment, choice, card, DEFAULT_EXPIRY, switches)
        except AlreadyDecided:
            return {**_told(Decision(self._known(invoice_id), 0)), "error": "already decided"}, 409
        return _told(decision)

    def resend(self, invoice_id: str) -> ResponseReturnValue:
        payment = self._known(invoice_id)
        if payment.decided_ms is None:
            abort(409, "Nothing is decided yet, so there is nothing to send again.")
        decision = self.desk.resend(payment)
        if pages.wants_json():
            return _told(decision)
        return redirect(url_for("payable.latest"), 303)

    def plan(self, token_id: str) -> ResponseReturnValue:
        """How the next charge of a kept card is told: the switches, once."""
        card = self.book.card(token_id) or abort(404, "No such card.")
        try:
            switches = read_switches(_asked())
        except ValueError as error:
            abort(400, str(error))
        chosen = None if switches == Switches() else json.dumps(asdict(switches))
        with self.book.store.transaction() as db:
            book.plan(db, card.token_id, chosen)
        if pages.wants_json():
            return {"tokenId": card.token_id, "next": asdict(switches)}
        return redirect(url_for("payable.latest"), 303)

    def _known(self, invoice_id: str) -> book.Payment:
        return self.book.payment(invoice_id) or abort(404, "No such payment.")


def own_page(payment: book.Payment) -> str:
    """The hosted page by the way that this request came, not by the public address."""
    return url_for("payable.page", environment=payment.environment, uid=payment.uid)


def _planned(card: book.Card) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(card.next_switches or "{}")
    return found


def _told(decision: Decision) -> dict[str, Any]:
    return {
        "state": decision.payment.state,
        "transactionId": decision.payment.transaction_id,
        "webhooks": decision.sent,
    }


def _asked() -> Mapping[str, Any]:
    """The form, or the JSON object that was sent in its place. ValueError: neither."""
    if not request.is_json:
        return request.form
    try:
        return check.read_json(request.get_data())
    except Refused as refusal:
        raise ValueError("a JSON object") from refusal
