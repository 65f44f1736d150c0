"""Endpoints: who is told of what, with which secrets, and whether they take it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, exists, func, insert, or_, select, update

from payments.store.db import db
from payments.store.tables import webhook_deliveries as deliveries
from payments.store.tables import webhook_endpoints as endpoints


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`events` empty: all there are. Neither secret is ever shown again, logged or audited."""

    id: str
    url: str
    events: tuple[str, ...]
    secret: str = field(repr=False)
    previous_secret: str | None = field(repr=False)
    previous_until: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None
    failing_since: datetime | None
    failed_at: datetime | None
    created_by: str
    created_at: datetime

    @property
    def enabled(self) -> bool:
        return self.disabled_at is None

    def hears(self, event: str) -> bool:
        return not self.events or event in self.events

    def signing(self, at: datetime) -> tuple[str, ...]:
        """The secrets that sign at this time; both for a while after a rotation."""
        both = self.previous_until is not None and at < self.previous_until
        return (self.secret, self.previous_secret or "") if both else (self.secret,)


_COLUMNS = [endpoints.c[name] for name in Endpoint.__dataclass_fields__]


def _endpoint_of(row: Row[Any]) -> Endpoint:
    return Endpoint(**{**row._mapping, "events": tuple(row.events)})


def add(endpoint_id: str, **values: Any) -> None:
    db.session.execute(insert(endpoints).values(id=endpoint_id, **values))


def find(endpoint_id: str) -> Endpoint | None:
    row = db.session.execute(select(*_COLUMNS).where(endpoints.c.id == endpoint_id)).one_or_none()
    return _endpoint_of(row) if row else None


def lock(endpoint_id: str) -> Endpoint | None:
    """Nobody else changes it until the transaction ends."""
    row = db.session.execute(
        select(*_COLUMNS).where(endpoints.c.id == endpoint_id).with_for_update()
    ).one_or_none()
    return _endpoint_of(row) if row else None


def page(before: tuple[datetime, str] | None, limit: int) -> Sequence[Endpoint]:
    """Newest first."""
    query = select(*_COLUMNS).order_by(endpoints.c.created_at.desc(), endpoints.c.id.desc())
    if before is not None:
        at, last = before
        older = and_(endpoints.c.created_at == at, endpoints.c.id < last)
        query = query.where(or_(endpoints.c.created_at < at, older))
    return [_endpoint_of(row) for row in db.session.execute(query.limit(limit))]


def count() -> int:
    return int(db.session.execute(select(func.count()).select_from(endpoints)).scalar_one())


def listening() -> Sequence[Endpoint]:
    """Those that are enabled. None of them is removed before the transaction ends."""
    rows = db.session.execute(
        select(*_COLUMNS)
        .where(endpoints.c.disabled_at.is_(None))
        .order_by(endpoints.c.id)
        .with_for_update(read=True, key_share=True)
    )
    return [_endpoint_of(row) for row in rows]


def with_something_due(at: datetime) -> Sequence[Endpoint]:
    """The enabled endpoints for which a message is to be sent by now."""
    due = exists().where(deliveries.c.endpoint_id == endpoints.c.id, deliveries.c.next_at <= at)
    rows = db.session.execute(
        select(*_COLUMNS).where(endpoints.c.disabled_at.is_(None), due).order_by(endpoints.c.id)
    )
    return [_endpoint_of(row) for row in rows]


def change(endpoint_id: str, **values: Any) -> None:
    db.session.execute(update(endpoints).where(endpoints.c.id == endpoint_id).values(**values))


def remove(endpoint_id: str) -> None:
    """With all that was ever sent to it."""
    db.session.execute(delete(deliveries).where(deliveries.c.endpoint_id == endpoint_id))
    db.session.execute(delete(endpoints).where(endpoints.c.id == endpoint_id))
