"""CamPay's addresses: the API under /campay/api, and the payers' phones."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .. import pages
from ..courier import Sent
from ..pages import Kit
from ..switches import LATE_CHOICES, read_switches
from . import book, notices, wire
from .book import Transaction
from .gateway import CALLS, Answer, Gateway, Refused
from .phone import RESULTS, AlreadyDecided, Decision, Phone

MOST_LISTED = 30
LIST_SECONDS = 3
SENDING_SECONDS = 2


def blueprint(kit: Kit, keys: wire.CampayKeys) -> Blueprint:
    gateway = Gateway(keys, book.Book(kit.store), kit.courier, kit.chance, kit.knobs)
    phone = Phone(gateway)
    screens, transactions = Screens(phone), Transactions(phone)
    paths = Blueprint(wire.KEY, __name__, url_prefix="/campay")
    paths.add_app_template_filter(francs)
    paths.add_app_template_filter(at_home)
    paths.post("/api/token/", endpoint="token")(answering(lambda: gateway.sign_in(asked_json())))
    for call in CALLS:
        paths.post(f"/api/{call}/", endpoint=call)(guarded(gateway, call_of(gateway, call)))
    paths.get("/api/balance/", endpoint="balance")(guarded(gateway, gateway.balance))
    # CamPay's own client leaves the slash at the end away.
    one = "/api/transaction/<reference>"
    paths.get(f"{one}/", endpoint="transaction")(guarded(gateway, gateway.transaction))
    paths.get(one, endpoint="transaction_too")(guarded(gateway, gateway.transaction))
    paths.get("/")(screens.latest)
    paths.get("/prompts/<reference>")(screens.prompt)
    paths.get("/transactions/<reference>")(transactions.show)
    paths.post("/transactions/<reference>/decide")(transactions.decide)
    paths.post("/transactions/<reference>/resend")(transactions.resend)
    return paths


def francs(amount: int) -> str:
    """XAF has no minor unit in use."""
    return f"{amount:,} FCFA"


def at_home(number: str) -> str:
    home = number.removeprefix("237")
    return " ".join((home[0], home[1:3], home[3:5], home[5:7], home[7:]))


def asked_json() -> dict[str, Any]:
    """Raises Refused where the body is no JSON object."""
    try:
        asked = json.loads(request.get_data())
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise Refused(400, "", "The body is no JSON object.")
    return asked


def call_of(gateway: Gateway, call: str) -> Callable[[], Answer]:
    return lambda: CALLS[call](gateway, asked_json())


def answering(work: Callable[..., Answer]) -> Callable[..., ResponseReturnValue]:
    def view(**path: str) -> ResponseReturnValue:
        try:
            answer = work(**path)
        except Refused as refusal:
            answer = refusal.answer
        return answer.body, answer.http_status

    return view


def guarded(gateway: Gateway, work: Callable[..., Answer]) -> Callable[..., ResponseReturnValue]:
    def admitted(**path: str) -> Answer:
        gateway.admit(request.headers.get("Authorization", ""))
        return work(**path)

    return answering(admitted)


class Screens:
    """What a person sees."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def latest(self) -> ResponseReturnValue:
        """The list; `?still=1` stops its refreshing."""
        still = "still" in request.args
        listed = [(one, self._log(one)) for one in self.phone.book.latest(MOST_LISTED)]
        page = render_template("campay/latest.html", listed=listed, still=still)
        return pages.refreshing(page, None if still else LIST_SECONDS)

    def prompt(self, reference: str) -> ResponseReturnValue:
        one = known(self.phone, reference)
        if one.state == book.PENDING and one.endpoint == "collect":
            return render_template(
                "campay/prompt.html",
                one=one,
                app=self.phone.gateway.keys.app,
                switches=notices.SWITCHES,
                late_choices=LATE_CHOICES,
            )
        log = self._log(one)
        sending = any(sent.state == "waiting" for sent in log)
        page = render_template("campay/ended.html", one=one, log=log)
        return pages.refreshing(page, SENDING_SECONDS if sending else None)

    def _log(self, one: Transaction) -> list[Sent]:
        return self.phone.gateway.courier.log(wire.KEY, one.reference)


class Transactions:
    """One simulated transaction, for forms and for scripts."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone

    def show(self, reference: str) -> ResponseReturnValue:
        return self.phone.told(known(self.phone, reference))

    def decide(self, reference: str) -> ResponseReturnValue:
        one = known(self.phone, reference)
        try:
            asked = decision_asked()
            choice = str(asked.get("result"))
            switches, own = read_switches(asked), notices.read_own(asked)
            if choice not in RESULTS:
                raise ValueError(f"result: one of {', '.join(RESULTS)}")
        except ValueError as error:
            abort(400, str(error))
        try:
            decision = self.phone.decide(one, choice, switches, own)
        except AlreadyDecided:
            decided = Decision(known(self.phone, reference), 0)
            if pages.wants_json():
                return {**told_decision(decided), "error": "already decided"}, 409
            return redirect(url_for("campay.prompt", reference=reference), 303)
        if pages.wants_json():
            return told_decision(decision)
        return redirect(url_for("campay.prompt", reference=reference), 303)

    def resend(self, reference: str) -> ResponseReturnValue:
        one = known(self.phone, reference)
        if one.state == book.PENDING:
            abort(409, "Nothing is decided yet, so there is nothing to send again.")
        decision = self.phone.resend(one)
        if pages.wants_json():
            return told_decision(decision)
        if request.form.get("back") == "list":
            return redirect(url_for("campay.latest"), 303)
        return redirect(url_for("campay.prompt", reference=reference), 303)


def known(phone: Phone, reference: str) -> Transaction:
    return phone.book.find(reference) or abort(404, "No such transaction.")


def told_decision(decision: Decision) -> dict[str, Any]:
    one = decision.transaction
    return {"status": one.state, "reference": one.reference, "callbacks": decision.sent}


def decision_asked() -> Mapping[str, Any]:
    """The form, or the JSON object that was sent in its place. ValueError: neither."""
    if not request.is_json:
        return request.form
    try:
        return asked_json()
    except Refused as refusal:
        raise ValueError("the body is no JSON object") from refusal
