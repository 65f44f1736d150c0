"""The payer's UPI app. Nothing is told to the shop: the payer reads the UTR off it."""

import time
from dataclasses import asdict, dataclass

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from .. import pages
from ..pages import Kit
from ..store import Store
from .link import Asked, read_link, rupees_shown
from .utr import new_utr

KEY = "upi"
MOST_LISTED = 30

SCHEMA = """
CREATE TABLE IF NOT EXISTS upi_payments (
    utr TEXT PRIMARY KEY, vpa TEXT NOT NULL, payee TEXT NOT NULL, reference TEXT NOT NULL,
    note TEXT NOT NULL, paise INTEGER NOT NULL CHECK (paise > 0), created_ms INTEGER NOT NULL
);
"""


@dataclass(frozen=True)
class UpiKeys:
    """`vpa`: the merchant's address, the only one of its bank that exists here."""

    vpa: str


@dataclass(frozen=True)
class Payment:
    utr: str
    vpa: str
    payee: str
    reference: str
    note: str
    paise: int
    created_ms: int


def blueprint(kit: Kit, keys: UpiKeys) -> Blueprint:
    app = App(kit, keys)
    paths = Blueprint(KEY, __name__, url_prefix="/upi")
    paths.add_app_template_filter(rupees_shown, "rupees")
    paths.get("/")(app.latest)
    paths.get("/pay")(app.open)
    paths.post("/pay")(app.pay)
    paths.get("/payments/<utr>")(app.show)
    return paths


class App:
    def __init__(self, kit: Kit, keys: UpiKeys) -> None:
        self.kit = kit
        self.keys = keys
        self.store: Store = kit.store
        self.store.define(SCHEMA)

    def latest(self) -> str:
        rows = self.store.rows(
            "SELECT * FROM upi_payments ORDER BY rowid DESC LIMIT ?", MOST_LISTED
        )
        return render_template("upi/latest.html", listed=[Payment(**row) for row in rows])

    def open(self) -> ResponseReturnValue:
        """What the camera has read, or another app has handed over."""
        link = request.args.get("link", "")
        asked = self._read(link)
        if asked.vpa == self.keys.vpa:
            return render_template("upi/pay.html", asked=asked, link=link)
        if "razorpay.scan" in current_app.view_functions:
            return redirect(url_for("razorpay.scan", link=link))
        return abort(404, f"There is no UPI address {asked.vpa}.")

    def pay(self) -> ResponseReturnValue:
        """Form or JSON with `link`; JSON for who wants it: `{utr, ...}`."""
        said = request.get_json() if request.is_json else request.form
        asked = self._read(str(said.get("link", "")) if hasattr(said, "get") else "")
        if asked.vpa != self.keys.vpa:
            abort(404, f"There is no UPI address {asked.vpa}.")
        if asked.paise is None:
            abort(400, "The payer would have to type the amount, which is not pretended here.")
        payment = self._paid(asked, asked.paise)
        if pages.wants_json():
            return asdict(payment)
        return redirect(url_for("upi.show", utr=payment.utr), 303)

    def show(self, utr: str) -> ResponseReturnValue:
        rows = self.store.rows("SELECT * FROM upi_payments WHERE utr = ?", utr)
        if not rows:
            abort(404, "There is no such payment.")
        return render_template("upi/paid.html", payment=Payment(**rows[0]))

    def _read(self, link: str) -> Asked:
        try:
            return read_link(link)
        except ValueError as error:
            abort(400, str(error))

    def _paid(self, asked: Asked, paise: int) -> Payment:
        with self.store.transaction() as db:
            (made,) = self.store.rows("SELECT count(*) FROM upi_payments")
            number = int(made[0])
            while True:
                utr = new_utr(self.kit.chance, f"{number}")
                if not self.store.rows("SELECT 1 FROM upi_payments WHERE utr = ?", utr):
                    break
                number += 1
            payment = Payment(
                *(utr, asked.vpa, asked.payee, asked.reference, asked.note),
                *(paise, time.time_ns() // 1_000_000),
            )
            db.execute(
                "INSERT INTO upi_payments VALUES (?, ?, ?, ?, ?, ?, ?)",
                tuple(asdict(payment).values()),
            )
        return payment
