"""Saved cards on the checkout: one tap to pay, one to remove."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.cards import Card
from payments.domain.errors import NotFound
from payments.domain.order import Order
from payments.front.request import house, identity
from payments.services import cards
from payments.services.access import order_for
from payments.web.blueprint import web


def card_choices(order: Order, provider: str) -> dict[str, Any]:
    """`{may_keep, cards}`: what this reader may do with cards on this way to pay."""
    rails, who = house().rails, identity()
    return {
        "may_keep": cards.may_keep(rails, who, order, provider),
        "cards": [card_view(card) for card in cards.for_page(rails, who, provider)],
    }


def chosen_card() -> dict[str, Any]:
    """What the form says of cards; a tick beside a way that keeps none means nothing."""
    keeps = request.form.get("provider") in house().rails.keeping_cards()
    return {
        "save_card": keeps and "save_card" in request.form,
        "token_id": request.form.get("token_id", "")[:128] or None,
    }


def card_view(card: Card) -> dict[str, str]:
    """Without the row of stars or crosses: only the digits that a person knows a card by."""
    last = card.masked_number[-4:]
    return {
        "token_id": card.token_id,
        "scheme": card.nickname or card.scheme.capitalize(),
        "nickname": card.nickname,
        "last": last if last.isdigit() else card.masked_number,
        "expiry": card.expiry,
    }


@web.post("/checkout/<order_id>/cards/remove")
def remove_card(order_id: str) -> BaseResponse:
    order = order_for(identity(), order_id)
    # Not found: it is gone, as was wished.
    with suppress(NotFound):
        cards.remove(house().rails, identity(), request.form.get("token_id", ""))
    return redirect(url_for("web.checkout", order_id=order.id), 303)
