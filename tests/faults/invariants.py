"""What must be true of the simulated shop: in the middle of a story, and when it has ended."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, select

from payments.domain.order import Order, Payment
from payments.domain.states import PaymentStatus
from payments.store import bank_lines, confirmations, ledger, orders, outbox, payments
from payments.store import refunds as promised
from payments.store.db import db, end_read
from payments.store.tables import inbox
from payments.store.tables import refunds as refund_rows
from tests.faults.pretended import Deal, Transfer
from tests.faults.simulation import Broken, World


def check(world: World) -> None:
    """Every invariant of a shop at rest."""
    try:
        check_books()
        for order_id in world.order_ids:
            check_order(order_id)
        check_homes(world)
        check_refunds(world)
        check_pages(world)
    finally:
        end_read()


def demand(right: bool, words: str) -> None:
    if not right:
        raise Broken(words)


def check_books() -> None:
    """Also in the middle of a story."""
    wrong = list(ledger.faults())
    demand(not wrong, f"the ledger: {wrong}")
    totals: Counter[tuple[str, str]] = Counter()
    for (account, currency), total in ledger.balances().items():
        # One clearing account may be lower: what came by a rail may be given back from the till.
        totals[account.split(":")[0], currency] += total
    for (account, currency), total in totals.items():
        negative = total < 0 if account == "clearing" else total > 0
        demand(not negative, f"{account} is negative: {total} {currency}")
    for currency in {currency for _, currency in totals}:
        whole = sum(total for (_, one), total in totals.items() if one == currency)
        demand(whole == 0, f"the ledger sums to {whole} {currency}")


def check_order(order_id: str) -> None:
    order = orders.find(order_id)
    if order is None:
        raise Broken(f"{order_id} is gone")
    mine = payments.of_order(order_id)
    received = sum(one.amount_received for one in mine)
    demand(order.amount_paid == received, f"{order_id}: {order.amount_paid} paid, {received} came")
    for one in mine:
        came = one.status is PaymentStatus.SUCCEEDED
        demand(came == (one.amount_received > 0), f"{one.reference}: {one.status}")
    facts = outbox.of_topic(f"order:{order_id}", 0)
    told = [fact.version for fact in facts]
    demand(told == list(range(1, order.version + 1)), f"{order_id}: {order.version}, told {told}")
    last = facts[-1].snapshot
    shown = (last["status"], last["amount_paid"], last["amount_refunded"])
    stands = (order.status.value, order.amount_paid, order.amount_refunded)
    demand(shown == stands, f"{order_id}: told {shown}, is {stands}")
    demand(_fits(order), f"{order_id}: {order.status} with {order.amount_paid} of {order.amount}")


def _fits(order: Order) -> bool:
    whole = order.amount_paid >= order.amount
    return {
        "pending": order.amount_paid == 0,
        "partially_paid": 0 < order.amount_paid < order.amount,
        "paid": whole and order.amount_paid - order.amount_refunded >= order.amount,
        "refunded": order.amount_refunded > 0,
        "partially_refunded": order.amount_refunded > 0,
        "expired": not whole,
        "cancelled": True,
    }[order.status.value]


def attempts(world: World) -> list[Payment]:
    return [one for order_id in world.order_ids for one in payments.of_order(order_id)]


def check_homes(world: World) -> None:
    """Every payment that a provider took is in exactly one place, and nothing else is anywhere."""
    paid = [one for one in attempts(world) if one.amount_received]
    by_name = Counter(one.transaction_id for one in paid)
    real: set[str | None] = set()
    for deal in world.outside.deals.values():
        if deal.fate == "paid":
            real.add(deal.transaction)
            homes = by_name[deal.transaction] or _stands_by_hand(deal) or _flagged(deal)
            demand(homes == 1, f"{deal} has {homes} homes")
    for transfer in world.outside.transfers:
        if any(_lines_of(name) for name in transfer.aliases):
            real |= transfer.aliases
            homes = sum(by_name[name] for name in transfer.aliases) + _held(transfer)
            demand(homes == 1, f"{transfer} has {homes} homes")
    for transaction, (order_id, _) in world.outside.told_by_shop.items():
        real.add(transaction)
        homes = by_name[transaction]
        demand(homes == (order_id != "nobody"), f"{transaction} has {homes} homes")
    seen = [one for one in paid if one.confirmed_by is not None]
    for one in paid:
        known = one.transaction_id in real or one in seen
        demand(known, f"nobody has paid {one.reference} by {one.transaction_id}")
    applied = Counter(
        (kept.order_id, kept.amount)
        for order_id in world.order_ids
        for kept in confirmations.of_order(order_id)
        if kept.status == "applied"
    )
    found = Counter((one.order_id, one.amount_received) for one in seen)
    demand(found == applied, f"confirmed: {applied}, paid by hand: {found}")


def _stands_by_hand(deal: Deal) -> bool:
    """Staff have confirmed this very attempt: the provider's word about it is no second payment."""
    payment = payments.find(deal.reference)
    return payment is not None and payment.confirmed_by is not None


def _flagged(deal: Deal) -> bool:
    """The provider had told something else under this event's name: this word is kept for staff."""
    kept = select(func.count()).where(
        inbox.c.reference == deal.reference,
        inbox.c.verdict == "conflict",
        inbox.c.amount == deal.amount,
        inbox.c.resolved_at.is_(None),
    )
    return bool(db.session.execute(kept).scalar_one())


def _lines_of(transaction: str) -> list[int]:
    rows = db.session.execute(select(inbox.c.id).where(inbox.c.transaction_id == transaction))
    return list(rows.scalars())


def _held(transfer: Transfer) -> int:
    """How many of its lines hold its money, or have sent it back."""
    lines = [bank_lines.find(entry) for name in transfer.aliases for entry in _lines_of(name)]
    return sum(one is not None and one.verdict == "parked" and not one.same_as for one in lines)


def check_refunds(world: World) -> None:
    """What was really given back is what is written down as such."""
    rows = db.session.execute(select(refund_rows.c.id, refund_rows.c.status))
    status: dict[str, str] = {refund_id: word for refund_id, word in rows}
    for refund_id, paid in world.outside.refunds.items():
        wanted = "succeeded" if paid else "failed"
        demand(status[refund_id] == wanted, f"{refund_id} is {status[refund_id]}, it {wanted}")
    of_rails = {one.reference for one in attempts(world) if one.provider in {"momo", "campay"}}
    for refund_id, word in status.items():
        one = promised.find(refund_id)
        asked = one is not None and one.reference in of_rails
        if asked and word == "succeeded" and refund_id not in world.outside.refunds:
            by_hand = one is not None and one.provider_refund_id == "cash 7"
            demand(by_hand, f"{refund_id} was never given back")


def check_pages(world: World) -> None:
    demand(outbox.lag()[0] == 0, "facts wait to be told")
    for page in world.pages:
        order = orders.find(page.order_id)
        stands = (order.version, order.status.value) if order else None
        shows = (page.version, page.status)
        demand(shows == stands, f"a page of {page.order_id} shows {shows}, it is {stands}")
