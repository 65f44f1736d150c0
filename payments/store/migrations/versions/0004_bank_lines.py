"""Bank lines: the bank's own number of a transfer, and which lines tell of the same one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "bank_lines",
        sa.Column(
            "inbox_id", SERIAL, sa.ForeignKey("inbox.id"), primary_key=True, autoincrement=False
        ),
        sa.Column("number", sa.String(100)),
        sa.Column("same_as", SERIAL, sa.ForeignKey("inbox.id")),
    )
    op.create_index("ix_bank_lines_number", "bank_lines", ["number"])
    op.create_index("ix_bank_lines_same_as", "bank_lines", ["same_as"])


def downgrade() -> None:
    raise NotImplementedError("Money is not migrated backwards: restore a backup.")
