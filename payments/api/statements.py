"""A person's statement, as a list."""

from __future__ import annotations

from typing import Any

from flask import request

from payments.api.blueprint import api
from payments.api.body import limit_asked
from payments.domain.snapshot import iso
from payments.front.cursors import from_place, to_place
from payments.front.request import house, identity
from payments.services.access import person_of
from payments.services.wallets import statements
from payments.store.statements import Line


@api.get("/wallet/entries")
def list_entries() -> dict[str, Any]:
    person = person_of(identity())
    given = request.args.get
    filters, _ = statements.asked(
        house().settings,
        currency=given("currency"),
        kind=given("kind"),
        since=given("from"),
        until=given("to"),
    )
    before = from_place(given("cursor"))
    shown, more = statements.page(person.id, filters, before, limit_asked())
    return {
        "data": [_body(line) for line in shown],
        "next_cursor": to_place(more) if more else None,
    }


def _body(line: Line) -> dict[str, Any]:
    return {
        "id": str(line.id),
        "at": iso(line.at),
        "kind": line.kind,
        "amount": line.amount,
        "fee": line.fee,
        "currency": line.currency,
        "balance": line.balance,
        "reference": line.reference,
        "order_id": line.order_id,
        "description": line.description,
    }
