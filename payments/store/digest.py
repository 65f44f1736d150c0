"""The ledger in one line of letters: the same for the same money, whichever database holds it.

It covers every entry with its cause, order, account, currency and amount, in an order of its own;
not ids of rows, and no times. Two names in causes are ids of inbox entries: there the entry's
provider and event stand instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, String, cast, collate, or_, select

from payments.domain.ledger import ASSIGNED, RETURNED
from payments.store.tables import entries, inbox, postings

OF_LINES = ("unmatched", ASSIGNED, RETURNED)
"""The words of causes that an inbox entry's id follows."""

FETCHED = 2_000
LOOKED_UP = 500


class Leg(NamedTuple):
    """One entry of the ledger; `amount` in minor units, debits positive."""

    cause: str
    order_id: str
    account: str
    currency: str
    amount: int

    def __str__(self) -> str:
        order = f" of order {self.order_id}" if self.order_id else ""
        return f"{self.cause}{order}: {self.account} {self.amount} {self.currency}"


@dataclass(frozen=True, slots=True)
class Digest:
    """`text` is `sha256:` and 64 hexadecimal digits."""

    text: str
    postings: int
    entries: int


def of(connection: Connection) -> Digest:
    whole, causes, count, last = hashlib.sha256(), 0, 0, None
    for leg in legs(connection):
        whole.update(json.dumps(leg, ensure_ascii=False).encode() + b"\n")
        count += 1
        causes += leg.cause != last
        last = leg.cause
    return Digest(f"sha256:{whole.hexdigest()}", causes, count)


def legs(connection: Connection) -> Iterator[Leg]:
    """All of them: first those that the database can put in order, then those of bank lines."""
    named_by_id = or_(*(postings.c.cause.startswith(f"{word}:") for word in OF_LINES))
    yield from _read(connection, ~named_by_id)
    yield from sorted(_renamed(connection, list(_read(connection, named_by_id))))


def first_difference(ours: Connection, theirs: Connection) -> str | None:
    """In words, the first entry that only one of the two ledgers has; None where they are one."""
    left, right = legs(ours), legs(theirs)
    while True:
        one, other = next(left, None), next(right, None)
        if one == other:
            if one is None:
                return None
            continue
        if other is None or (one is not None and _place(one) < _place(other)):
            return f"only the first ledger has {one}"
        return f"only the second ledger has {other}"


def _place(leg: Leg) -> tuple[bool, Leg]:
    return leg.cause.startswith(tuple(f"{word}:" for word in OF_LINES)), leg


def _read(connection: Connection, which: ColumnElement[bool]) -> Iterator[Leg]:
    query = (
        select(
            postings.c.cause,
            postings.c.order_id,
            entries.c.account,
            entries.c.currency,
            entries.c.amount,
        )
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(which)
        .order_by(
            *(
                _by_bytes(connection, column)
                for column in (postings.c.cause, entries.c.account, entries.c.currency)
            ),
            entries.c.amount,
        )
        .execution_options(yield_per=FETCHED)
    )
    for row in connection.execute(query):
        yield Leg(row.cause, row.order_id or "", row.account, row.currency, int(row.amount))


def _by_bytes(connection: Connection, column: ColumnElement[str]) -> ColumnElement[str]:
    """In the same order everywhere, whatever language a PostgreSQL sorts in."""
    return collate(column, "C") if connection.dialect.name == "postgresql" else column


def _renamed(connection: Connection, found: Sequence[Leg]) -> Iterator[Leg]:
    ids = sorted({_entry_of(leg.cause) for leg in found})
    named: dict[str, str] = {}
    for start in range(0, len(ids), LOOKED_UP):
        chunk = ids[start : start + LOOKED_UP]
        rows = connection.execute(
            select(cast(inbox.c.id, String), inbox.c.provider, inbox.c.event_id).where(
                inbox.c.id.in_([int(one) for one in chunk if one.isdecimal()])
            )
        )
        named |= {one: f"{provider}:{event_id}" for one, provider, event_id in rows}
    for leg in found:
        word, entry = leg.cause.split(":", 1)
        yield leg._replace(cause=f"{word}:{named.get(entry, entry)}")


def _entry_of(cause: str) -> str:
    return cause.split(":", 1)[1]
