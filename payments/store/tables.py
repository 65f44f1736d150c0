"""The tables. Their constraints make the wrong thing impossible; the code above only explains it.

A double credit would need a second row with the same (provider, event id), the same (provider,
transaction id) or the same posting cause: each is unique here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from payments.domain.states import OrderStatus, PaymentStatus
from payments.store.db import db


class Moment(TypeDecorator[datetime]):
    """A time in UTC, aware on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Amount = BigInteger
Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows only for the exact type INTEGER."""


def one_of(column: str, values: type[Enum] | tuple[str, ...], name: str) -> CheckConstraint:
    words = [v.value for v in values] if isinstance(values, type) else values
    return CheckConstraint(f"{column} IN ({', '.join(repr(w) for w in words)})", name=name)


ROLES = ("customer", "clerk", "manager", "accountant", "admin")

users = db.Table(
    "users",
    Column("id", String(64), primary_key=True),
    Column("email", String(254), unique=True),
    Column("name", String(200)),
    Column("locale", String(16)),
    Column("role", String(16), nullable=False),
    Column("password_hash", String(200)),
    Column("disabled_at", Moment),
    Column("created_at", Moment, nullable=False),
    one_of("role", ROLES, "ck_users_role"),
)

logins = db.Table(
    "logins",
    Column("id", String(32), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
)
Index("ix_logins_created", logins.c.created_at)

api_keys = db.Table(
    "api_keys",
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)

orders = db.Table(
    "orders",
    Column("id", String(64), primary_key=True),
    Column("status", String(24), nullable=False),
    Column("version", Integer, nullable=False),
    Column("amount", Amount, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_paid", Amount, nullable=False, default=0),
    Column("amount_excess", Amount, nullable=False, default=0),
    Column("amount_refunded", Amount, nullable=False, default=0),
    Column("amount_credited", Amount, nullable=False, server_default="0"),
    Column("purpose", String(16), nullable=False, server_default="sale"),
    Column("description", String(500), nullable=False),
    Column("late", Boolean, nullable=False, default=False),
    Column("customer_id", String(64)),
    Column("customer_email", String(254)),
    Column("customer_name", String(200)),
    Column("salon_id", String(64)),
    Column("return_url", String(2000)),
    Column("metadata", JSON, nullable=False),
    Column("created_by", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("ended_at", Moment),
    one_of("status", OrderStatus, "ck_orders_status"),
    CheckConstraint("amount > 0", name="ck_orders_amount"),
    CheckConstraint("version > 0", name="ck_orders_version"),
    CheckConstraint("amount_excess BETWEEN 0 AND amount_paid", name="ck_orders_excess"),
    CheckConstraint("amount_refunded BETWEEN 0 AND amount_paid", name="ck_orders_refunded"),
    CheckConstraint(
        "amount_credited >= 0 AND amount_excess + amount_credited <= amount_paid",
        name="ck_orders_credited",
    ),
    CheckConstraint(
        "purpose = 'sale' OR (purpose = 'deposit' AND customer_id IS NOT NULL)",
        name="ck_orders_purpose",
    ),
    CheckConstraint("status <> 'paid' OR amount_paid >= amount", name="ck_orders_paid"),
)
Index("ix_orders_created", orders.c.created_at, orders.c.id)
Index("ix_orders_customer", orders.c.customer_id)
Index(
    "ix_orders_open_expires",
    orders.c.expires_at,
    postgresql_where=orders.c.status.in_(("pending", "partially_paid")),
    sqlite_where=orders.c.status.in_(("pending", "partially_paid")),
)

payments = db.Table(
    "payments",
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("reference", String(64), nullable=False, unique=True),
    Column("order_id", String(64), ForeignKey("orders.id"), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_received", Amount, nullable=False, default=0),
    Column("transaction_id", String(128)),
    Column("confirmed_by", String(100)),
    Column("action", JSON),
    Column("failure_code", String(64)),
    Column("handle", JSON),
    Column("asked", Integer, nullable=False, default=0),
    Column("asked_at", Moment),
    Column("ask_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    one_of("status", PaymentStatus, "ck_payments_status"),
    CheckConstraint("amount > 0 AND amount_received >= 0", name="ck_payments_amount"),
    CheckConstraint(
        "(status = 'succeeded') = (amount_received > 0)", name="ck_payments_received_iff_succeeded"
    ),
    UniqueConstraint("provider", "transaction_id", name="uq_payments_transaction"),
)
Index(
    "ix_payments_to_ask",
    payments.c.provider,
    payments.c.ask_at,
    payments.c.seq,
    postgresql_where=payments.c.ask_at.is_not(None),
    sqlite_where=payments.c.ask_at.is_not(None),
)

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
Index(
    "ix_inbox_unresolved",
    inbox.c.id,
    postgresql_where=inbox.c.verdict.in_(("parked", "conflict")) & inbox.c.resolved_at.is_(None),
    sqlite_where=inbox.c.verdict.in_(("parked", "conflict")) & inbox.c.resolved_at.is_(None),
)

bank_lines = db.Table(
    "bank_lines",
    Column("inbox_id", Serial, ForeignKey("inbox.id"), primary_key=True, autoincrement=False),
    Column("number", String(100), index=True),
    Column("same_as", Serial, ForeignKey("inbox.id"), index=True),
)
"""Money that a feed says came to the account, by the inbox entry that told of it.

