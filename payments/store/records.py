"""What was written down of a shop: read from one database, to be done again in another.

`COPIED`, `REBUILT` and `LEFT_OUT` name every table there is; why is in docs/adr/0030.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from payments.domain.notice import Notice
from payments.store.db import db, in_transaction
from payments.store.tables import (
    api_keys,
    audit,
    bank_lines,
    card_holders,
    confirmations,
    entries,
    idempotency_keys,
    inbox,
    leases,
    logins,
    orders,
    outbox,
    payments,
    postings,
    refunds,
    room_counts,
    seals,
    sightings,
    topics,
    users,
    wallets,
    webhook_deliveries,
    webhook_endpoints,
    withdrawals,
)

Row = Mapping[str, Any]

COPIED = (
    *(users, api_keys, logins, card_holders, topics, sightings, idempotency_keys, audit),
    *(webhook_endpoints, webhook_deliveries),
)
"""Nothing else makes them: people, their keys and logins, what they did, what they were told."""
REBUILT = (
    *(orders, payments, confirmations, inbox, bank_lines, refunds, withdrawals),
    *(wallets, postings, entries, outbox),
)
"""Made again, from their own terms and the deeds of the audit."""
LEFT_OUT = (leases, room_counts, seals)
"""Of the server processes that run at the moment, and what is sealed anew."""

AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One deed of the audit."""

    id: int
    at: datetime
    actor: str
    action: str
    order_id: str | None
    reason: str | None
    detail: dict[str, Any]

    def __str__(self) -> str:
        about = f" of order {self.order_id}" if self.order_id else ""
        return f"{self.action}{about} (audit line {self.id})"


_LINE = [audit.c[name] for name in Line.__dataclass_fields__]


class Records:
    """The records of one database, as they were at one moment."""

    def __init__(self, source: Connection) -> None:
        self.source = source

    def count_lines(self) -> int:
        return self.source.execute(select(func.count()).select_from(audit)).scalar_one()

    def lines(self, after: int) -> Sequence[Line]:
        """The next deeds, in the order in which they were written.

        Whoever changes an order holds it until the commit and writes the line meanwhile. So the
        lines of one order stand in the order of its changes, which ids of the inbox do not.
        """
        rows = self.source.execute(
            select(*_LINE).where(audit.c.id > after).order_by(audit.c.id).limit(AT_ONCE)
        )
        return [Line(**row._mapping) for row in rows]

    def order(self, order_id: str | None) -> Row | None:
        return self._one(orders, orders.c.id == order_id)

    def payment(self, reference: str | None) -> Row | None:
        return self._one(payments, payments.c.reference == reference)

    def refund(self, refund_id: str | None) -> Row | None:
        return self._one(refunds, refunds.c.id == refund_id)

    def withdrawal(self, withdrawal_id: str | None) -> Row | None:
        return self._one(withdrawals, withdrawals.c.id == withdrawal_id)

    def entry(self, entry_id: int | None) -> Row | None:
        return self._one(inbox, inbox.c.id == entry_id)

    def confirmation(self, confirmation_id: str) -> Row | None:
        return self._one(confirmations, confirmations.c.id == confirmation_id)

    def entry_of_staff(self, order_id: str | None, reference: str | None) -> Row | None:
        """By which staff confirmed this attempt: an attempt is confirmed once."""
        mine = (inbox.c.order_id == order_id) & (inbox.c.reference == reference)
        return self._one(inbox, mine & (inbox.c.source == "staff"))

    def lines_about(self, order_id: str | None, reference: str) -> Sequence[Line]:
        rows = self.source.execute(
            select(*_LINE).where(audit.c.order_id == order_id).order_by(audit.c.id)
        )
        lines = [Line(**row._mapping) for row in rows]
        return [one for one in lines if one.detail.get("reference") == reference]

    def _one(self, table: Table, which: ColumnElement[bool]) -> Row | None:
        row = self.source.execute(select(table).where(which)).one_or_none()
        return dict(row._mapping) if row else None

    def rows(self, table: Table, which: ColumnElement[bool] | None = None) -> Iterator[list[Row]]:
        """By so many at once, in the order of their keys."""
        query = select(table).order_by(*table.primary_key.columns)
        if which is not None:
            query = query.where(which)
        found = self.source.execute(query.execution_options(yield_per=AT_ONCE))
        for part in found.partitions():
            yield [dict(row._mapping) for row in part]

    def copy(
        self,
        table: Table,
        which: ColumnElement[bool] | None = None,
        without: Sequence[Column[Any]] = (),
    ) -> None:
        """Into this database as they are, but for the columns that are given anew here."""
        left_out = {column.name for column in without}
        for part in self.rows(table, which):
            values = [
                {name: value for name, value in row.items() if name not in left_out} for row in part
            ]
            in_transaction(lambda rows=values: db.session.execute(insert(table), rows))  # type: ignore[misc]

    def copy_questions(self) -> None:
        """When to ask the providers next, and how often they were asked: no decision, but news."""
        in_transaction(lambda: db.session.execute(update(payments).values(ask_at=None)))
        asked = or_(payments.c.ask_at.is_not(None), payments.c.asked_at.is_not(None))
        for part in self.rows(payments, asked):
            in_transaction(lambda rows=part: _set_questions(rows))  # type: ignore[misc]
        for part in self.rows(refunds, refunds.c.ask_at.is_not(None)):
            in_transaction(lambda rows=part: _set_refund_questions(rows))  # type: ignore[misc]
        for part in self.rows(withdrawals, withdrawals.c.status == "held"):
            in_transaction(lambda rows=part: _set_payout_questions(rows))  # type: ignore[misc]


