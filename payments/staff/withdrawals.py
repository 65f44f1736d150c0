"""Withdrawals that wait: for staff, who send them, or for a provider that has not said its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import Conflict, InvalidInput, PaychimeError
from payments.domain.snapshot import iso
from payments.domain.withdrawals import Withdrawal
from payments.front.problems import status_of
from payments.front.request import house, identity
from payments.front.words import refusal_words
from payments.services.access import demand
from payments.services.wallets import withdrawals as use
from payments.staff.blueprint import staff
from payments.store import people, withdrawals

LISTED = 50

PARTS = {
    "phone": _l("Phone number"),
    "account": _l("Account number"),
    "vpa": _l("UPI address"),
    "bank": _l("Bank"),
    "bank_bin": _l("Number of the bank (BIN)"),
    "branch": _l("Branch"),
    "ifsc": _l("IFSC of the bank"),
    "name": _l("Account holder"),
}
"""The parts of a destination, in the order in which one types them into a bank's form."""

SETTLE, FAIL = "settle", "fail"

Wrong = Mapping[str, tuple[str, PaychimeError]]
"""By withdrawal: the form in which something cannot be right."""


@staff.get("/withdrawals", endpoint="withdrawals")
def waiting() -> str:
    demand(identity(), use.SEE)
    return _page({})


@staff.post("/withdrawals/<withdrawal_id>/settle")
def settle_withdrawal(withdrawal_id: str) -> BaseResponse | tuple[str, int]:
    evidence = request.form.get("evidence", "")
    return _do(
        withdrawal_id, SETTLE, lambda: use.settle_by_hand(identity(), withdrawal_id, evidence)
    )


@staff.post("/withdrawals/<withdrawal_id>/fail")
def fail_withdrawal(withdrawal_id: str) -> BaseResponse | tuple[str, int]:
    reason, not_sent = request.form.get("reason", ""), request.form.get("not_sent") == "1"
    return _do(
        *(withdrawal_id, FAIL),
        lambda: use.fail_by_hand(identity(), withdrawal_id, reason, not_sent=not_sent),
    )


def _do(
    withdrawal_id: str, form: str, deed: Callable[[], object]
) -> BaseResponse | tuple[str, int]:
    """What was wrong stands in the form, with what was typed."""
    try:
        deed()
    except (InvalidInput, Conflict) as refusal:
        if refusal.field is None:
            # It has ended, and has no such form any more: a page of its own says so.
            raise
        return _page({withdrawal_id: (form, refusal)}), status_of(refusal)
    return redirect(url_for("staff.withdrawals"), 303)


def _page(wrong: Wrong) -> str:
    by_hand, sent = withdrawals.by_hand(LISTED), withdrawals.at_providers(LISTED)
    return render_template(
        "staff/withdrawals.html",
        by_hand=[_line(one, wrong) for one in by_hand],
        at_providers=[_line(one, wrong) for one in sent],
        count=withdrawals.count_by_hand(),
    )


def _line(one: Withdrawal, wrong: Wrong) -> dict[str, Any]:
    form, refusal = wrong.get(one.id, (None, None))
    person = people.find(one.user_id)
    return {
        "id": one.id,
        "who": (person and (person.name or person.email)) or one.user_id,
        "mine": one.user_id == identity().user_id,
        "amount": one.amount,
        "fee": one.fee,
        "currency": one.currency,
        "created_at": iso(one.created_at),
        "parts": [
            (str(words), one.destination[name])
            for name, words in PARTS.items()
            if name in one.destination
        ],
        "state": _state(one),
        "sent": one.sent,
        "payout_id": one.known_as,
        "wrong": form,
        "error": refusal_words(refusal) if refusal else None,
        "typed": dict(request.form) if form else {},
    }


def _state(one: Withdrawal) -> str | None:
    """What its provider has of it; None where staff send it."""
    if one.provider is None:
        return None
    rail = house().rails.label(one.provider)
    if not one.sent:
        return str(_("%(rail)s is away; it will be sent when it is back.", rail=rail))
    if one.known_as is None:
        return str(_("%(rail)s was asked to send it, and its answer was lost.", rail=rail))
    return str(_("%(rail)s is sending it.", rail=rail))
