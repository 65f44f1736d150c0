"""What a person sees: the bank's app, and Pay2S's page of an order."""

import secrets
from io import BytesIO

import segno
from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from .. import pages
from ..courier import Sent
from ..switches import LATE_CHOICES
from . import noise, qr
from .app import GATEWAY, SWITCHES, BankApp
from .book import Link, Payment
from .gateway import PAID, WAITING, Gateway

MOST_LISTED = 30
LIST_SECONDS = 3
SENDING_SECONDS = 2


class Screens:
    """The bank's app."""

    def __init__(self, app: BankApp) -> None:
        self.app = app

    def home(self) -> ResponseReturnValue:
        """The latest payments; `?still=1` stops the refreshing."""
        still = "still" in request.args
        listed = [(one, self.log(one)) for one in self.app.book.latest(MOST_LISTED)]
        page = render_template("bank/home.html", listed=listed, still=still)
        return pages.refreshing(page, None if still else LIST_SECONDS)

    def pay(self) -> ResponseReturnValue:
        """`?qr=` is the text of the code, as the camera would read it; without it one may type."""
        text = request.args.get("qr")
        if text is None:
            return render_template("bank/scan.html", text="")
        try:
            scanned = qr.scan(text)
        except qr.Unreadable as error:
            return render_template("bank/scan.html", text=text, words=str(error)), 400
        return render_template(
            "bank/pay.html",
            text=text.strip(),
            scanned=scanned,
            noises=noise.NOISES,
            tellers=self.app.tellers,
            chosen=request.args.get("feed"),
            switches=SWITCHES,
            late_choices=LATE_CHOICES,
            mark=secrets.token_hex(12),
        )

    def payment(self, payment: Payment) -> Response:
        log = self.log(payment)
        page = render_template(
            "bank/payment.html",
            payment=payment,
            bank=qr.BANKS.get(payment.bin, (payment.bin, payment.bin))[1],
            lines=self.app.book.lines(payment.id),
            teller=self.app.tellers.get(payment.feed, payment.feed),
            log=log,
            link=self._link(payment),
        )
        sending = any(sent.state == "waiting" for sent in log)
        return pages.refreshing(page, SENDING_SECONDS if sending else None)

    def log(self, payment: Payment) -> list[Sent]:
        return self.app.courier.log(payment.feed, str(payment.id))

    def _link(self, payment: Payment) -> Link | None:
        """The order at Pay2S that this paid: its page leads back to the shop."""
        if payment.feed != GATEWAY:
            return None
        return self.app.book.link_in(payment.account, payment.memo)


class Checkout:
    """Pay2S's page of an order."""

    def __init__(self, app: BankApp, gateway: Gateway) -> None:
        self.app = app
        self.gateway = gateway

    def page(self, token: str) -> ResponseReturnValue:
        link = self._known(token)
        page = render_template(
            "bank/checkout.html",
            link=link,
            bank=qr.BANKS[link.bin][1],
            waiting=link.result_code == WAITING,
            paid=link.result_code == PAID,
            pay_url=url_for("bank.pay", qr=self._code(link), feed=GATEWAY),
            shop_url=self.gateway.redirect_url(link),
        )
        answer = pages.leading_out(page)
        if link.result_code == WAITING:
            answer.headers["Refresh"] = str(LIST_SECONDS)
        return answer

    def code(self, token: str) -> ResponseReturnValue:
        out = BytesIO()
        code = segno.make(self._code(self._known(token)), error="m", micro=False)
        code.save(out, kind="svg", scale=6, border=4, dark="#000", light="#fff")
        return Response(out.getvalue(), content_type="image/svg+xml")

    def cancel(self, token: str) -> ResponseReturnValue:
        link = self._known(token)
        self.app.cancel(link)
        return redirect(self.gateway.redirect_url(self._known(token)), 303)

    def _known(self, token: str) -> Link:
        return self.app.book.link_of_token(token) or abort(404, "No such order at Pay2S.")

    def _code(self, link: Link) -> str:
        return qr.write(link.bin, link.account, link.amount, link.order_info)
