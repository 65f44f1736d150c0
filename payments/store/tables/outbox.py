"""What is to be told, what was told, and who did what."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Index, Integer, String, Text, UniqueConstraint

from payments.store.db import db
from payments.store.tables.columns import Moment, Serial, waiting

outbox = db.Table(
    "outbox",
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("topic", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("event", String(40), nullable=False),
    Column("snapshot", JSON, nullable=False),
    Column("about", JSON, nullable=False),
    Column("at", Moment, nullable=False),
    Column("published_at", Moment),
    UniqueConstraint("topic", "version", name="uq_outbox_version"),
)
waiting("ix_outbox_unpublished", outbox.c.id, when=outbox.c.published_at.is_(None))

topics = db.Table(
    "topics",
    Column("topic", String(100), primary_key=True),
    Column("version", Integer, nullable=False),
    CheckConstraint("version > 0", name="ck_topics_version"),
)
"""The versions of topics that are no order's: a person's wallet and cards."""

sightings = db.Table(
    "sightings",
    Column("topic", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
)

audit = db.Table(
    "audit",
    Column("id", Serial, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(64), nullable=False),
    Column("order_id", String(64), index=True),
    Column("reason", String(500)),
    Column("detail", JSON, nullable=False),
)

waiting("ix_audit_claims", audit.c.id, when=audit.c.action == "customer.claimed_paid")

idempotency_keys = db.Table(
    "idempotency_keys",
    Column("caller", String(100), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("status", Integer),
    Column("body", Text),
    Column("created_at", Moment, nullable=False),
)

Index("ix_idempotency_keys_created", idempotency_keys.c.created_at)
