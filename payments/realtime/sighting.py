"""A page says what it has shown. Stored once per version; staff see it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from payments.domain.order import Order
from payments.realtime.catchup import Refused, is_version
from payments.realtime.engine import Engine
from payments.realtime.rooms import Visitor
from payments.services.access import Identity
from payments.services.figures import CALLBACK_TO_SEEN
from payments.store import orders, sightings
from payments.store.db import in_transaction, now

REMEMBERED = 20_000


class Sightings:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: OrderedDict[tuple[str, int], None] = OrderedDict()

    def take(self, visitor: Visitor, claim: Any) -> Order | None:
        """The order, where its payer has shown something new; None where that is known.

        Only of a topic that this socket watches, and a version that exists. Raises Refused.
        """
        topic = claim.get("topic") if isinstance(claim, dict) else None
        version = claim.get("version") if isinstance(claim, dict) else None
        if not isinstance(topic, str) or not isinstance(version, int) or not is_version(version):
            raise Refused("bad_request")
        if topic not in visitor.watching.values() or not topic.startswith("order:"):
            raise Refused("not_found")
        if (topic, version) in self._known:
            return None
        order = orders.find(topic.removeprefix("order:"))
        if order is None or not 0 < version <= order.version:
            raise Refused("not_found")
        if not _pays(visitor.identity, order):
            return None
        self._record(topic, version)
        return order

    def _record(self, topic: str, version: int) -> None:
        in_transaction(lambda: sightings.record(topic, version))
        made_at = self._engine.told_at(topic, version)
        if made_at is not None:
            CALLBACK_TO_SEEN.observe(max(0.0, (now() - made_at).total_seconds()))
        self._known[topic, version] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _pays(identity: Identity, order: Order) -> bool:
    """Staff who look at an order do not pay it, unless it is theirs or their browser opened it."""
    if not identity.staff or order.id in identity.order_ids:
        return True
    return identity.user is not None and identity.user.id == order.customer_id
