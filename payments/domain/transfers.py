"""When two lines of bank feeds, or a line and a receipt, are about one transfer.

A shop may have two feeds of one account, and staff may type the number off a bank's app before a
feed has told of it. The money is counted once. Only what cannot be chance makes two things one: an
equal amount or a near time never does.
"""

from __future__ import annotations

from dataclasses import dataclass

from payments.domain.memo import references_in

BANK = "bank"
"""The rail whose attempts the feeds settle."""

PROOF = 8
"""So many characters of a bank's number are its alone; shorter ones are counters that come back."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line, as a feed told it; `number` is the bank's own for the transfer, in capitals."""

    feed: str
    amount: int
    currency: str
    number: str | None
    text: str | None


def as_number(text: str | None) -> str | None:
    """A bank's number in the form in which two of them are compared; case does not count."""
    return " ".join(text.split()).upper() or None if text else None


def is_proof(number: str | None) -> bool:
    """Whether nobody else's transfer has this number too."""
    return number is not None and len(number) >= PROOF


def same_transfer(one: Line, other: Line) -> bool:
    """Whether two feeds tell of one transfer.

    By the bank's number where both name it: a short one needs a memo of ours beside it, and a long
    one must not have two different memos. Where one names none (a gateway does), by our memo.
    """
    if one.feed == other.feed or (one.amount, one.currency) != (other.amount, other.currency):
        return False
    mine, theirs = (frozenset(references_in(line.text or "")) for line in (one, other))
    if one.number is None or other.number is None:
        return bool(mine & theirs)
    if one.number != other.number:
        return False
    if mine and theirs:
        return bool(mine & theirs)
    return is_proof(one.number)
