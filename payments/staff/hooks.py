"""Who of the shop's own systems is told what happens, and which messages they did not take."""

from __future__ import annotations

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as BaseResponse

from payments.domain.errors import Conflict
from payments.domain.snapshot import iso
from payments.front.cursors import from_cursor, to_cursor
from payments.front.problems import status_of
from payments.front.request import house, identity
from payments.services.access import demand
from payments.services.webhooks import endpoints as use
from payments.staff.blueprint import staff
from payments.store import webhook_deliveries, webhooks
from payments.store.webhook_deliveries import STATUSES, Delivery
from payments.store.webhooks import Endpoint

LISTED = 50

FAULTS = {
    "unknown_host": _l("Its name is not known"),
    "inside_address": _l("Its name leads into a network of our own, which is not called"),
    "not_reached": _l("Nobody answered there"),
    "tls": _l("No trusted secure connection"),
    "timeout": _l("No answer in time"),
    "broken_answer": _l("What came was no answer"),
    "forgotten": _l("What happened then is not kept any more"),
}
"""Why no answer came."""

DISABLED = {
    "by_staff": _l("Switched off by hand"),
    "gone": _l("Switched off: it answered that it is gone"),
    "failing": _l("Switched off: it took nothing for three days"),
}

STATUS = {
    "waiting": (_l("Waiting"), "waiting"),
    "delivered": (_l("Delivered"), "good"),
    "failed": (_l("Given up"), "bad"),
}
"""The word and the tone of each."""


@staff.get("/hooks")
def hooks() -> str:
    demand(identity(), use.RIGHT)
    return _page()


@staff.post("/hooks/<endpoint_id>/switch")
def switch_hook(endpoint_id: str) -> BaseResponse:
    on = request.form.get("on") == "1"
    use.edit(house().settings, identity(), endpoint_id, use.Changes(enabled=on))
    return redirect(url_for("staff.hooks"), 303)


@staff.post("/hooks/deliveries/<delivery_id>/redeliver")
def redeliver_hook(delivery_id: str) -> BaseResponse | tuple[str, int]:
    try:
        use.redeliver(identity(), delivery_id)
    except Conflict as refusal:
        words = {
            "endpoint_disabled": _("This receiver is switched off: switch it on first."),
            "message_gone": _("What happened then is not kept any more."),
        }
        return _page(words.get(refusal.code, refusal.message)), status_of(refusal)
    return redirect(url_for("staff.hooks"), 303)


def _page(error: str | None = None) -> str:
    status = request.args.get("status")
    found = webhook_deliveries.page(
        status=status if status in STATUSES else None,
        before=from_cursor(request.args.get("cursor")),
        limit=LISTED + 1,
    )
    shown = found[:LISTED]
    receivers = webhooks.page(None, use.MOST_ENDPOINTS)
    urls = {one.id: one.url for one in receivers}
    return render_template(
        "staff/hooks.html",
        receivers=[_receiver(one) for one in receivers],
        deliveries=[_line(one, urls.get(one.endpoint_id, "")) for one in shown],
        statuses=[(name, words) for name, (words, _tone) in STATUS.items()],
        status=status if status in STATUSES else None,
        next_cursor=to_cursor(shown[-1]) if len(found) > LISTED else None,
        error=error,
    )


def _receiver(one: Endpoint) -> dict[str, Any]:
    return {
        "id": one.id,
        "url": one.url,
        "events": list(one.events),
        "enabled": one.enabled,
        "disabled": str(DISABLED.get(one.disabled_why or "", "")),
        "failing_since": iso(one.failing_since),
    }


def _line(one: Delivery, url: str) -> dict[str, Any]:
    words, tone = STATUS[one.status]
    return {
        "id": one.id,
        "url": url,
        "event": one.event,
        "about": one.topic.partition(":")[2],
        "order_id": one.topic.partition(":")[2] if one.topic.startswith("order:") else None,
        "webhook_id": one.webhook_id,
        "words": str(words),
        "tone": tone,
        "tries": one.tries,
        "created_at": iso(one.created_at),
        "next_at": iso(one.next_at),
        "answer_status": one.answer_status,
        "answer_body": one.answer_body,
        "fault": str(FAULTS.get(one.fault or "", "")),
    }
