"""Who is connected, and who tracks which payment: of this process, and of all by the mirror.

Answered from memory, and from the database for what a payment's state is; never from Redis.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from payments.dialects.tracking import STATUS, room
from payments.domain.snapshot import iso
from payments.realtime.doors import Doors
from payments.realtime.mirror import Mirror
from payments.realtime.rooms import Rooms, Visitor
from payments.store import payments
from payments.store.db import now

KEPT = timedelta(hours=1)
"""How long a payment is tracked after its last change."""
LISTED = 1_000
"""Connections and rooms of one answer."""


class Tracking:
    """One for each process. `mirror` is None where there is no Redis."""

    def __init__(self, rooms: Rooms, doors: Doors, redis_url: str | None) -> None:
        self.instance = secrets.token_hex(8)
        self._rooms = rooms
        self._doors = doors
        self.mirror: Mirror | None = None
        if redis_url is not None:
            self.mirror = Mirror(
                redis_url, self.instance, self._client, self._sockets, self._own_figures
            )
            rooms.changed = self.mirror.touch

    def record(self, reference: str) -> dict[str, Any] | None:
        """The payment as it is tracked; None for no such, and an hour after its last change."""
        payment = payments.find(reference)
        if payment is None or payment.updated_at + KEPT <= now():
            return None
        return {
            "reference": payment.reference,
            "orderId": payment.order_id,
            "status": STATUS[payment.status.value],
            "watchers": self.listeners(room(reference)),
            "startedAt": iso(payment.created_at),
            "expiresAt": iso(payment.updated_at + KEPT),
        }

    def listeners(self, name: str) -> int:
        """Everybody in this room, on all instances."""
        elsewhere = self.mirror.listeners(name) if self.mirror else 0
        return self._rooms.listeners(name) + elsewhere

    def storage(self) -> str:
        """`redis`, or `memory` where there is none or it is away: then this process is all."""
        return "redis" if self.mirror is not None and self.mirror.healthy else "memory"

    def figures(self) -> dict[str, int]:
        """Of all instances. A room that two of them have counts twice."""
        total = self._own_figures()
        for other in self.mirror.figures() if self.mirror else ():
            for name in total:
                total[name] += other.get(name, 0)
        return total

    def connections(self) -> dict[str, Any]:
        """Who is connected and which rooms there are, on all instances; the first of each."""
        own = {one.sid: self._describe(one) for one in self._rooms.everybody()}
        clients = {**own, **(self.mirror.clients() if self.mirror else {})}
        sizes = self._rooms.sizes()
        for name, count in (self.mirror.sizes() if self.mirror else {}).items():
            sizes[name] = sizes.get(name, 0) + count
        return {
            "connections": [
                {"clientId": sid, **about} for sid, about in list(clients.items())[:LISTED]
            ],
            "rooms": dict(sorted(sizes.items())[:LISTED]),
        }

    def _client(self, sid: str) -> dict[str, Any] | None:
        visitor = self._rooms.find(sid)
        return self._describe(visitor) if visitor is not None else None

    def _sockets(self) -> list[str]:
        return [one.sid for one in self._rooms.everybody()]

    def _describe(self, visitor: Visitor) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "namespace": visitor.namespace,
            "who": visitor.identity.actor if not visitor.identity.nobody else "nobody",
            "since": iso(visitor.since),
            "rooms": sorted(visitor.rooms),
        }

    def _own_figures(self) -> dict[str, int]:
        return {
            "activeConnections": self._doors.open(),
            "messagesProcessed": self._rooms.messages,
            "roomCount": self._rooms.count(),
        }
