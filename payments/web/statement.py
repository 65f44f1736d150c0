"""A person's statement as a page, as a file for a spreadsheet, and to print."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import groupby
from typing import Any

from flask import Response, redirect, render_template, request, stream_with_context, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import InvalidInput
from payments.domain.money import to_major
from payments.domain.snapshot import iso
from payments.front.cursors import from_place, to_place
from payments.front.request import house, identity
from payments.front.words import movement_words, refusal_words
from payments.services.wallets import statements
from payments.services.wallets.statements import Period
from payments.store import wallets
from payments.store.people import User
from payments.store.statements import KINDS, OTHER, Filters, Line
from payments.web.blueprint import web

LISTED = 50
PRINTED = 1000
"""What a browser can still lay out on paper; a longer time is printed in parts."""

FILTERS = ("currency", "kind", "from", "to")
COLUMNS = (
    *("at", "kind", "description", "order_id", "reference"),
    *("amount", "fee", "currency", "balance"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would run."""


@web.get("/wallet/statement")
def statement() -> BaseResponse | str | tuple[str, int]:
    person = identity().user
    if person is None:
        return _sign_in()
    given = _given()
    try:
        filters, _period = _asked()
        before = from_place(request.args.get("cursor"))
    except InvalidInput as error:
        return render_template(
            "wallet/statement.html", **_page(person, given), error=_refusal(error)
        ), 400
    shown, more = statements.page(person.id, filters, before, LISTED)
    return render_template(
        "wallet/statement.html",
        **_page(person, given),
        lines=[_row(line) for line in shown],
        totals=[] if before else statements.totals(person.id, filters),
        older=to_place(more) if more else None,
        first=before is None,
    )


@web.get("/wallet/statement/print")
def printed_statement() -> BaseResponse | str:
    """Oldest first, a table for each currency, from its opening balance to its closing one."""
    person = identity().user
    if person is None:
        return _sign_in()
    filters, period = _asked()
    found, more = statements.page(person.id, filters, None, PRINTED)
    return render_template(
        "wallet/print.html",
        **_page(person, _given()),
        person=person,
        period=period,
        cut=more is not None,
        most=PRINTED,
        wallets=_by_wallet(person.id, filters, found),
    )


@web.get("/wallet/statement.csv")
def statement_csv() -> BaseResponse:
    person = identity().user
    if person is None:
        return _sign_in()
    filters, period = _asked()
    lines = statements.whole(person.id, filters)
    answer = Response(stream_with_context(_csv(lines)), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{_file_name(period)}"'
    return answer


def _sign_in() -> BaseResponse:
    return redirect(url_for("web.login", next=request.full_path.rstrip("?")))


def _given() -> dict[str, str]:
    """The filters as they were typed, to be shown and led on; what was left empty is left out."""
    return {name: request.args[name] for name in FILTERS if request.args.get(name)}


def _asked() -> tuple[Filters, Period]:
    given = _given()
    return statements.asked(
        house().settings,
        currency=given.get("currency"),
        kind=given.get("kind"),
        since=given.get("from"),
        until=given.get("to"),
    )


def _page(person: User, given: dict[str, str]) -> dict[str, Any]:
    return {
        "given": given,
        "currencies": [currency for currency, _amount in wallets.balances(person.id)],
        "kinds": [(word, movement_words(word)) for word in KINDS if word != OTHER],
    }


def _refusal(error: InvalidInput) -> dict[str, str]:
    words = {
        "from": _("Write the day as 2026-11-21."),
        "to": _("Write the day as 2026-11-21, and not before the first."),
    }
    return {
        "field": error.field or "",
        "words": words.get(error.field or "") or refusal_words(error),
    }


def _row(line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "at": iso(line.at),
        "words": movement_words(line.kind),
        # A deposit's order says no more than its kind does.
        "description": None if line.kind == "deposit" else line.description,
        "order_id": None if line.kind == "deposit" else line.order_id,
        "amount": line.amount,
        "fee": line.fee,
        "currency": line.currency,
        "balance": line.balance,
        "reference": line.reference,
    }


def _by_wallet(user_id: str, filters: Filters, found: Sequence[Line]) -> list[dict[str, Any]]:
    by_currency = groupby(sorted(found, key=lambda one: (one.currency, one.id)), _currency)
    rows = {currency: [_row(line) for line in lines] for currency, lines in by_currency}
    return [
        {"total": one, "lines": rows.get(one.currency, [])}
        for one in statements.totals(user_id, filters)
    ]


def _currency(line: Line) -> str:
    return line.currency


def _csv(lines: Iterator[Line]) -> Iterator[str]:
    """RFC 4180, with the mark by which spreadsheets know UTF-8."""
    yield "\ufeff" + _record(COLUMNS)
    for line in lines:
        yield _record(
            (
                *(iso(line.at) or "", line.kind, _harmless(line.description)),
                *(_harmless(line.order_id), _harmless(line.reference)),
                *(to_major(amount, line.currency) for amount in (line.amount, line.fee)),
                *(line.currency, to_major(line.balance, line.currency)),
            )
        )


def _record(cells: Sequence[str]) -> str:
    row = StringIO()
    csv.writer(row).writerow(cells)
    return row.getvalue()


def _harmless(text: str | None) -> str:
    """What a stranger wrote is no formula of a spreadsheet: an apostrophe makes it a text."""
    return f"'{text}" if text and text.startswith(FORMULA) else text or ""


def _file_name(period: Period) -> str:
    days = [day.isoformat() for day in (period.first, period.last) if day]
    return "-".join(["statement", *days]) + ".csv"
