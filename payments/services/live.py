"""An operator tells an order again, counts its listeners, or tests their connections.

Each of these is a fact in the outbox, so it reaches every server process within a second, whoever
writes it. Nothing has happened to the order: its version stays, and the facts are on a topic of
their own, `live:<order>`, which counts its own versions. Pages that know versions drop what they
have shown.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from payments.domain.errors import NotFound
from payments.domain.facts import Fact, live_topic
from payments.services.snapshots import attempt_shown, order_snapshot
from payments.store import counts, orders, outbox
from payments.store.db import end_read, in_transaction, now

Kind = Literal["payment", "order", "room", "test"]
ANSWER_SECONDS = 3.0
"""Within a second each process hears the question; then it counts and writes its answer."""
LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Listeners:
    """`rooms` by name, of all the server processes that answered; `servers` is how many did."""

    rooms: dict[str, int]
    servers: int

    @property
    def count(self) -> int:
        return sum(self.rooms.values())


def tell_again(order_id: str, kind: Kind, message: str = "Connection test") -> int:
    """Writes the fact `live.<kind>`, and answers its version. Raises NotFound.

    `payment` says the state of the payment again, `order` that of the order, `test` sends
    `message` to whoever has joined the order.
    """

    def change() -> int:
        order = orders.lock(order_id)
        if order is None:
            raise NotFound
        topic, shown = live_topic(order.id), order_snapshot(order)
        version = outbox.newest_version(topic) + 1
        about = {
            "payment": attempt_shown(shown),
            "customer_id": order.customer_id,
            "salon_id": order.salon_id,
            "message": message,
        }
        outbox.add(Fact(topic, version, f"live.{kind}", shown, about, now()))
        return version

    return in_transaction(change)


def count_listeners(order_id: str, seconds: float = ANSWER_SECONDS) -> Listeners:
    """Asks every server process, and waits so long for what they answer. Raises NotFound.

    Nobody knows how many processes there are, so it waits to the end unless it is told otherwise.
    """
    version = tell_again(order_id, "room")
    topic, deadline = live_topic(order_id), time.monotonic() + seconds
    answers: dict[str, dict[str, int]] = {}
    while time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        end_read()
        answers = counts.of_question(topic, version)
    rooms: Counter[str] = Counter()
    for one in answers.values():
        rooms.update(one)
    return Listeners(dict(rooms), len(answers))
