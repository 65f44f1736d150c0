"""What server processes tell each other."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Integer, String

from payments.store.db import db
from payments.store.tables.columns import Moment

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
