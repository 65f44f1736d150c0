"""Who of the shop's own systems is told of facts, and each message to them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)

from payments.store.db import db
from payments.store.tables.columns import Moment, one_of, waiting

webhook_endpoints = db.Table(
    "webhook_endpoints",
    Column("id", String(32), primary_key=True),
    Column("url", String(2000), nullable=False),
    Column("events", JSON, nullable=False),
    Column("secret", String(100), nullable=False),
    Column("previous_secret", String(100)),
    Column("previous_until", Moment),
    Column("disabled_at", Moment),
    Column("disabled_why", String(16)),
    Column("failing_since", Moment),
    Column("failed_at", Moment),
    Column("created_by", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    one_of("disabled_why", ("by_staff", "gone", "failing"), "ck_webhook_endpoints_why"),
    CheckConstraint(
        "(disabled_at IS NULL) = (disabled_why IS NULL)", name="ck_webhook_endpoints_disabled"
    ),
)
"""`events` empty: all there are. `previous_secret` signs beside the present one for a while.

`failing_since`: the first failure after which nothing was taken; `failed_at` the last.
"""

webhook_deliveries = db.Table(
    "webhook_deliveries",
    Column("id", String(32), primary_key=True),
    Column("endpoint_id", String(32), ForeignKey("webhook_endpoints.id"), nullable=False),
    Column("topic", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("round", Integer, nullable=False),
    Column("event", String(40), nullable=False),
    Column("webhook_id", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", Moment),
    Column("tried_at", Moment),
    Column("answer_status", Integer),
    Column("answer_body", Text),
    Column("fault", String(32)),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
    one_of("status", ("waiting", "delivered", "failed"), "ck_webhook_deliveries_status"),
    CheckConstraint(
        "(status = 'waiting') = (ended_at IS NULL) AND (status = 'waiting' OR next_at IS NULL)",
        name="ck_webhook_deliveries_ended",
    ),
    UniqueConstraint(
        "endpoint_id", "topic", "version", "round", name="uq_webhook_deliveries_message"
    ),
)
"""One fact of the outbox (its topic and version) for one endpoint.

`round` is 0 for the first and grows with each redelivery; `webhook_id` stays. A row that waits
without `next_at` belongs to an endpoint that is disabled.
"""
waiting(
    "ix_webhook_deliveries_due",
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.next_at,
    when=webhook_deliveries.c.next_at.is_not(None),
)
Index("ix_webhook_deliveries_created", webhook_deliveries.c.created_at, webhook_deliveries.c.id)
