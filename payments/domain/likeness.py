"""How a bank line resembles an order: signs by which staff are shown some first. They book nothing.

An equal amount or a near time is never enough for money to find its order by itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from payments.domain.memo import ALPHABET, LENGTH
from payments.domain.order import Order

WEIGHTS = {"memo": 5, "order": 5, "amount": 3, "name": 2, "time": 1}
"""What each sign says, in the order in which they are named."""

PIECE = 6
"""So many characters of a memo are its: a bank has cut it, or the payer has mistyped the rest."""

NEAR = timedelta(hours=1)
LONGEST_TEXT = 1_000
MOST_WORDS = 30


def signs(
    order: Order, memos: Sequence[str], amount: int, text: str, at: datetime
) -> tuple[str, ...]:
    """The names of `WEIGHTS` that are true of an order and a line that came at `at`."""
    plain = spaced(text)
    pieces = _pieces(plain.replace(" ", ""))
    found = {
        "memo": any(not pieces.isdisjoint(_pieces(memo)) for memo in memos),
        "order": order.id.upper() in text.upper().split(),
        "amount": amount in {order.amount, order.amount - order.amount_paid},
        "name": _named(order.customer_name, plain),
        "time": timedelta() <= at - order.created_at <= NEAR,
    }
    return tuple(sign for sign in WEIGHTS if found[sign])


def weight(found: Sequence[str]) -> int:
    return sum(WEIGHTS[sign] for sign in found)


def spaced(text: str) -> str:
    """The letters and digits alone, without marks, in capitals: as banks write a name."""
    bare = unicodedata.normalize("NFKD", text[:LONGEST_TEXT].replace("đ", "d").replace("Đ", "D"))
    letters = "".join(one for one in bare if not unicodedata.combining(one)).upper()
    return " ".join(re.findall(r"[A-Z0-9]+", letters))


def beginnings(text: str) -> list[str]:
    """What could be the first part of a memo of ours that the bank has cut."""
    form = rf"P[{ALPHABET}]{{{PIECE - 1},{LENGTH - 1}}}"
    return list(dict.fromkeys(re.findall(form, spaced(text))))[:MOST_WORDS]


def words(text: str) -> list[str]:
    """What could be the id of an order, as it is written and in capitals."""
    found = re.findall(r"[A-Za-z0-9._-]{4,64}", text[:LONGEST_TEXT])[:MOST_WORDS]
    return list(dict.fromkeys([*found, *(word.upper() for word in found)]))


def _pieces(text: str) -> frozenset[str]:
    return frozenset(text[place : place + PIECE] for place in range(len(text) - PIECE + 1))


def _named(name: str | None, plain: str) -> bool:
    """A name of one word is anybody's."""
    known = spaced(name or "")
    return " " in known and f" {known} " in f" {plain} "
