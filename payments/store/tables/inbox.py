"""What came from outside, as it came."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, LargeBinary, String, UniqueConstraint

from payments.store.db import db
from payments.store.tables.columns import Amount, Moment, Serial, one_of, waiting

inbox = db.Table(
    "inbox",
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("provider", String(32), nullable=False),
    Column("event_id", String(200), nullable=False),
    Column("source", String(16), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("reason", String(64)),
    Column("order_id", String(64)),
    Column("reference", String(64)),
    Column("transaction_id", String(128)),
    Column("amount", Amount),
    Column("currency", String(3)),
    Column("text", String(500)),
    Column("notice", JSON),
    Column("resolved_at", Moment),
    one_of("verdict", ("received", "applied", "parked", "conflict", "rung"), "ck_inbox_verdict"),
    one_of("source", ("callback", "fetch", "staff"), "ck_inbox_source"),
    UniqueConstraint("provider", "event_id", name="uq_inbox_event"),
)
Index("ix_inbox_order", inbox.c.order_id)
waiting(
    "ix_inbox_unresolved",
    inbox.c.id,
    when=inbox.c.verdict.in_(("parked", "conflict")) & inbox.c.resolved_at.is_(None),
)

bank_lines = db.Table(
    "bank_lines",
    Column("inbox_id", Serial, ForeignKey("inbox.id"), primary_key=True, autoincrement=False),
    Column("number", String(100), index=True),
    Column("named_order_id", String(64), ForeignKey("orders.id"), index=True),
    Column("same_as", Serial, ForeignKey("inbox.id"), index=True),
)
"""Money that a feed says came to the account, by the inbox entry that told of it.

`number` is the bank's own for the transfer, in capitals. `named_order_id` is whose memo it had,
whatever order its money was given to. `same_as`: another feed had told of this transfer before; the
entry that told first.
"""
