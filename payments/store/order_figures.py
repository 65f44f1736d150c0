"""What orders say of themselves, beside their payments, the ledger, and what was told of them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import ColumnElement, Numeric, Subquery, and_, case, cast, func, select

from payments.domain.ledger import REFUNDS_DUE, REVENUE, SUSPENSE
from payments.domain.order import SALE
from payments.store import wallets
from payments.store.db import db
from payments.store.tables import entries, orders, outbox, payments, postings


def faults() -> Iterator[str]:
    yield from _differ("paid", orders.c.amount_paid, _received())
    yield from _differ("refunded", orders.c.amount_refunded, _refunded())
    yield from _differ("held as excess", orders.c.amount_excess, _receipts(SUSPENSE))
    yield from _differ("credited", orders.c.amount_credited, _credited())
    yield from _wrongly_earned()
    yield from _told_otherwise()


def _differ(what: str, figure: ColumnElement[int], sums: Subquery) -> Iterator[str]:
    """An order's own figure beside the sum of what it is made of."""
    total = func.coalesce(sums.c.amount, 0)
    for order_id, says, found in db.session.execute(
        select(orders.c.id, figure, total)
        .outerjoin(sums, sums.c.order_id == orders.c.id)
        .where(figure != total)
    ):
        yield f"order {order_id}: says {says} {what}, its parts sum to {found}"


def _received() -> Subquery:
    return (
        select(payments.c.order_id, func.sum(payments.c.amount_received).label("amount"))
        .group_by(payments.c.order_id)
        .subquery()
    )


def _refunded() -> Subquery:
    """By the ledger: what left the debt of refunds for a clearing account or a wallet."""
    return (
        select(postings.c.order_id, func.sum(entries.c.amount).label("amount"))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.cause.like("refund-paid:%"), entries.c.account == REFUNDS_DUE)
        .group_by(postings.c.order_id)
        .subquery()
    )


def _receipts(account: str) -> Subquery:
    """By the ledger: what receipts put into this account of the shop's own."""
    return (
        select(postings.c.order_id, func.sum(-entries.c.amount).label("amount"))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(postings.c.cause.like("receipt:%"), entries.c.account == account)
        .group_by(postings.c.order_id)
        .subquery()
    )


def _credited() -> Subquery:
    """By the ledger: what receipts put into wallets. What they take out of one is a payment."""
    return (
        select(postings.c.order_id, func.sum(-entries.c.amount).label("amount"))
        .join(entries, entries.c.posting_id == postings.c.id)
        .where(
            postings.c.cause.like("receipt:%"),
            entries.c.account.startswith(wallets.PREFIX),
            entries.c.amount < 0,
        )
        .group_by(postings.c.order_id)
        .subquery()
    )


def _wrongly_earned() -> Iterator[str]:
    """A paid sale has earned its price, an unpaid one less, a deposit nothing."""
    sums = _receipts(REVENUE)
    earned = func.coalesce(sums.c.amount, 0)
    whole = orders.c.status.in_(("paid", "partially_refunded"))
    wrong = case(
        (orders.c.purpose != SALE, earned != 0),
        (whole, earned != orders.c.amount),
        else_=earned > orders.c.amount,
    )
    for order_id, status, amount, found in db.session.execute(
        select(orders.c.id, orders.c.status, orders.c.amount, earned)
        .outerjoin(sums, sums.c.order_id == orders.c.id)
        .where(wrong)
    ):
        yield f"order {order_id}: {status}, its price is {amount}, it has earned {found}"


_HELD = orders.c.amount_excess - orders.c.amount_refunded
_TOLD: dict[str, ColumnElement[int]] = {
    "amount": orders.c.amount,
    "amount_paid": orders.c.amount_paid,
    "amount_refunded": orders.c.amount_refunded,
    "excess": case((_HELD > 0, _HELD), else_=0),
    "credited": orders.c.amount_credited,
}
"""Of a snapshot: what each of its figures is made of. Versions before wallets told no `credited`,
and the newest fact of an order stays for ever."""


def _told_otherwise() -> Iterator[str]:
    """The newest fact of an order says what the order says: every page has been told that."""
    newest = (
        select(outbox.c.topic, func.max(outbox.c.version).label("version"))
        .where(outbox.c.topic.startswith("order:"))
        .group_by(outbox.c.topic)
        .subquery()
    )
    topic = "order:" + orders.c.id
    for order_id, version, told in db.session.execute(
        select(orders.c.id, orders.c.version, newest.c.version)
        .outerjoin(newest, newest.c.topic == topic)
        .where(func.coalesce(newest.c.version, 0) != orders.c.version)
    ):
        yield f"order {order_id}: it is at version {version}, version {told} was told"
    for name, figure in _TOLD.items():
        said = outbox.c.snapshot[name].as_string()
        for order_id, is_now, was_told in db.session.execute(
            select(orders.c.id, figure, said)
            .join(outbox, and_(outbox.c.topic == topic, outbox.c.version == orders.c.version))
            .where(said.is_not(None), cast(said, Numeric) != figure)
        ):
            yield f"order {order_id}: its {name} is {is_now}, {was_told} was told"
