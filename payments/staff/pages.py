"""What staff read."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import segno
from flask import abort, render_template, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup

from payments.domain.facts import order_topic
from payments.domain.money import Money
from payments.domain.order import Order
from payments.domain.snapshot import iso, payment_view, snapshot
from payments.domain.states import OrderStatus
from payments.front.cursors import from_cursor, to_cursor
from payments.front.request import base_url, house, identity
from payments.front.words import actor_words, failure_words, parked_words, rail_words, verdict_words
from payments.services.access import demand, order_for
from payments.staff.blueprint import staff
from payments.store import (
    audit,
    bank_lines,
    confirmations,
    inbox,
    orders,
    payments,
    refunds,
    sightings,
    withdrawals,
)
from payments.store.confirmations import Confirmation
from payments.store.inbox import Entry

LISTED = 60
KEPT = frozenset({"callback.parked", "callback.conflict"})
"""Lines whose reason is a code, said in words."""


def _seen(version: int, sighting: tuple[int, Any] | None) -> dict[str, Any] | None:
    if sighting is None:
        return None
    return {"version": sighting[0], "at": iso(sighting[1]), "current": sighting[0] >= version}


def rows(found: list[Order]) -> list[dict[str, Any]]:
    ids = [order.id for order in found]
    last = payments.last_of_each(ids) if ids else {}
    seen = sightings.last_of_each([order_topic(one) for one in ids]) if ids else {}
    return [
        {
            **snapshot(order, last.get(order.id)),
            "seen": _seen(order.version, seen.get(order_topic(order.id))),
        }
        for order in found
    ]


def _listed() -> dict[str, Any]:
    status, search = request.args.get("status") or None, (request.args.get("q") or "").strip()
    if status and status not in {one.value for one in OrderStatus}:
        status = None
    cursor = request.args.get("cursor") or None
    found = orders.page(
        status=status, search=search or None, before=from_cursor(cursor), limit=LISTED + 1
    )
    shown, more = list(found[:LISTED]), len(found) > LISTED
    return {
        "orders": rows(shown),
        "filters": {"status": status, "statuses": [one.value for one in OrderStatus]},
        "q": search,
        "cursor": cursor,
        "next_cursor": to_cursor(shown[-1]) if more else None,
    }


def _confirmation(one: Confirmation) -> dict[str, Any]:
    mine = one.requested_by == identity().actor
    return {**asdict(one), "requested_at": iso(one.requested_at), "mine": mine}


def _waiting() -> dict[str, Any]:
    """What waits for staff beside the orders: kept callbacks and confirmations above the limit."""
    held = [_confirmation(one) for one in confirmations.held()]
    claims = [
        {
            "order_id": line.order_id,
            "at": iso(line.at),
            "note": line.reason,
            "reference": line.detail.get("reference"),
        }
        for line in audit.open_claims()
    ]
    # Money that waits is told of once, as that.
    unmatched = bank_lines.count_waiting()
    return {
        "held": held,
        "claims": claims,
        "refunds_due": refunds.by_hand(),
        "parked_count": inbox.count_unresolved() - unmatched,
        "unmatched_count": unmatched,
        "withdrawals_count": withdrawals.count_by_hand(),
    }


@staff.get("/")
def today() -> str:
    return render_template("staff/today.html", **_listed(), **_waiting())


@staff.get("/orders")
def orders_fragment() -> str:
    return render_template("parts/staff_orders.html", **_listed(), **_waiting())


def order_parts(order: Order) -> dict[str, Any]:
    attempts = payments.of_order(order.id)
    (row,) = rows([order])
    if row["payment"]:
        row["payment"]["provider_label"] = rail_words(row["payment"]["provider"])
        row["payment"]["failure_reason"] = failure_words(row["payment"]["failure_code"])
    return {
        "order": row,
        "seen": row["seen"],
        "attempts": [
            {
                **payment_view(one),
                "provider_label": rail_words(one.provider),
                "failure_reason": failure_words(one.failure_code),
                "confirmed_by": one.confirmed_by,
            }
            for one in attempts
        ],
        "confirmations": [_confirmation(one) for one in confirmations.of_order(order.id)],
        "timeline": timeline(order),
        "claim": _claim(order),
        "refunds": refunds.of_order(order.id),
        "once": secrets.token_urlsafe(12),
        "ways": house().rails.ways(Money(order.amount_due or order.amount, order.currency)),
        "errors": {},
        "values": {},
    }


def _claim(order: Order) -> dict[str, Any] | None:
    """What the customer last said of having paid."""
    said = audit.claims([order.id])
    return {"reference": said[-1].detail.get("reference"), "at": iso(said[-1].at)} if said else None


def _what_was_said(line: audit.Line) -> str:
    if line.action in KEPT:
        return parked_words(line.reason)
    return " · ".join(filter(None, (line.detail.get("reference"), line.reason)))


def timeline(order: Order) -> list[dict[str, Any]]:
    """Everything that happened to an order, oldest first, from the audit and the screens."""
    lines = [
        {
            "at": iso(line.at),
            "kind": line.action,
            "text": _what_was_said(line),
            "actor": actor_words(line.actor),
            "callback_id": line.detail.get("entry"),
        }
        for line in audit.of_order(order.id)
    ]
    lines += [
        {
            "at": iso(at),
            "kind": "page.seen",
            "text": _("The payer's screen shows version %(version)s", version=version),
            "actor": actor_words("customer"),
            "callback_id": None,
        }
        for version, at in sightings.of_topic(order_topic(order.id))
    ]
    return sorted(lines, key=lambda line: str(line["at"]))


@staff.get("/orders/<order_id>")
def order(order_id: str) -> str:
    return render_template("staff/order.html", **order_parts(order_for(identity(), order_id)))


@staff.get("/orders/<order_id>/fragment")
def order_fragment(order_id: str) -> str:
    return render_template("parts/staff_order.html", **order_parts(order_for(identity(), order_id)))


@staff.get("/orders/<order_id>/show")
def show(order_id: str) -> str:
    """The link and its code, to show at the counter, send or print."""
    found = order_for(identity(), order_id)
    link = base_url() + url_for(
        "web.checkout", order_id=found.id, access=house().tokens.link(found.id), lang=None
    )
    drawn = segno.make(link, error="m", micro=False).svg_inline(
        border=4, dark="#000", light="#fff", omitsize=True
    )
    (row,) = rows([found])
    # The picture is drawn from a link of ours alone: nothing of a stranger's is in it.
    return render_template(
        "staff/show.html",
        order=row,
        checkout_url=link,
        qr_svg=Markup(drawn),  # noqa: S704
    )


def _line(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "provider": rail_words(entry.provider),
        "event_id": entry.event_id,
        "received_at": iso(entry.received_at),
        "verdict": entry.verdict,
        "verdict_words": verdict_words(entry.verdict),
        "reason": parked_words(entry.reason),
        "order_id": entry.order_id,
        "reference": entry.reference,
        "transaction_id": entry.transaction_id,
        "amount": entry.amount,
        "currency": entry.currency,
        "resolved_at": iso(entry.resolved_at),
    }


@staff.get("/parked")
def parked() -> str:
    demand(identity(), "order.see")
    return render_template(
        "staff/parked.html", callbacks=[_line(entry) for entry in inbox.unresolved()]
    )


@staff.get("/callbacks/<int(max=9223372036854775807):callback_id>")
def callback(callback_id: int) -> str:
    demand(identity(), "order.see")
    entry = inbox.find(callback_id)
    if entry is None:
        abort(404)
    text = entry.body.decode("utf-8", "replace")
    with suppress(ValueError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    line = bank_lines.find(entry.id)
    return render_template(
        "staff/callback.html",
        callback={**_line(entry), "body": text, "headers": entry.headers},
        unmatched=line is not None and line.waits,
    )