`number` is the bank's own for the transfer, in capitals. `same_as`: another feed had told of this
transfer before; the entry that told first.
"""

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
Index(
    "ix_entries_wallet",
    entries.c.account,
    entries.c.id,
    postgresql_where=entries.c.balance_after.is_not(None),
    sqlite_where=entries.c.balance_after.is_not(None),
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
Index(
    "ix_withdrawals_to_ask",
    withdrawals.c.ask_at,
    postgresql_where=withdrawals.c.ask_at.is_not(None),
    sqlite_where=withdrawals.c.ask_at.is_not(None),
)
Index(
    "ix_withdrawals_by_hand",
    withdrawals.c.created_at,
    postgresql_where=(withdrawals.c.status == "held") & withdrawals.c.ask_at.is_(None),
    sqlite_where=(withdrawals.c.status == "held") & withdrawals.c.ask_at.is_(None),
)
Index("ix_withdrawals_payout", withdrawals.c.provider_payout_id)

refunds = db.Table(
    "refunds",
    Column("id", String(64), primary_key=True),
    Column("order_id", String(64), ForeignKey("orders.id"), nullable=False, index=True),
    Column("reference", String(64), ForeignKey("payments.reference"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("from_suspense", Amount, nullable=False),
    Column("provider_refund_id", String(128)),
    Column("wallet_of", String(64), ForeignKey("users.id")),
    Column("reason", String(500), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("ask_at", Moment),
    Column("ended_at", Moment),
    one_of("status", ("requested", "succeeded", "failed"), "ck_refunds_status"),
    CheckConstraint("amount > 0 AND from_suspense BETWEEN 0 AND amount", name="ck_refunds_amount"),
)
Index(
    "ix_refunds_to_ask",
    refunds.c.ask_at,
    postgresql_where=refunds.c.ask_at.is_not(None),
    sqlite_where=refunds.c.ask_at.is_not(None),
)
Index(
    "ix_refunds_by_hand",
    refunds.c.created_at,
    postgresql_where=(refunds.c.status == "requested") & refunds.c.ask_at.is_(None),
    sqlite_where=(refunds.c.status == "requested") & refunds.c.ask_at.is_(None),
)
Index("ix_refunds_provider_id", refunds.c.provider_refund_id)

confirmations = db.Table(
    "confirmations",
    Column("id", String(32), primary_key=True),
    Column("order_id", String(64), ForeignKey("orders.id"), nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("amount", Amount, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("evidence", String(100), nullable=False, unique=True),
    Column("requested_by", String(100), nullable=False),
    Column("requested_at", Moment, nullable=False),
    Column("approved_by", String(100)),
    Column("approved_at", Moment),
    one_of("status", ("held", "applied"), "ck_confirmations_status"),
    CheckConstraint("amount > 0", name="ck_confirmations_amount"),
    CheckConstraint("approved_by <> requested_by", name="ck_confirmations_two_people"),
)

Index(
    "ix_confirmations_held",
    confirmations.c.requested_at,
    postgresql_where=confirmations.c.status == "held",
    sqlite_where=confirmations.c.status == "held",
)

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
Index(
    "ix_outbox_unpublished",
    outbox.c.id,
    postgresql_where=outbox.c.published_at.is_(None),
    sqlite_where=outbox.c.published_at.is_(None),
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

Index(
    "ix_audit_claims",
    audit.c.id,
    postgresql_where=audit.c.action == "customer.claimed_paid",
    sqlite_where=audit.c.action == "customer.claimed_paid",
)

sightings = db.Table(
    "sightings",
    Column("topic", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
)

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

card_holders = db.Table(
    "card_holders",
    Column("provider", String(32), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.id"), primary_key=True),
    Column("reference", String(64), nullable=False, unique=True),
    Column("handle", JSON),
    Column("told", JSON, nullable=False),
    Column("kept_at", Moment),
    Column("ask_at", Moment),
    Column("created_at", Moment, nullable=False),
)
"""Who keeps cards with a provider: `reference` is ours for the person, `handle` the provider's.

The cards themselves are only with the provider: `told` are the tokens of those that the person has
been told of, `kept_at` is when a payment last kept one, `ask_at` when the list is asked for it.
"""
Index(
    "ix_card_holders_to_ask",
    card_holders.c.ask_at,
    postgresql_where=card_holders.c.ask_at.is_not(None),
    sqlite_where=card_holders.c.ask_at.is_not(None),
)

topics = db.Table(
    "topics",
    Column("topic", String(100), primary_key=True),
    Column("version", Integer, nullable=False),
    CheckConstraint("version > 0", name="ck_topics_version"),
)
"""The versions of topics that are no order's: a person's wallet and cards."""

room_counts = db.Table(
    "room_counts",
    Column("topic", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("instance", String(32), primary_key=True),
    Column("rooms", JSON, nullable=False),
    Column("at", Moment, nullable=False),
)
"""What each server process answered when it was asked who listens; kept for a day."""

leases = db.Table(
    "leases",
    Column("name", String(64), primary_key=True),
    Column("holder", String(32), nullable=False),
    Column("until", Moment, nullable=False),
)
"""Which process does which periodic work, and until when unless it renews."""
