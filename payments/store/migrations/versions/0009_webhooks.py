"""Endpoints of the shop's own systems, and the messages to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _endpoints()
    _deliveries()


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("events", sa.JSON, nullable=False),
        sa.Column("secret", sa.String(100), nullable=False),
        sa.Column("previous_secret", sa.String(100)),
        sa.Column("previous_until", MOMENT),
        sa.Column("disabled_at", MOMENT),
        sa.Column("disabled_why", sa.String(16)),
        sa.Column("failing_since", MOMENT),
        sa.Column("failed_at", MOMENT),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "disabled_why IN ('by_staff', 'gone', 'failing')", name="ck_webhook_endpoints_why"
        ),
        sa.CheckConstraint(
            "(disabled_at IS NULL) = (disabled_why IS NULL)",
            name="ck_webhook_endpoints_disabled",
        ),
    )


def _deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "endpoint_id", sa.String(32), sa.ForeignKey("webhook_endpoints.id"), nullable=False
        ),
        sa.Column("topic", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("webhook_id", sa.String(64), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("next_at", MOMENT),
        sa.Column("tried_at", MOMENT),
        sa.Column("answer_status", sa.Integer),
        sa.Column("answer_body", sa.Text),
        sa.Column("fault", sa.String(32)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('waiting', 'delivered', 'failed')", name="ck_webhook_deliveries_status"
        ),
        sa.CheckConstraint(
            "(status = 'waiting') = (ended_at IS NULL) AND (status = 'waiting' OR next_at IS NULL)",
            name="ck_webhook_deliveries_ended",
        ),
        sa.UniqueConstraint(
            "endpoint_id", "topic", "version", "round", name="uq_webhook_deliveries_message"
        ),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["endpoint_id", "next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
        sqlite_where=sa.text("next_at IS NOT NULL"),
    )
    op.create_index("ix_webhook_deliveries_created", "webhook_deliveries", ["created_at", "id"])


def downgrade() -> None:
    raise NotImplementedError("Money is not migrated backwards: restore a backup.")
