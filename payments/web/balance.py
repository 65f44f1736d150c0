"""Pay from the balance, on the checkout: whole, or a part and the rest another way."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import request, url_for

from payments.domain.errors import Conflict, InvalidAmount
from payments.domain.order import WALLET, Order
from payments.domain.ports import Payer
from payments.front.request import house, identity, locale, return_url
from payments.services import checkout as use
from payments.store import wallets
from payments.web.once import fresh, once


def balance_for(order: Order) -> dict[str, Any] | None:
    """`{holds, pays, whole, once}` in minor units: what this reader's own balance can do here.

    None for whoever has none, on a top-up, and for staff at a customer's order.
    """
    who = identity()
    if who.user is None or order.deposit or not order.amount_due:
        return None
    if who.staff and order.customer_id != who.user.id:
        return None
    holds = wallets.balance(who.user.id, order.currency)
    if not holds:
        return None
    pays = min(holds, order.amount_due)
    return {"holds": holds, "pays": pays, "whole": pays == order.amount_due, "once": fresh()}


def pay_from_balance(order: Order) -> str:
    """Pays exactly what the button said, whatever balance and order have become meanwhile.

    The address to go on to. Raises InvalidInput with nothing moved.
    """
    here = url_for("web.checkout", order_id=order.id)
    amount = _amount()

    def deed() -> str:
        # It has ended meanwhile: the page says how.
        with suppress(Conflict):
            use.start_payment(
                *(house().rails, identity(), order.id, WALLET, Payer()),
                *(return_url(order.id), locale()),
                amount=amount,
            )
        return here

    return once(deed, meanwhile=here)


def _amount() -> int | None:
    """Minor units; None for all that is due."""
    text = request.form.get("amount", "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidAmount("The amount is a whole number of minor units.", field="amount")
    return int(text) if text else None
