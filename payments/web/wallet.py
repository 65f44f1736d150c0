"""The wallet's page: balances that flip, top up, withdraw, saved cards."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import (
    Forbidden,
    NotFound,
    PaychimeError,
    ProviderRefused,
    ProviderUnavailable,
    Unauthenticated,
)
from payments.domain.money import from_major
from payments.domain.ports import Payer
from payments.front.request import house, identity, locale, return_url
from payments.front.words import refusal_words
from payments.services import cards
from payments.services.access import person_of
from payments.services.wallets import deposits, withdrawals
from payments.web.blueprint import web
from payments.web.once import fresh, once
from payments.web.wallet_forms import BESIDE, destination, top_up_parts, withdraw_parts
from payments.web.wallet_parts import live_parts

Page = BaseResponse | str | tuple[str, int]

TOP_UP, WITHDRAW, NAME_CARD = "top-up", "withdraw", "name-card"


@web.get("/wallet")
def wallet() -> Page:
    if identity().user is None:
        return redirect(url_for("web.login", next=request.full_path.rstrip("?")))
    return _page(request.args.get("do"), request.args.get("currency"))


@web.get("/wallet/fragment")
def wallet_fragment() -> str:
    return render_template("parts/wallet.html", **_parts(None, request.args.get("currency")))


@web.post("/wallet/top-up")
def top_up() -> Page:
    person_of(identity())

    def deed() -> str:
        try:
            payment = deposits.deposit(
                house().settings,
                house().rails,
                identity(),
                from_major(_field("amount"), _field("currency")),
                _field("provider"),
                Payer(phone=_field("phone") or None),
                description=_("Top-up"),
                page=return_url,
                locale=locale(),
            )
        except (ProviderRefused, ProviderUnavailable) as refusal:
            # It waits on its page, which says why, for another way to pay.
            return url_for("web.checkout", order_id=refusal.facts["order_id"])
        return url_for("web.checkout", order_id=payment.order_id)

    return _do(TOP_UP, deed)


@web.post("/wallet/withdraw")
def withdraw() -> Page:
    person_of(identity())

    def deed() -> str:
        currency = _field("currency")
        beside = {name: _field(f"to-{name}") for name in BESIDE}
        withdrawals.withdraw(
            house().settings,
            house().rails,
            identity(),
            from_major(_field("amount"), currency),
            destination(
                currency,
                _field("destination"),
                {name: text for name, text in beside.items() if text},
            ),
            request.form.get("password") or None,
            offload=house().offload,
        )
        return url_for("web.wallet")

    return _do(WITHDRAW, deed)


@web.post("/wallet/cards/name")
def name_card() -> Page:
    person_of(identity())

    def deed() -> str:
        cards.rename(house().rails, identity(), _field("token_id"), _field("nickname"))
        return url_for("web.wallet", _anchor="cards")

    return _do(NAME_CARD, deed)


@web.post("/wallet/cards/remove")
def forget_card() -> Page:
    try:
        # Not found: it is gone, as was wished.
        with suppress(NotFound):
            cards.remove(house().rails, identity(), request.form.get("token_id", ""))
    except (ProviderRefused, ProviderUnavailable) as refusal:
        return _page(None, None, {"cards": refusal_words(refusal)}), 422
    return redirect(url_for("web.wallet"), 303)


def _do(form: str, deed: Any) -> Page:
    """Does it once; what was wrong stands beside its field, with what was typed."""
    try:
        return redirect(once(deed, meanwhile=url_for("web.wallet")), 303)
    except (Forbidden, Unauthenticated):
        raise
    except PaychimeError as refusal:
        errors = {refusal.field or "form": refusal_words(refusal)}
        return _page(form, _field("currency"), errors), 422


def _page(doing: str | None, currency: str | None, errors: dict[str, str] | None = None) -> str:
    return render_template("wallet/page.html", **_parts(doing, currency, errors))


def _parts(
    doing: str | None, currency: str | None, errors: dict[str, str] | None = None
) -> dict[str, Any]:
    """`doing`: the form that the reader is filling in."""
    live = live_parts()
    held = [one["currency"] for one in live["balances"] if one["amount"]]
    token = request.values.get("token_id")
    named = next((one for one in live["cards"] if one["token_id"] == token), None)
    return {
        **live,
        "into": top_up_parts(held, currency),
        "out": withdraw_parts(held, currency),
        "currency": currency,
        "naming": named if doing == NAME_CARD else None,
        "doing": doing if doing in {TOP_UP, WITHDRAW} or (doing == NAME_CARD and named) else None,
        "errors": errors or {},
        # What was typed stays, but for a password.
        "given": request.form if errors else {},
        "once": fresh(),
    }


def _field(name: str) -> str:
    return request.form.get(name, "").strip()