def _set_questions(rows: Sequence[Row]) -> None:
    for row in rows:
        db.session.execute(
            update(payments)
            .where(payments.c.reference == row["reference"])
            .values(asked=row["asked"], asked_at=row["asked_at"], ask_at=row["ask_at"])
        )


def _set_refund_questions(rows: Sequence[Row]) -> None:
    for row in rows:
        db.session.execute(
            update(refunds).where(refunds.c.id == row["id"]).values(ask_at=row["ask_at"])
        )


def _set_payout_questions(rows: Sequence[Row]) -> None:
    """And what is on its way to a provider that has not answered: nothing is sent twice."""
    names = ("ask_at", "provider_payout_id")
    for row in rows:
        db.session.execute(
            update(withdrawals)
            .where(withdrawals.c.id == row["id"])
            .values({name: row[name] for name in names})
        )


def restore(entry: Row, notice: Notice) -> None:
    """An inbox entry under its own id, as it was before anybody had judged it."""
    longest = {"order_id": 64, "reference": 64}
    named = {name: (getattr(notice, name) or "")[:size] or None for name, size in longest.items()}
    fresh = {"verdict": "received", "reason": None, "resolved_at": None}
    db.session.execute(insert(inbox).values({**entry, **fresh, **named}))


def put(table: Table, row: Row, **changed: Any) -> None:
    """A row as it is, but for these columns."""
    db.session.execute(insert(table).values({**row, **changed}))


def publish_all() -> None:
    """What is told again was told then: no page of today hears it."""
    in_transaction(
        lambda: db.session.execute(
            update(outbox).where(outbox.c.published_at.is_(None)).values(published_at=outbox.c.at)
        )
    )


def count_on() -> None:
    """PostgreSQL's own counters go on after the ids that were given here."""
    if db.engine.dialect.name != "postgresql":
        return

    def change() -> None:
        for table in (inbox, audit):
            db.session.execute(
                text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :newest)"),
                {
                    "name": table.name,
                    "newest": db.session.execute(
                        select(func.coalesce(func.max(table.c.id), 0) + 1)
                    ).scalar_one(),
                },
            )

    in_transaction(change)
