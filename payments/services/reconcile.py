"""Asks the providers that stay silent: asking is a peer of the callback, not a rescue."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from payments.domain.errors import BadCallback, ProviderRefused, ProviderUnavailable
from payments.domain.notice import RawCallback
from payments.domain.order import Payment
from payments.domain.ports import Fetched
from payments.domain.questions import FIRST_QUESTION, GIVE_UP, pause_after, pause_while_away
from payments.domain.states import Kind
from payments.providers.registry import Rails
from payments.services.apply import apply
from payments.services.refund_questions import ask_refunds
from payments.services.wallets.payouts import ask_payouts
from payments.store import payments
from payments.store.db import end_read, in_transaction, now

log = structlog.get_logger()

BATCH = 20
"""Questions of one round to one rail: a doorbell waits for no longer row than this."""
CHUNK = 500


def reconcile_once(rails: Rails, rail: str, at: datetime) -> int:
    """Asks one rail about the attempts whose time has come; how many were asked."""
    waiting = payments.to_ask(at, rail, BATCH)
    end_read()
    return sum(_ask(rails, payment, at) for payment in waiting)


def reconcile_everything(rails: Rails, progress: Callable[[int, int], None]) -> int:
    """Asks about every unsettled attempt whatever its age, promised refund and held withdrawal.

    `progress(done, of_all)` is called after each attempt. How many were asked: a rail that turns
    out to be away is left in peace, and its attempts keep their turn.
    """
    total = sum(payments.count_waiting(rail) for rail in rails.askable())
    end_read()
    asked = 0
    for done, payment in enumerate(_everything(rails), 1):
        asked += _ask(rails, payment, now())
        progress(done, max(done, total))
    ask_refunds(rails, None)
    ask_payouts(rails, None)
    return asked


def _everything(rails: Rails) -> Iterator[Payment]:
    """Page by page, so that what is asked about meanwhile is read as it then is."""
    for rail in rails.askable():
        after = ""
        while page := payments.waiting(rail, after, CHUNK):
            end_read()
            yield from page
            after = page[-1].reference


def ask_watched(order_ids: Sequence[str], at: datetime) -> int:
    """A payer is looking at these orders: what waits in them is asked about every 10 s."""
    due = 0
    for start in range(0, len(order_ids), CHUNK):
        chunk = order_ids[start : start + CHUNK]
        due += in_transaction(
            lambda ids=chunk: payments.ask_about_orders(ids, at, FIRST_QUESTION)  # type: ignore[misc]
        )
    return due


def _ask(rails: Rails, payment: Payment, at: datetime) -> bool:
    """One question. That it is put is written first, so that a crash here asks no faster."""
    if not rails.circuits.allows(payment.provider, at):
        return False
    again_at = at + FIRST_QUESTION * _jitter()
    if not in_transaction(lambda: _begin(payment, at, again_at)):
        return False
    try:
        fetched = rails.rail(payment.provider).fetch(payment)
    except (ProviderUnavailable, BadCallback) as fault:
        why = type(fault).__name__
        log.warning("not answered", provider=payment.provider, about=payment.reference, why=why)
        rails.circuits.failed(payment.provider, at)
        _next_question(payment, again_at, at + pause_while_away(at - payment.created_at))
        return True
    except ProviderRefused as refusal:
        log.warning("question refused", reference=payment.reference, code=refusal.code)
        fetched = Fetched(b"", ())
    rails.circuits.worked(payment.provider)
    _apply(payment, fetched)
    pause = pause_after(at - payment.created_at) * _jitter()
    over = _over(payment, at, fetched.again)
    _next_question(payment, again_at, None if over else at + pause)
    return True


def _begin(payment: Payment, at: datetime, again_at: datetime) -> bool:
    """Until it is answered it is to be asked again soon: whoever asks may crash over it."""
    current = payments.find(payment.reference)
    if current is None or current.status is not payment.status:
        return False
    payments.move(current, asked=current.asked + 1, asked_at=at, ask_at=again_at)
    return True


def _apply(payment: Payment, fetched: Fetched) -> None:
    # An answer is a witness of its own: a callback of the same event may have lied and be parked.
    told = [
        replace(notice, event_id=f"asked:{notice.event_id}")
        for notice in fetched.notices
        if notice.kind is not Kind.PROCESSING
    ]
    for verdict in apply(told, RawCallback(payment.provider, "fetch", fetched.body)):
        log.info("asked", reference=payment.reference, verdict=verdict.word, reason=verdict.reason)


def _over(payment: Payment, at: datetime, again: bool) -> bool:
    """Nobody could still be paying it: what ended is asked about for a while, what failed not.

    `again`: what failed may be paid after all, by the same code or link.
    """
    ended, failed = not payment.unsettled, payment.failure_code is not None and not again
    return ended and (at - payment.created_at > GIVE_UP or failed)


def _next_question(payment: Payment, planned: datetime, at: datetime | None) -> None:
    """Unless somebody has rung, or it has ended, since the question was put."""
    in_transaction(lambda: payments.ask_later(payment.reference, planned, at))


def _jitter() -> float:
    return random.uniform(0.9, 1.1)  # noqa: S311 (spreads questions, hides nothing)
