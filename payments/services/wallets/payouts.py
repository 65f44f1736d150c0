"""Sends withdrawals by the rail that can, once, and asks how they stand.

That one may be sent is written before it is: whoever dies over the call leaves one that is asked
about, and never sent again. A provider that cannot say leaves it to staff.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import structlog

from payments.domain.errors import (
    BadCallback,
    InvalidInput,
    ProviderRefused,
    ProviderUnavailable,
)
from payments.domain.notice import RawCallback
from payments.domain.questions import FIRST_QUESTION, IN_FLIGHT, pause_after, pause_while_away
from payments.domain.states import Kind
from payments.domain.withdrawals import Withdrawal
from payments.providers.registry import PAYOUT, Rails
from payments.services.apply import apply
from payments.services.figures import PAYOUTS
from payments.services.wallets.withdrawal_moves import give_back, sent
from payments.store import withdrawals
from payments.store.db import end_read, in_transaction, now

log = structlog.get_logger()

BATCH = 100


def send(rails: Rails, one: Withdrawal) -> None:
    """Raises ProviderRefused once the money is back in the wallet, and ProviderUnavailable."""
    rail = one.provider or ""
    if not in_transaction(lambda: withdrawals.begin_sending(one.id, now() + IN_FLIGHT)):
        return
    try:
        payout_id = rails.rail(rail).payout(one)
    except (ProviderRefused, InvalidInput) as refusal:
        PAYOUTS.labels(rail, "refused").inc()
        code = refusal.code
        in_transaction(lambda: _returned(one, code))
        raise
    except ProviderUnavailable as away:
        lost = bool(away.facts.get("sent"))
        PAYOUTS.labels(rail, "lost" if lost else "away").inc()
        in_transaction(lambda: _sent(one, one.id) if lost else _unsent(one))
        raise
    PAYOUTS.labels(rail, "sent").inc()
    in_transaction(lambda: _sent(one, payout_id or one.id))


def _sent(one: Withdrawal, payout_id: str) -> None:
    sent(replace(one, ask_at=now() + FIRST_QUESTION), payout_id)


def _unsent(one: Withdrawal) -> None:
    withdrawals.not_sent(one.id, now() + FIRST_QUESTION)


def _returned(one: Withdrawal, code: str) -> None:
    if withdrawals.lock(one.id) is not None:
        give_back(one, code, one.provider or "system", payout_id=None)


def ask_payouts(rails: Rails, at: datetime | None) -> int:
    """Asks how withdrawals stand whose time has come by `at`, or all; how many.

    One that was never sent (a crash or an outage came before) is sent.
    """
    asked, after = 0, ""
    while due := withdrawals.to_ask(at, after, BATCH):
        end_read()
        asked += sum(_ask(rails, one) for one in due)
        after = due[-1].id
    return asked


def _ask(rails: Rails, one: Withdrawal) -> bool:
    """One question. That it is put is written first: nobody else puts it meanwhile."""
    rail = one.provider or ""
    if not rails.able(rail, PAYOUT) or not rails.circuits.allows(rail, now()):
        return False
    age, again_at = now() - one.created_at, now() + IN_FLIGHT
    planned = one.ask_at
    if planned is None or not in_transaction(
        lambda: withdrawals.ask_later(one.id, planned, again_at)
    ):
        return False
    try:
        if one.sent:
            _question(rails, one)
        else:
            send(rails, one)
    except (ProviderUnavailable, BadCallback):
        rails.circuits.failed(rail, now())
        pause = pause_while_away(age)
    except (ProviderRefused, InvalidInput) as refusal:
        rails.circuits.worked(rail)
        log.warning("withdrawal refused", withdrawal=one.id, code=refusal.code)
        return True
    else:
        rails.circuits.worked(rail)
        pause = pause_after(age)
    in_transaction(lambda: withdrawals.ask_later(one.id, again_at, now() + pause))
    return True


def _question(rails: Rails, one: Withdrawal) -> None:
    """Raises ProviderUnavailable."""
    rail = one.provider or ""
    fetched = rails.rail(rail).fetch_payout(one)
    PAYOUTS.labels(rail, "asked").inc()
    # A witness of its own, as with attempts. One that does not fit is kept and shown to staff; with
    # another amount it is another answer.
    told = [
        replace(notice, event_id=f"asked:{notice.event_id}:{notice.amount}")
        for notice in fetched.notices
        if notice.kind is not Kind.PROCESSING
    ]
    for verdict in apply(told, RawCallback(rail, "fetch", fetched.body)):
        log.info("asked", withdrawal=one.id, verdict=verdict.word, reason=verdict.reason)
