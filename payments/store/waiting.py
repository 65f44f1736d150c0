"""How much waits for people, who alone can end it."""

from __future__ import annotations

from sqlalchemy import func, select

from payments.store import inbox, withdrawals
from payments.store.db import db
from payments.store.tables import confirmations, refunds


def by_kind() -> dict[str, int]:
    """Callbacks kept for staff, refunds and withdrawals to be paid by hand, and confirmations that
    need a second person."""
    by_hand = (
        select(func.count())
        .select_from(refunds)
        .where(refunds.c.status == "requested", refunds.c.ask_at.is_(None))
    )
    held = select(func.count()).select_from(confirmations).where(confirmations.c.status == "held")
    return {
        "callbacks": inbox.count_unresolved(),
        "refunds": db.session.execute(by_hand).scalar_one(),
        "withdrawals": withdrawals.count_by_hand(),
        "confirmations": db.session.execute(held).scalar_one(),
    }
