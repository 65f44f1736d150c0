"""Asks the providers that stay silent: asking is a peer of the callback, not a rescue."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from payments.domain.errors import ProviderUnavailable
from payments.domain.notice import RawCallback
from payments.domain.order import Payment
from payments.domain.states import ASKABLE, Kind
from payments.providers.registry import Rails
from payments.services.apply import apply
from payments.services.refunds import send_waiting
from payments.store import payments
from payments.store.db import end_read, in_transaction, now

log = structlog.get_logger()

BATCH = 50
SCHEDULE_SECONDS = (10, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
"""How long after each question the next is asked; after the last, every hour."""


def reconcile_once(rails: Rails, at: datetime) -> int:
    """Asks about the unsettled attempts whose time has come; how many were asked."""
    return _ask_all(rails, payments.to_ask(at, BATCH), lambda _done, _all: None)


def reconcile_everything(rails: Rails, progress: Callable[[int, int], None]) -> int:
    """Asks about every unsettled attempt whatever its age, and sends promised refunds again."""
    asked = _ask_all(rails, payments.to_ask(None, 10_000), progress)
    send_waiting(rails)
    return asked


def _ask_all(rails: Rails, waiting: Sequence[Payment], progress: Callable[[int, int], None]) -> int:
    end_read()
    for done, payment in enumerate(waiting, 1):
        _ask(rails, payment)
        progress(done, len(waiting))
    return len(waiting)


def _ask(rails: Rails, payment: Payment) -> None:
    """One question. The next one's time is written first, so that a crash here asks no faster."""
    if not in_transaction(lambda: _schedule(payment)) or not rails.able(payment.provider, "fetch"):
        return
    try:
        fetched = rails.receiver(payment.provider).fetch(payment)
    except ProviderUnavailable:
        log.warning("provider away", provider=payment.provider, reference=payment.reference)
        return
    # An answer is a witness of its own: a callback of the same event may have lied and be parked.
    told = [
        replace(notice, event_id=f"asked:{notice.event_id}")
        for notice in fetched.notices
        if notice.kind is not Kind.PROCESSING
    ]
    for verdict in apply(told, RawCallback(payment.provider, "fetch", fetched.body)):
        log.info("asked", reference=payment.reference, verdict=verdict.word, reason=verdict.reason)


def _schedule(payment: Payment) -> bool:
    current = payments.find(payment.reference)
    if current is None or current.status not in ASKABLE:
        return False
    pause = SCHEDULE_SECONDS[min(current.asked, len(SCHEDULE_SECONDS) - 1)]
    jitter = random.uniform(0.9, 1.1)  # noqa: S311 (spreads questions, hides nothing)
    next_question = now() + timedelta(seconds=pause * jitter)
    # Of an order that has ended nobody asks for ever.
    if not current.unsettled and current.asked >= len(SCHEDULE_SECONDS):
        payments.move(current, asked=current.asked + 1, ask_at=None)
    else:
        payments.move(current, asked=current.asked + 1, ask_at=next_question)
    return True
