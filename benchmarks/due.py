"""Orders that wait for their money, each with the signed callback that brings it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

from tests.signing import momo_ipn

AMOUNT = 50_000
CALLBACK_PATH = "/callbacks/momo"


@dataclass(frozen=True, slots=True)
class Due:
    """`token` lets a page watch this order; the peer asks for none."""

    order_id: str
    reference: str
    token: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def transaction_id(self) -> int:
        """MoMo's number of the payment; another one for every reference."""
        return int.from_bytes(hashlib.sha256(self.reference.encode()).digest()[:6])

    @property
    def callback(self) -> str:
        return momo_ipn(self.reference, AMOUNT, trans_id=self.transaction_id).decode()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """How a page of this system joins and what it is sent, by name. `topic` goes before the id."""

    join: str
    field: str | None
    topic: str
    push: str

    def page(self, due: Due) -> dict[str, Any]:
        """What a worker needs to open the page of this order."""
        named = f"{self.topic}{due.order_id}"
        return {
            "auth": {"token": due.token} if due.token else None,
            "join": self.join,
            "argument": {self.field: named} if self.field else named,
            "push": self.push,
            "callback": due.callback,
        }


OURS = Vocabulary(join="watch", field="topic", topic="order:", push="update")
PEERS = Vocabulary(join="join", field=None, topic="", push="payment")
