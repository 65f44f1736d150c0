"""The payer's phone: what a decision does, and the JSON that tests and scripts read."""

from dataclasses import dataclass, replace
from typing import Any

from ..courier import now_ms
from ..switches import Switches
from . import book, notices, wire
from .book import Transaction
from .gateway import Gateway

RESULTS: dict[str, tuple[str, str | None]] = {
    "pay": (book.PAID, None),
    "decline": (book.FAILED, "APPROVAL_REJECTED"),
    "no_money": (book.FAILED, "NOT_ENOUGH_FUNDS"),
}
"""What a payer may do, with MTN's reason where it fails."""


class AlreadyDecided(Exception):
    """Somebody paid or declined before; nothing was changed or sent."""


@dataclass(frozen=True)
class Decision:
    """`sent` is the number of callbacks that go out."""

    transaction: Transaction
    sent: int


class Phone:
    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.book = gateway.book

    def decide(
        self, one: Transaction, choice: str, switches: Switches, own: notices.Own
    ) -> Decision:
        """`choice` is a key of RESULTS. One transaction: the decision and what it causes."""
        status, reason = RESULTS[choice]
        decided = replace(one, status=status, reason=reason, decided_ms=now_ms())
        keys = self.gateway.keys
        sent = notices.told(keys, self.gateway.chance, decided, switches, own)
        with self.book.store.transaction() as db:
            if not book.decide(db, decided):
                raise AlreadyDecided
            prepared = notices.callbacks(keys, decided, sent, switches, own)
            batch = self.gateway.courier.schedule(db, prepared)
        self.gateway.courier.dispatch(batch)
        return Decision(decided, len(sent))

    def resend(self, one: Transaction) -> Decision:
        """The true result once more, whatever the switches did the first time."""
        keys = self.gateway.keys
        true = notices.ended(keys, self.gateway.chance, one)
        with self.book.store.transaction() as db:
            callback = notices.callback(keys, one, "sent again by hand", true)
            batch = self.gateway.courier.schedule(db, [callback])
        self.gateway.courier.dispatch(batch)
        return Decision(one, 1)

    def told(self, one: Transaction) -> dict[str, Any]:
        """The body of GET /campay/transactions/<reference>."""
        log = self.gateway.courier.log(wire.KEY, one.reference)
        return {
            **one.told(),
            "description": one.description,
            "callbacks": [
                {
                    "label": sent.label,
                    "url": sent.url,
                    "body": sent.body,
                    "state": sent.state,
                    "dueTime": sent.due_ms,
                    "tries": [
                        {"time": each.at_ms, "status": each.status, "note": each.note}
                        for each in sent.tries
                    ],
                }
                for sent in log
            ],
        }
