"""The ledger: appended to and never changed; and the balances that it moves."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, ForeignKey, Index, String

from payments.store.db import db
from payments.store.tables.columns import Amount, Moment, Serial, one_of, waiting

postings = db.Table(
    "postings",
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("cause", String(250), nullable=False, unique=True),
    Column("order_id", String(64), ForeignKey("orders.id"), index=True),
    Column("created_at", Moment, nullable=False),
    CheckConstraint("cause <> ''", name="ck_postings_cause"),
)

entries = db.Table(
    "entries",
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("posting_id", Serial, ForeignKey("postings.id"), nullable=False, index=True),
    Column("account", String(100), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("balance_after", Amount),
    CheckConstraint("amount <> 0", name="ck_entries_amount"),
    CheckConstraint("balance_after >= 0", name="ck_entries_balance_after"),
)
"""`balance_after`: what its owner has in a customer's wallet once this leg is booked; else NULL."""
Index("ix_entries_account", entries.c.account, entries.c.currency)
waiting(
    "ix_entries_wallet", entries.c.account, entries.c.id, when=entries.c.balance_after.is_not(None)
)

seals = db.Table(
    "seals",
    Column("seq", Serial, primary_key=True, autoincrement=False),
    Column("posting_id", Serial, ForeignKey("postings.id"), nullable=False, unique=True),
    Column("hash", String(64), nullable=False),
    Column("sealed_at", Moment, nullable=False),
)
"""Postings chained by hash, in the order in which they were sealed: behind the commit, by one."""

wallets = db.Table(
    "wallets",
    Column("user_id", String(64), ForeignKey("users.id"), primary_key=True),
    Column("currency", String(3), primary_key=True),
    Column("balance", Amount, nullable=False),
    CheckConstraint("balance >= 0", name="ck_wallets_balance"),
)

withdrawals = db.Table(
    "withdrawals",
    Column("id", String(64), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.id"), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("fee", Amount, nullable=False),
    Column("status", String(16), nullable=False),
    Column("provider", String(32)),
    Column("destination", JSON, nullable=False),
    Column("provider_payout_id", String(128)),
    Column("evidence", String(100), unique=True),
    Column("reason", String(500)),
    Column("created_at", Moment, nullable=False),
    Column("ask_at", Moment),
    Column("ended_at", Moment),
    one_of("status", ("held", "settled", "returned"), "ck_withdrawals_status"),
    CheckConstraint("amount > 0 AND fee >= 0", name="ck_withdrawals_amount"),
)
"""`amount` reaches the destination, `fee` stays with the shop; both are held at once.

`provider` is the rail that sends it; NULL: staff do.
"""
Index("ix_withdrawals_user", withdrawals.c.user_id, withdrawals.c.created_at)
waiting("ix_withdrawals_to_ask", withdrawals.c.ask_at, when=withdrawals.c.ask_at.is_not(None))
waiting(
    "ix_withdrawals_by_hand",
    withdrawals.c.created_at,
    when=(withdrawals.c.status == "held") & withdrawals.c.ask_at.is_(None),
)
Index("ix_withdrawals_payout", withdrawals.c.provider_payout_id)
