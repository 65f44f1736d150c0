"""Money that bank feeds have told of: which lines are one transfer, and which wait for a home."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, and_, func, insert, or_, select, update

from payments.domain.ledger import ASSIGNED, RETURNED, SUSPENSE, unmatched_cause
from payments.domain.transfers import Line
from payments.store.db import db
from payments.store.tables import bank_lines, entries, inbox, postings

_NUMBERS = 0x62616E6B
"""The space of PostgreSQL's advisory locks that is the bank numbers' alone."""


@dataclass(frozen=True, slots=True)
class BankLine:
    """A line with what became of it; `same_as` is the entry that first told of its transfer."""

    id: int
    provider: str
    event_id: str
    received_at: datetime
    verdict: str
    reason: str | None
    order_id: str | None
    reference: str | None
    transaction_id: str | None
    amount: int
    currency: str
    text: str | None
    resolved_at: datetime | None
    number: str | None
    same_as: int | None

    @property
    def told(self) -> Line:
        return Line(self.provider, self.amount, self.currency, self.number, self.text)

    @property
    def first(self) -> int:
        return self.same_as or self.id

    @property
    def waits(self) -> bool:
        """Its money is held, and nobody has said whose it is."""
        return self.verdict == "parked" and self.resolved_at is None and self.same_as is None


_OWN = ("number", "same_as")
_COLUMNS = [
    (bank_lines if name in _OWN else inbox).c[name] for name in BankLine.__dataclass_fields__
]
_LINES = inbox.join(bank_lines, bank_lines.c.inbox_id == inbox.c.id)
_WAITING = and_(
    inbox.c.verdict == "parked", inbox.c.resolved_at.is_(None), bank_lines.c.same_as.is_(None)
)


def _read(query: Select[tuple[object, ...]]) -> Sequence[BankLine]:
    return [BankLine(**row._mapping) for row in db.session.execute(query)]


def _lines() -> Select[tuple[object, ...]]:
    return select(*_COLUMNS).select_from(_LINES)


def add(entry_id: int, number: str | None, order_id: str | None) -> None:
    """`order_id`: the order that its memo names."""
    db.session.execute(
        insert(bank_lines).values(inbox_id=entry_id, number=number, named_order_id=order_id)
    )


def stand_in_line(number: str) -> None:
    """Whoever has to do with the same transfer waits for the end of the other's transaction.

    SQLite's writers stand in one line already.
    """
    if db.engine.dialect.name == "postgresql":
        db.session.execute(select(func.pg_advisory_xact_lock(_NUMBERS, func.hashtext(number))))


def find(entry_id: int) -> BankLine | None:
    found = _read(_lines().where(inbox.c.id == entry_id))
    return found[0] if found else None


def like(line: BankLine, order_id: str | None) -> Sequence[BankLine]:
    """Other feeds' lines that may tell of this transfer, oldest first: by number or by order.

    Also those whose money staff have given to another order than their memo names.
    """
    near = []
    if line.number:
        near.append(bank_lines.c.number == line.number)
    if order_id:
        near += [inbox.c.order_id == order_id, bank_lines.c.named_order_id == order_id]
    if not near:
        return []
    return _read(
        _lines()
        .where(
            or_(*near),
            inbox.c.provider != line.provider,
            inbox.c.amount == line.amount,
            inbox.c.currency == line.currency,
        )
        .order_by(inbox.c.id)
    )


def telling_of(first: int) -> Sequence[BankLine]:
    """All lines of one transfer, by the entry that told of it first."""
    return _read(_lines().where(or_(inbox.c.id == first, bank_lines.c.same_as == first)))


def numbered(number: str) -> Sequence[BankLine]:
    """What feeds have told under this number of a bank's, oldest first."""
    return _read(_lines().where(bank_lines.c.number == number).order_by(inbox.c.id))


def waiting_unnumbered(order_id: str, amount: int, currency: str) -> Sequence[BankLine]:
    """What waits with an order's memo, and without a number of the bank's: a gateway names none."""
    return _read(
        _lines()
        .where(
            _WAITING,
            inbox.c.order_id == order_id,
            inbox.c.amount == amount,
            inbox.c.currency == currency,
            bank_lines.c.number.is_(None),
        )
        .order_by(inbox.c.id)
    )


def join(entry_id: int, first: int) -> None:
    db.session.execute(
        update(bank_lines).where(bank_lines.c.inbox_id == entry_id).values(same_as=first)
    )


def waiting(limit: int = 50) -> Sequence[BankLine]:
    """Whose money is held and waits for staff, oldest first."""
    return _read(_lines().where(_WAITING).order_by(inbox.c.id).limit(limit))


def count_waiting() -> int:
    query = select(func.count()).select_from(_LINES).where(_WAITING)
    return db.session.execute(query).scalar_one()


def faults() -> Iterator[str]:
    """Money of a bank line is held once, and let go once when it has found its home."""
    held = {int(entry): -amount for entry, amount in _in_suspense("unmatched")}
    let_go: dict[int, int] = {}
    for word in (ASSIGNED, RETURNED):
        for entry, amount in _in_suspense(word):
            if int(entry) in let_go:
                yield f"posting {word}:{entry}: the money had been let go before"
            let_go[int(entry)] = amount
    yield from _wrongly_held(held, let_go)
    for entry_id, amount in let_go.items():
        if held.get(entry_id) != amount:
            yield f"bank line {entry_id}: {held.get(entry_id, 0)} was held, {amount} let go"


def _wrongly_held(held: dict[int, int], let_go: dict[int, int]) -> Iterator[str]:
    parked = _read(_lines().where(inbox.c.verdict == "parked", bank_lines.c.same_as.is_(None)))
    for line in parked:
        if held.get(line.id) != line.amount:
            yield f"bank line {line.id}: {line.amount} came, {held.get(line.id, 0)} is held"
    for entry_id in held:
        line_now = find(entry_id)
        if line_now is None:
            yield f"posting {unmatched_cause(entry_id)}: no bank line is its cause"
        elif line_now.waits is (entry_id in let_go):
            still = "not held, though it waits" if line_now.waits else "held, though it is settled"
            yield f"bank line {entry_id}: its money is {still}"


def _in_suspense(word: str) -> Sequence[tuple[str, int]]:
    """(inbox entry, what was moved in suspense) of every posting with this word of a cause."""
    rows = db.session.execute(
        select(postings.c.cause, func.sum(entries.c.amount))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.cause.startswith(f"{word}:"), entries.c.account == SUSPENSE)
        .group_by(postings.c.cause)
    )
    return [(cause.partition(":")[2], int(amount)) for cause, amount in rows]
