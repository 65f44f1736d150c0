"""What flips on the wallet's page: balances, what is on its way or was just now, lines, cards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from payments.domain.facts import Fact, wallet_topic
from payments.domain.money import exponent
from payments.domain.order import Order
from payments.domain.withdrawals import HELD, Withdrawal
from payments.front.pages import money
from payments.front.request import house, identity
from payments.front.words import movement_words
from payments.services import cards
from payments.services.access import person_of
from payments.services.snapshots import order_snapshot
from payments.services.wallets import deposits, statements, wallet_view
from payments.services.wallets.personal_words import MESSAGES
from payments.store import outbox, withdrawals
from payments.store.db import now
from payments.store.statements import Line
from payments.web.cards import card_view

JUST_NOW = timedelta(minutes=15)
"""So long what has ended still stands beside what is on its way."""
LINES = 10
MOST_AT_ONCE = 20

CARD_WORDS = {
    "card.saved": _l("A card has been saved"),
    "card.renamed": _l("A card has a new name"),
    "card.removed": _l("A card has been removed"),
}

TONES = {
    "pending": ("waiting", "clock"),
    "completed": ("good", "check"),
    "failed": ("bad", "alert"),
    "cancelled": ("over", "cross"),
}


@dataclass(frozen=True, slots=True)
class Doing:
    """A movement that waits, or ended just now. `url` leads to where it can be brought on."""

    id: str
    kind: str
    status: str
    words: str
    detail: str = ""
    url: str | None = None

    @property
    def tone(self) -> tuple[str, str]:
        return TONES[self.status]

    @property
    def waits(self) -> bool:
        return self.status == "pending" or self.url is not None


def live_parts() -> dict[str, Any]:
    """What flips. The version is read first: what is newer than it is read again."""
    person = person_of(identity())
    seen = wallet_view.wallet(person.id)
    told = [
        fact
        for fact in outbox.of_topic(
            wallet_topic(person.id), max(0, seen["version"] - MOST_AT_ONCE), MOST_AT_ONCE
        )
        if now() - fact.at < JUST_NOW
    ]
    doings = _doings(told, deposits.under_way(person.id), _held(person.id))
    return {
        "version": seen["version"],
        "balances": [{**one, "digits": exponent(one["currency"])} for one in seen["balances"]],
        "doings": doings,
        "waits": any(one.waits for one in doings),
        "spoken": _spoken(told),
        "lines": [_row(line) for line in statements.newest(person.id, LINES)],
        "cards": _cards(),
    }


def _held(user_id: str) -> Sequence[Withdrawal]:
    listed = withdrawals.page(user_id, None, MOST_AT_ONCE)
    return [one for one in listed if one.status == HELD]


def _doings(
    told: Iterable[Fact], waiting: Iterable[Order], held: Iterable[Withdrawal]
) -> list[Doing]:
    """Each movement once, as it is now: what waits, then what ended, newest first."""
    found = {one.id: one for fact in told if (one := _of_fact(fact)) is not None}
    found |= {order.id: _of_deposit(order) for order in waiting}
    found |= {one.id: _of_withdrawal(one) for one in held}
    newest = list(reversed(found.values()))
    return sorted(newest, key=lambda one: not one.waits)


def _of_fact(fact: Fact) -> Doing | None:
    about = fact.about
    if "transaction_type" not in about:
        return None
    kind, status = about["transaction_type"], about["status"]
    said = words(kind, status, about["amount"], about["currency"])
    return Doing(about["transaction_id"], kind, status, said)


def _of_deposit(order: Order) -> Doing:
    status = "failed" if order_snapshot(order)["display"] == "failed" else "pending"
    came = ""
    if order.amount_paid:
        paid, whole = (money(one, order.currency) for one in (order.amount_paid, order.amount))
        came = _("%(paid)s of %(amount)s paid", paid=paid, amount=whole)
    said = words("deposit", status, order.amount, order.currency)
    return Doing(
        order.id, "deposit", status, said, came, url_for("web.checkout", order_id=order.id)
    )


def _of_withdrawal(one: Withdrawal) -> Doing:
    said = words("withdrawal", "pending", one.amount, one.currency)
    return Doing(one.id, "withdrawal", "pending", said, " · ".join(one.destination.values()))


def words(kind: str, status: str, amount: int, currency: str) -> str:
    """As the person is told it, in this reader's language and form."""
    return str(MESSAGES[kind, status]) % {"amount": money(amount, currency)}


def _spoken(told: Sequence[Fact]) -> str:
    """What happened last."""
    if not told:
        return ""
    if told[-1].event in CARD_WORDS:
        return str(CARD_WORDS[told[-1].event])
    last = _of_fact(told[-1])
    return last.words if last else ""


def _row(line: Line) -> dict[str, Any]:
    said = movement_words(line.kind)
    # A deposit's order says no more than its kind does.
    if line.description and line.kind != "deposit":
        said = f"{said}: {line.description}"
    return {
        "words": said,
        "at": line.at,
        "amount": line.amount,
        "currency": line.currency,
        "balance": line.balance,
    }


def _cards() -> list[dict[str, str]]:
    rails, who = house().rails, identity()
    listed = [card for key in rails.keeping_cards() for card in cards.for_page(rails, who, key)]
    return [card_view(card) for card in listed]
