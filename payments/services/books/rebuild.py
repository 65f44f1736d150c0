"""Makes everything that is derived once more, from the records of what was said and decided.

Each deed of the audit is done again at its own time (`deeds`). Nobody is asked and nothing is sent.
What is a record and what is derived: docs/adr/0030.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from payments.services.books import deeds
from payments.services.books.deeds import Differs
from payments.store import comparison, digest, ledger, records, tables
from payments.store.db import db, in_transaction, unhurried
from payments.store.digest import Digest
from payments.store.elsewhere import unbounded
from payments.store.records import Line, Records


@dataclass(frozen=True, slots=True)
class Outcome:
    """`difference` names the first thing that is not as it was; None where all is."""

    deeds: int
    was: Digest
    now: Digest | None
    difference: str | None


def rebuild(source: Connection, progress: Callable[[int, int], None]) -> Outcome:
    """Fills this database, which has empty tables, from the records of `source`.

    `progress(done, of_all)` is called after each step.
    """
    kept = Records(source)
    was = digest.of(source)
    done = 0
    try:
        for table in records.COPIED:
            kept.copy(table)
        done = _do_again(kept, progress)
        _finish(kept)
    except Differs as fault:
        return Outcome(done, was, None, str(fault))
    except IntegrityError as fault:
        return Outcome(done, was, None, f"two records do not fit together: {fault.orig}")
    with db.engine.connect() as made:
        unbounded(made)
        new = digest.of(made)
        difference = None
        if new != was:
            difference = digest.first_difference(source, made)
        difference = difference or comparison.first_difference(source, made)
    unhurried()
    return Outcome(done, was, new, difference or next(ledger.faults(), None))


def _do_again(kept: Records, progress: Callable[[int, int], None]) -> int:
    done, after, total = 0, 0, kept.count_lines()
    while lines := kept.lines(after):
        in_transaction(lambda part=lines: _deeds(kept, part))  # type: ignore[misc]
        done, after = done + len(lines), lines[-1].id
        progress(done, total)
    return done


def _deeds(kept: Records, lines: Sequence[Line]) -> None:
    """Raises Differs."""
    for line in lines:
        deeds.do_again(kept, line)


def _finish(kept: Records) -> None:
    """What no deed makes: what waits, what was rung, what was told of other things than orders."""
    kept.copy(tables.confirmations, tables.confirmations.c.status == "held")
    kept.copy(tables.inbox, tables.inbox.c.verdict == "rung")
    others = ~tables.outbox.c.topic.startswith("order:")
    kept.copy(tables.outbox, others, without=[tables.outbox.c.id])
    kept.copy_questions()
    records.publish_all()
    records.count_on()
