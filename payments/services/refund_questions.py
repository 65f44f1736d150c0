"""Asks how promised refunds stand, and sends again what the provider has not taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog

from payments.domain.errors import BadCallback, ProviderRefused, ProviderUnavailable
from payments.domain.notice import RawCallback
from payments.domain.order import Payment
from payments.domain.questions import IN_FLIGHT, pause_after, pause_while_away
from payments.domain.states import Kind
from payments.providers.registry import Rails
from payments.services.apply import apply
from payments.services.refunds import send
from payments.store import payments, refunds
from payments.store.db import end_read, in_transaction, now
from payments.store.refunds import Refund

log = structlog.get_logger()

BATCH = 100


def ask_refunds(rails: Rails, at: datetime | None) -> int:
    """Asks how promised refunds stand whose time has come by `at`, or all; how many.

    A refund that the provider has not taken (a crash or an outage came between) is sent again.
    """
    asked, after = 0, ""
    while due := refunds.to_ask(at, after, BATCH):
        end_read()
        asked += sum(_ask(rails, promised) for promised in due)
        after = due[-1].id
    return asked


def _ask(rails: Rails, promised: Refund) -> bool:
    """One question. That it is put is written first: nobody else sends it meanwhile."""
    payment = payments.find(promised.reference)
    end_read()
    taken = promised.provider_refund_id is not None
    if payment is None or not rails.able(payment.provider, "fetch_refund" if taken else "refund"):
        return False
    if not rails.circuits.allows(payment.provider, now()):
        return False
    age, again_at = now() - promised.created_at, now() + IN_FLIGHT
    if not in_transaction(lambda: refunds.ask_again(promised.id, again_at)):
        return False
    try:
        _question(rails, payment, promised)
    except (ProviderUnavailable, BadCallback):
        rails.circuits.failed(payment.provider, now())
        pause = pause_while_away(age)
    else:
        rails.circuits.worked(payment.provider)
        pause = pause_after(age)
    in_transaction(lambda: refunds.ask_later(promised.id, again_at, now() + pause))
    return True


def _question(rails: Rails, payment: Payment, promised: Refund) -> None:
    """Raises ProviderUnavailable."""
    try:
        if promised.provider_refund_id is None:
            send(rails, promised)
            return
        rail = rails.rail(payment.provider)
        fetched = rail.fetch_refund(payment, promised.id, promised.provider_refund_id)
    except ProviderRefused as refusal:
        log.warning("refund refused", refund=promised.id, code=refusal.code)
        return
    # A witness of its own, as with attempts. One that does not fit is kept and shown to staff; with
    # another amount it is another answer.
    told = [
        replace(notice, event_id=f"asked:{notice.event_id}:{notice.amount}")
        for notice in fetched.notices
        if notice.kind is not Kind.PROCESSING
    ]
    for verdict in apply(told, RawCallback(payment.provider, "fetch", fetched.body)):
        log.info("asked", refund=promised.id, verdict=verdict.word, reason=verdict.reason)
