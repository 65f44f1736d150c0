"""Amounts that came from outside or from a person, beside the record of what was said.

Versions before these records wrote fewer of them down; what nothing says twice is not proved here.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Numeric, and_, cast, exists, or_, select

from payments.store.db import db
from payments.store.tables import audit, confirmations, inbox, outbox, payments


def faults() -> Iterator[str]:
    yield from _misread()
    yield from _attempts_begun_otherwise()
    yield from _attempts_told_otherwise()
    yield from _confirmations()


def _number(said: ColumnElement[str]) -> ColumnElement[int]:
    """Of a text in JSON: a provider may name more than fits into an integer."""
    return cast(said, Numeric)


def _misread() -> Iterator[str]:
    """An inbox entry's amount is the one that was read of its bytes."""
    said = inbox.c.notice["amount"].as_string()
    for entry_id, amount, read in db.session.execute(
        select(inbox.c.id, inbox.c.amount, said).where(
            inbox.c.notice["kind"].as_string().is_not(None),
            inbox.c.amount.is_not(None),
            or_(said.is_(None), _number(said) != inbox.c.amount),
        )
    ):
        yield f"inbox entry {entry_id}: its amount is {amount}, {read} was read"


_BEGUN = and_(
    audit.c.order_id == payments.c.order_id,
    audit.c.action == "payment.created",
    audit.c.detail["reference"].as_string() == payments.c.reference,
)


def _attempts_begun_otherwise() -> Iterator[str]:
    """An attempt asks for what it was begun for."""
    said = audit.c.detail["amount"].as_string()
    for reference, amount, begun in db.session.execute(
        select(payments.c.reference, payments.c.amount, said)
        .join(audit, _BEGUN)
        .where(said.is_not(None), _number(said) != payments.c.amount)
    ):
        yield f"payment {reference}: it asks for {amount}, it was begun for {begun}"


def _attempts_told_otherwise() -> Iterator[str]:
    """Where nobody wrote down what an attempt was begun for, its own money or a fact says it."""
    begun = exists().where(_BEGUN, audit.c.detail["amount"].as_string().is_not(None))
    mine = and_(
        inbox.c.order_id == payments.c.order_id,
        inbox.c.reference == payments.c.reference,
        inbox.c.verdict == "applied",
    )
    brought = exists().where(mine, inbox.c.amount.is_not(None))
    as_much = exists().where(mine, inbox.c.amount == payments.c.amount)
    told = exists().where(
        outbox.c.topic == "order:" + payments.c.order_id,
        outbox.c.about[("payment", "reference")].as_string() == payments.c.reference,
        _number(outbox.c.about[("payment", "amount")].as_string()) == payments.c.amount,
    )
    for reference, amount in db.session.execute(
        select(payments.c.reference, payments.c.amount).where(~begun, brought, ~as_much, ~told)
    ):
        yield f"payment {reference}: it asks for {amount}, nothing that was said of it does"


def _confirmations() -> Iterator[str]:
    """What staff have seen stands in the inbox once it is paid; what is held, in the audit."""
    paid = exists().where(
        inbox.c.provider == "manual",
        inbox.c.event_id == confirmations.c.id,
        inbox.c.amount == confirmations.c.amount,
    )
    said = audit.c.detail["amount"].as_string()
    held = exists().where(
        audit.c.order_id == confirmations.c.order_id,
        audit.c.action == "confirmation.held",
        audit.c.actor == confirmations.c.requested_by,
        _number(said) == confirmations.c.amount,
    )
    for name, status, amount in db.session.execute(
        select(confirmations.c.id, confirmations.c.status, confirmations.c.amount).where(
            or_(
                and_(confirmations.c.status == "applied", ~paid),
                and_(confirmations.c.status == "held", ~held),
            )
        )
    ):
        yield f"confirmation {name}: {status}, nobody has said that it is {amount}"
