"""Orders, the attempts to pay them, and what staff and refunds do to them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
)

from payments.domain.states import OrderStatus, PaymentStatus
from payments.store.db import db
from payments.store.tables.columns import Amount, Moment, Serial, one_of, waiting

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
waiting(
    "ix_orders_open_expires",
    orders.c.expires_at,
    when=orders.c.status.in_(("pending", "partially_paid")),
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
waiting(
    "ix_payments_to_ask",
    payments.c.provider,
    payments.c.ask_at,
    payments.c.seq,
    when=payments.c.ask_at.is_not(None),
)

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

waiting(
    "ix_confirmations_held", confirmations.c.requested_at, when=confirmations.c.status == "held"
)

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
waiting("ix_refunds_to_ask", refunds.c.ask_at, when=refunds.c.ask_at.is_not(None))
waiting(
    "ix_refunds_by_hand",
    refunds.c.created_at,
    when=(refunds.c.status == "requested") & refunds.c.ask_at.is_(None),
)
Index("ix_refunds_provider_id", refunds.c.provider_refund_id)
