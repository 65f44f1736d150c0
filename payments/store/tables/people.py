"""People, and by what they are known."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Index, Integer, String

from payments.store.db import db
from payments.store.tables.columns import Moment, one_of, waiting

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

card_holders = db.Table(
    "card_holders",
    Column("provider", String(32), primary_key=True),
    Column("user_id", String(64), ForeignKey("users.id"), primary_key=True),
    Column("reference", String(64), nullable=False, unique=True),
    Column("handle", JSON),
    Column("told", JSON, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("kept_at", Moment),
    Column("ask_at", Moment),
    Column("created_at", Moment, nullable=False),
)
"""Who keeps cards with a provider: `reference` is ours for the person, `handle` the provider's.

The cards themselves are only with the provider: `told` are the tokens of those that the person has
been told of, `revision` counts what has changed among them, `kept_at` is when a payment last kept
one, `ask_at` when the list is asked for it.
"""
waiting("ix_card_holders_to_ask", card_holders.c.ask_at, when=card_holders.c.ask_at.is_not(None))
