"""What was read of a callback stays with it, for a rebuild; an index for everything that waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("inbox", sa.Column("notice", sa.JSON))
    op.drop_index("ix_payments_to_ask", "payments")
    _waiting("ix_payments_to_ask", "payments", ["provider", "ask_at", "seq"], "ask_at IS NOT NULL")
    by_hand = "status = 'requested' AND ask_at IS NULL"
    _waiting("ix_refunds_by_hand", "refunds", ["created_at"], by_hand)
    _waiting("ix_confirmations_held", "confirmations", ["requested_at"], "status = 'held'")
    _waiting("ix_audit_claims", "audit", ["id"], "action = 'customer.claimed_paid'")
    op.create_index("ix_idempotency_keys_created", "idempotency_keys", ["created_at"])


def _waiting(name: str, table: str, columns: list[str], what: str) -> None:
    op.create_index(
        name, table, columns, postgresql_where=sa.text(what), sqlite_where=sa.text(what)
    )


def downgrade() -> None:
    raise NotImplementedError("Money is not migrated backwards: restore a backup.")
