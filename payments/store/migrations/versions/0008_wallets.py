"""Wallets: balances, withdrawals, what orders credited; postings sealed by a chain of hashes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _columns()
    _wallets()
    _withdrawals()
    _seals()


def _columns() -> None:
    # Written out, for SQLite takes a constraint only together with its column.
    credited = "amount_credited >= 0 AND amount_excess + amount_credited <= amount_paid"
    purpose = "purpose = 'sale' OR (purpose = 'deposit' AND customer_id IS NOT NULL)"
    op.execute(
        "ALTER TABLE orders ADD COLUMN amount_credited BIGINT NOT NULL DEFAULT 0 "
        f"CONSTRAINT ck_orders_credited CHECK ({credited})"
    )
    op.execute(
        "ALTER TABLE orders ADD COLUMN purpose VARCHAR(16) NOT NULL DEFAULT 'sale' "
        f"CONSTRAINT ck_orders_purpose CHECK ({purpose})"
    )
    op.execute(
        "ALTER TABLE entries ADD COLUMN balance_after BIGINT "
        "CONSTRAINT ck_entries_balance_after CHECK (balance_after >= 0)"
    )
    op.execute("ALTER TABLE refunds ADD COLUMN wallet_of VARCHAR(64) REFERENCES users (id)")
    _waiting("ix_entries_wallet", "entries", ["account", "id"], "balance_after IS NOT NULL")


def _wallets() -> None:
    op.create_table(
        "wallets",
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("currency", sa.String(3), primary_key=True),
        sa.Column("balance", sa.BigInteger, nullable=False),
        sa.CheckConstraint("balance >= 0", name="ck_wallets_balance"),
    )


def _withdrawals() -> None:
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("fee", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(32)),
        sa.Column("destination", sa.JSON, nullable=False),
        sa.Column("provider_payout_id", sa.String(128)),
        sa.Column("evidence", sa.String(100), unique=True),
        sa.Column("reason", sa.String(500)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ask_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('held', 'settled', 'returned')", name="ck_withdrawals_status"
        ),
        sa.CheckConstraint("amount > 0 AND fee >= 0", name="ck_withdrawals_amount"),
    )
    op.create_index("ix_withdrawals_user", "withdrawals", ["user_id", "created_at"])
    op.create_index("ix_withdrawals_payout", "withdrawals", ["provider_payout_id"])
    _waiting("ix_withdrawals_to_ask", "withdrawals", ["ask_at"], "ask_at IS NOT NULL")
    by_hand = "status = 'held' AND ask_at IS NULL"
    _waiting("ix_withdrawals_by_hand", "withdrawals", ["created_at"], by_hand)


def _seals() -> None:
    op.create_table(
        "seals",
        sa.Column("seq", SERIAL, primary_key=True, autoincrement=False),
        sa.Column("posting_id", SERIAL, sa.ForeignKey("postings.id"), nullable=False, unique=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("sealed_at", MOMENT, nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER seals_no_{deed.lower()} BEFORE {deed} ON seals "
                "BEGIN SELECT RAISE(ABORT, 'seals is append-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seals "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _waiting(name: str, table: str, columns: list[str], what: str) -> None:
    op.create_index(
        name, table, columns, postgresql_where=sa.text(what), sqlite_where=sa.text(what)
    )


def downgrade() -> None:
    raise NotImplementedError("Money is not migrated backwards: restore a backup.")
