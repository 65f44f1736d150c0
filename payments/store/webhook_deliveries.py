"""Messages to endpoints: which wait, which are tried next, and how each ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from payments.domain.facts import Fact
from payments.domain.webhooks import AGAIN_AFTER_CRASH, KEPT, Answer, message_id, sent_as
from payments.store.db import LostRace, db, insert_once, now
from payments.store.tables import outbox
from payments.store.tables import webhook_deliveries as deliveries
from payments.store.webhooks import Endpoint

WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
STATUSES = (WAITING, DELIVERED, FAILED)
OUT_OF_ORDER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Delivery:
    """`fact` None: the outbox has forgotten it. `tries` is how often it was begun."""

    id: str
    endpoint_id: str
    topic: str
    version: int
    round: int
    event: str
    webhook_id: str
    status: str
    tries: int
    next_at: datetime | None
    tried_at: datetime | None
    answer_status: int | None
    answer_body: str | None
    fault: str | None
    created_at: datetime
    ended_at: datetime | None
    fact: Fact | None


_OWN = [name for name in Delivery.__dataclass_fields__ if name != "fact"]
_OF_FACT = [outbox.c[name].label(f"fact_{name}") for name in ("event", "snapshot", "about", "at")]


def _joined() -> Select[Any]:
    told = and_(outbox.c.topic == deliveries.c.topic, outbox.c.version == deliveries.c.version)
    return select(*(deliveries.c[name] for name in _OWN), *_OF_FACT).outerjoin(outbox, told)


def _delivery_of(row: Row[Any]) -> Delivery:
    about = (row.fact_event, row.fact_snapshot, row.fact_about, row.fact_at)
    fact = None if row.fact_at is None else Fact(row.topic, row.version, *about)
    return Delivery(**{name: getattr(row, name) for name in _OWN}, fact=fact)


def expect(facts: Sequence[Fact], listening: Sequence[Endpoint], new_id: Callable[[], str]) -> None:
    """A message for each fact and each endpoint that hears it, unless it is there already.

    In one order, so that two processes that do the same wait for each other and not for ever.
    """
    at = now()
    rows = [
        # A microsecond between two, so that they are listed and begun as they happened.
        _row(new_id(), endpoint.id, fact, at + timedelta(microseconds=place))
        for endpoint in listening
        for place, fact in enumerate(facts)
        if endpoint.hears(sent_as(fact) or "")
    ]
    if rows:
        dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
        db.session.execute(dialect.insert(deliveries).on_conflict_do_nothing(), rows)


def _row(
    delivery_id: str, endpoint_id: str, fact: Fact, at: datetime, round_: int = 0
) -> dict[str, Any]:
    return {
        "id": delivery_id,
        "endpoint_id": endpoint_id,
        "topic": fact.topic,
        "version": fact.version,
        "round": round_,
        "event": sent_as(fact),
        "webhook_id": message_id(fact),
        "status": WAITING,
        "tries": 0,
        "next_at": at,
        "created_at": at,
    }


def send_again(delivery: Delivery, fact: Fact, delivery_id: str) -> Delivery:
    """A new row for the same message. Raises LostRace where somebody else does the same."""
    mine = (
        (deliveries.c.endpoint_id == delivery.endpoint_id)
        & (deliveries.c.topic == delivery.topic)
        & (deliveries.c.version == delivery.version)
    )
    last = db.session.execute(select(func.max(deliveries.c.round)).where(mine)).scalar_one()
    row = _row(delivery_id, delivery.endpoint_id, fact, now(), int(last or 0) + 1)
    if insert_once(deliveries, row, deliveries.c.id) is None:
        raise LostRace(delivery.id)
    made = find(delivery_id)
    assert made is not None  # noqa: S101 (it was written a moment ago)
    return made


def last_of_each(endpoint_id: str, facts: Sequence[Fact]) -> dict[tuple[str, int], Delivery]:
    """By topic and version: the newest message to this endpoint about each of these facts."""
    named = tuple_(deliveries.c.topic, deliveries.c.version)
    rows = db.session.execute(
        _joined()
        .where(
            deliveries.c.endpoint_id == endpoint_id,
            named.in_([(fact.topic, fact.version) for fact in facts]),
        )
        .order_by(deliveries.c.round)
    )
    return {(row.topic, row.version): _delivery_of(row) for row in rows}


def fact_before(since: datetime) -> int:
    """The id of a fact of the outbox from which on nothing since then is left out; or 0.

    Ids do not commit in order, but nearly.
    """
    query = select(outbox.c.id).where(outbox.c.at < since - OUT_OF_ORDER)
    return int(db.session.execute(query.order_by(outbox.c.id.desc()).limit(1)).scalar() or 0)


def find(delivery_id: str) -> Delivery | None:
    row = db.session.execute(_joined().where(deliveries.c.id == delivery_id)).one_or_none()
    return _delivery_of(row) if row else None


def page(
    *,
    endpoint_id: str | None = None,
    status: str | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int,
) -> Sequence[Delivery]:
    """Newest first."""
    query = _joined().order_by(deliveries.c.created_at.desc(), deliveries.c.id.desc())
    if endpoint_id is not None:
        query = query.where(deliveries.c.endpoint_id == endpoint_id)
    if status is not None:
        query = query.where(deliveries.c.status == status)
    if before is not None:
        at, last = before
        older = and_(deliveries.c.created_at == at, deliveries.c.id < last)
        query = query.where(or_(deliveries.c.created_at < at, older))
    return [_delivery_of(row) for row in db.session.execute(query.limit(limit))]


def begin(endpoint_id: str, at: datetime, again_at: datetime, limit: int) -> Sequence[Delivery]:
    """Those that are tried now, oldest first.

    That they are is written first: after a crash they are due again at `again_at`.
    """
    due = db.session.execute(
        _joined()
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.next_at <= at)
        .order_by(deliveries.c.next_at, deliveries.c.created_at, deliveries.c.id)
        .limit(limit)
    )
    return [begun for row in due.all() if (begun := _begin(_delivery_of(row), at, again_at))]


def _begin(delivery: Delivery, at: datetime, again_at: datetime) -> Delivery | None:
    """None: another process has begun it."""
    rows = db.session.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery.id, deliveries.c.next_at == delivery.next_at)
        .values(next_at=again_at, tried_at=at, tries=delivery.tries + 1)
        .returning(deliveries.c.tries)
    ).one_or_none()
    if rows is None:
        return None
    values = {name: getattr(delivery, name) for name in Delivery.__dataclass_fields__}
    return Delivery(**{**values, "tries": rows.tries, "tried_at": at, "next_at": again_at})


def delivered(delivery: Delivery, answer: Answer) -> None:
    """Whoever else tries it meanwhile: it has been taken."""
    _end(delivery, deliveries.c.status == WAITING, answer, DELIVERED, None)


def not_taken(delivery: Delivery, answer: Answer, again_at: datetime | None) -> bool:
    """False: another process has begun the next try, or it has been taken."""
    same = (deliveries.c.tries == delivery.tries) & (deliveries.c.status == WAITING)
    return _end(delivery, same, answer, WAITING if again_at else FAILED, again_at)


def _end(
    delivery: Delivery, still: Any, answer: Answer, status: str, again_at: datetime | None
) -> bool:
    rows = db.session.execute(
        update(deliveries)
        .where(deliveries.c.id == delivery.id, still)
        .values(
            status=status,
            next_at=again_at,
            answer_status=answer.status,
            answer_body=answer.body,
            fault=answer.fault,
            ended_at=None if status == WAITING else now(),
        )
        .returning(deliveries.c.id)
    )
    return rows.one_or_none() is not None


def hold(endpoint_id: str) -> None:
    """Nothing is sent to it until `release`."""
    db.session.execute(
        update(deliveries)
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.next_at.is_not(None))
        .values(next_at=None)
    )


def release(endpoint_id: str) -> None:
    db.session.execute(
        update(deliveries)
        .where(deliveries.c.endpoint_id == endpoint_id, deliveries.c.status == WAITING)
        .values(next_at=now())
    )


def hurry(endpoint_id: str, since: datetime) -> int:
    """What has failed before and waits is due now, but for what may be under way; how many."""
    at = now()
    rows = db.session.execute(
        update(deliveries)
        .where(
            deliveries.c.endpoint_id == endpoint_id,
            deliveries.c.next_at > at + AGAIN_AFTER_CRASH,
            deliveries.c.created_at >= since,
        )
        .values(next_at=at)
        .returning(deliveries.c.id)
    )
    return len(rows.all())


def waiting() -> int:
    """To enabled endpoints, tried or not."""
    return int(
        db.session.execute(
            select(func.count()).where(deliveries.c.next_at.is_not(None))
        ).scalar_one()
    )


def forget_old() -> None:
    """What was to be sent so long ago, whatever became of it."""
    db.session.execute(delete(deliveries).where(deliveries.c.created_at < now() - KEPT))
