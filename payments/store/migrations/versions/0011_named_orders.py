"""Whose memo a bank's line had, whatever order its money was given to."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # In one statement: SQLite cannot add the foreign key afterwards.
    op.execute(
        "ALTER TABLE bank_lines ADD COLUMN named_order_id VARCHAR(64) REFERENCES orders (id)"
    )
    op.create_index("ix_bank_lines_named_order_id", "bank_lines", ["named_order_id"])


def downgrade() -> None:
    raise NotImplementedError("Money is not migrated backwards: restore a backup.")
