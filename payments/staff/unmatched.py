"""Money without a home: what waits, whose it may be and why, and what staff do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import InvalidInput
from payments.domain.snapshot import iso
from payments.front.problems import status_of
from payments.front.request import identity
from payments.front.words import parked_words, rail_words, refusal_words
from payments.services import unmatched
from payments.services.access import demand
from payments.staff.blueprint import staff
from payments.store import bank_lines
from payments.store.bank_lines import BankLine

LISTED = 20

SIGNS = {
    "memo": _l("the text holds a part of its transfer note"),
    "order": _l("the text names the order"),
    "amount": _l("the same amount"),
    "name": _l("the customer's name"),
    "time": _l("made less than an hour before"),
}
"""Why an order is shown as a candidate."""


@staff.get("/unmatched")
def unmatched_money() -> str:
    demand(identity(), "order.see")
    return _page()


@staff.post("/unmatched/<int(max=9223372036854775807):entry_id>/assign")
def assign_money(entry_id: int) -> BaseResponse | tuple[str, int]:
    try:
        payment = unmatched.assign(
            identity(), entry_id, _field("other") or _field("order_id"), _field("reason")
        )
    except InvalidInput as refusal:
        return _page({entry_id: ("assign", refusal)}), status_of(refusal)
    return redirect(url_for("staff.order", order_id=payment.order_id), 303)


@staff.post("/unmatched/<int(max=9223372036854775807):entry_id>/return")
def return_money(entry_id: int) -> BaseResponse | tuple[str, int]:
    try:
        unmatched.give_back(identity(), entry_id, _field("reason"), _field("evidence"))
    except InvalidInput as refusal:
        return _page({entry_id: ("return", refusal)}), status_of(refusal)
    return redirect(url_for("staff.unmatched_money"), 303)


def _field(name: str) -> str:
    return request.form.get(name, "").strip()


def _page(wrong: Mapping[int, tuple[str, InvalidInput]] | None = None) -> str:
    """`wrong`: the line and the form in which something cannot be right."""
    return render_template(
        "staff/unmatched.html",
        lines=[_line(one, (wrong or {}).get(one.id)) for one in bank_lines.waiting(LISTED)],
        count=bank_lines.count_waiting(),
    )


def _line(line: BankLine, wrong: tuple[str, InvalidInput] | None) -> dict[str, Any]:
    form, refusal = wrong or (None, None)
    return {
        "id": line.id,
        "provider": rail_words(line.provider),
        "event_id": line.event_id,
        "received_at": iso(line.received_at),
        "amount": line.amount,
        "currency": line.currency,
        "number": line.number,
        "text": line.text,
        "reason": parked_words(line.reason),
        "named": line.order_id,
        "candidates": [
            {
                "id": one.order.id,
                "status": one.order.status.value,
                "description": one.order.description,
                "amount_due": one.order.amount - one.order.amount_paid,
                "currency": one.order.currency,
                "created_at": iso(one.order.created_at),
                "signs": [str(SIGNS[sign]) for sign in one.signs],
            }
            for one in unmatched.candidates_of(line)
        ],
        "wrong": form,
        "error": refusal_words(refusal) if refusal else None,
        "field": refusal.field if refusal else None,
        "typed": dict(request.form) if form else {},
    }
