"""The chain of hashes over the postings: made behind the commit, walked by `ledger verify`.

Ids do not commit in their order, so the chain has an order of its own: whatever is committed and
has no seal is next, by id. Seals are never changed (triggers refuse it).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row, func, insert, select

from payments.domain.seal import GENESIS, SealedLeg, SealedPosting, link
from payments.store.db import db, now
from payments.store.tables import entries, postings, seals

MARGIN = 10_000
"""How far behind the newest seal a posting is looked for that committed later than its id says."""
FETCHED = 2_000
SEALERS = 0x7365616C
"""PostgreSQL's advisory lock of whoever adds to the chain."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of the chain; `seq` 0 and GENESIS where nothing is sealed."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Tail:
    """Postings that no seal stands for yet, and when the oldest of them was made."""

    count: int
    oldest: datetime | None


def head() -> Head:
    row = db.session.execute(
        select(seals.c.seq, seals.c.hash).order_by(seals.c.seq.desc()).limit(1)
    ).one_or_none()
    return Head(row.seq, row.hash) if row else Head(0, GENESIS)


def tail(after: int = 0) -> Tail:
    """Of the postings with an id above `after`: all of them, unless somebody is in a hurry."""
    row = db.session.execute(
        select(func.count(), func.min(postings.c.created_at))
        .select_from(postings.outerjoin(seals, seals.c.posting_id == postings.c.id))
        .where(postings.c.id > after, seals.c.posting_id.is_(None))
    ).one()
    return Tail(row[0], row[1])


def recent() -> int:
    """The id from which on postings may still be without a seal, but for the very slowest."""
    newest = db.session.execute(select(func.max(seals.c.posting_id))).scalar_one()
    return max(0, (newest or 0) - MARGIN)


def add(after: int, most: int) -> list[int]:
    """Seals up to `most` postings with an id above `after`, in the caller's transaction; which.

    Two who seal at once stand in line: a chain has one end.
    """
    if db.engine.dialect.name == "postgresql":
        db.session.execute(select(func.pg_advisory_xact_lock(SEALERS)))
    last, at = head(), now()
    rows: list[dict[str, Any]] = []
    before = last.hash
    for seq, posting in enumerate(_unsealed(after, most), last.seq + 1):
        before = link(before, posting)
        rows.append({"seq": seq, "posting_id": posting.id, "hash": before, "sealed_at": at})
    if rows:
        db.session.execute(insert(seals), rows)
    return [int(row["posting_id"]) for row in rows]


def _unsealed(after: int, most: int) -> list[SealedPosting]:
    without = postings.outerjoin(seals, seals.c.posting_id == postings.c.id)
    next_ones = (
        select(postings.c.id)
        .select_from(without)
        .where(postings.c.id > after, seals.c.posting_id.is_(None))
        .order_by(postings.c.id)
        .limit(most)
    )
    query = (
        select(*_COLUMNS)
        .select_from(without.outerjoin(entries, entries.c.posting_id == postings.c.id))
        .where(postings.c.id.in_(next_ones))
        .order_by(postings.c.id, entries.c.id)
    )
    return [posting for _, posting in _gathered(db.session.execute(query), "id") if posting]


_COLUMNS = (
    *(seals.c.seq, seals.c.posting_id, seals.c.hash),
    *(postings.c.id, postings.c.cause, postings.c.order_id, postings.c.created_at),
    *(entries.c.account, entries.c.currency, entries.c.amount, entries.c.balance_after),
)


def _gathered(rows: Iterable[Row[Any]], by: str) -> Iterator[tuple[Row[Any], SealedPosting | None]]:
    """The rows of one posting, which stand together, as one; None where there is no posting."""
    for _, few in groupby(rows, key=lambda row: getattr(row, by)):
        first, *others = few
        legs = [
            SealedLeg(row.account, row.currency, int(row.amount), row.balance_after)
            for row in (first, *others)
            if row.account is not None
        ]
        known = first.id is not None
        yield (
            first,
            SealedPosting(first.id, first.cause, first.order_id, first.created_at, legs)
            if known
            else None,
        )


def faults() -> Iterator[str]:
    """The first link that is not what it should be: what rests on a broken one proves nothing."""
    before = GENESIS
    for seq, (sealed, posting) in enumerate(_chain(), 1):
        if sealed.seq != seq:
            yield f"seal {seq}: it is missing"
            return
        if posting is None:
            yield f"seal {seq}: its posting {sealed.posting_id} is gone"
            return
        before = link(before, posting)
        if before != sealed.hash:
            yield f"seal {seq}: the link to posting {posting.id} ({posting.cause}) is broken"
            return


def has(noted: str) -> bool:
    """Whether this hash, which somebody wrote down as the head, is still a link of the chain."""
    if noted == GENESIS:
        return True
    found = db.session.execute(select(seals.c.seq).where(seals.c.hash == noted).limit(1))
    return found.one_or_none() is not None


def _chain() -> Iterator[tuple[Row[Any], SealedPosting | None]]:
    """Every seal with what it stands for, in order."""
    query = (
        select(*_COLUMNS)
        .select_from(
            seals.outerjoin(postings, postings.c.id == seals.c.posting_id).outerjoin(
                entries, entries.c.posting_id == postings.c.id
            )
        )
        .order_by(seals.c.seq, entries.c.id)
        .execution_options(yield_per=FETCHED)
    )
    return _gathered(db.session.execute(query), "seq")
