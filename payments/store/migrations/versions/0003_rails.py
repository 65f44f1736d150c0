"""Rails: what an adapter keeps of an attempt, questions about refunds, bank lines, saved cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("handle", sa.JSON))
    op.add_column("payments", sa.Column("asked_at", sa.DateTime(timezone=True)))
    op.add_column("inbox", sa.Column("text", sa.String(500)))
    op.add_column("refunds", sa.Column("ask_at", sa.DateTime(timezone=True)))
    op.create_index(
        "ix_refunds_to_ask",
        "refunds",
        ["ask_at"],
        postgresql_where=sa.text("ask_at IS NOT NULL"),
        sqlite_where=sa.text("ask_at IS NOT NULL"),
    )
    op.create_index("ix_refunds_provider_id", "refunds", ["provider_refund_id"])
    op.execute("UPDATE refunds SET ask_at = created_at WHERE status = 'requested'")
    op.create_table(
        "card_holders",
        sa.Column("provider", sa.String(32), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("reference", sa.String(64), nullable=False, unique=True),
        sa.Column("handle", sa.JSON),
        sa.Column("told", sa.JSON, nullable=False),
        sa.Column("kept_at", sa.DateTime(timezone=True)),
        sa.Column("ask_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(
        "ix_card_holders_to_ask",
        "card_holders",
        ["ask_at"],
        postgresql_where=sa.text("ask_at IS NOT NULL"),
        sqlite_where=sa.text("ask_at IS NOT NULL"),
    )
    op.create_table(
        "topics",
        sa.Column("topic", sa.String(100), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.CheckConstraint("version > 0", name="ck_topics_version"),
    )


def downgrade() -> None:
    raise NotImplementedError("Money is not migrated backwards: restore a backup.")
