"""Who is connected to this process, from where, and which rooms they are in."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from payments.dialects import Dialect
from payments.realtime.server import Connection, Sockets
from payments.realtime.wire import Allowance
from payments.services.access import Identity
from payments.services.figures import OPEN_SOCKETS

MAX_SUBSCRIPTIONS = 200
EVENTS_PER_SECOND = 100


@dataclass(slots=True, eq=False)
class Visitor:
    """One socket in one namespace. `watching` is its rooms, each with the topic it is about."""

    sid: str
    namespace: str
    connection_id: str
    identity: Identity
    watching: dict[str, str] = field(default_factory=dict)
    events: Allowance = field(default_factory=lambda: Allowance(EVENTS_PER_SECOND))


class Rooms:
    """The sockets of this process. The library holds the rooms; this knows who stands in them."""

    def __init__(self, socketio: Sockets) -> None:
        self._socketio = socketio
        self._visitors: dict[str, Visitor] = {}

    def welcome(self, visitor: Visitor) -> None:
        self._visitors[visitor.sid] = visitor

    def find(self, sid: str) -> Visitor | None:
        return self._visitors.get(sid)

    def farewell(self, sid: str) -> None:
        self._visitors.pop(sid, None)

    def everybody(self) -> list[Visitor]:
        return list(self._visitors.copy().values())

    def disconnect(self, visitors: Iterable[Visitor]) -> None:
        """By a Socket.IO disconnect: the official client stays away."""
        for visitor in visitors:
            self._socketio.server.disconnect(visitor.sid, namespace=visitor.namespace)
            self.farewell(visitor.sid)

    def enter(self, visitor: Visitor, room: str, topic: str) -> None:
        visitor.watching[room] = topic
        self._socketio.server.enter_room(visitor.sid, room, namespace=visitor.namespace)

    def leave(self, visitor: Visitor, room: str) -> None:
        if visitor.watching.pop(room, None) is not None:
            self._socketio.server.leave_room(visitor.sid, room, namespace=visitor.namespace)

    def speaking(self, dialect: Dialect, room: str) -> list[str]:
        """The namespaces of this dialect in which somebody stands in this room."""
        rooms = self._socketio.server.manager.rooms
        return [
            namespace
            for namespace in list(rooms)
            if dialect.spoken_in(namespace) and room in rooms.get(namespace, ())
        ]

    def emit(self, event: str, payload: dict[str, Any], *, to: str, namespace: str) -> None:
        self._socketio.emit(event, payload, to=to, namespace=namespace)


class Doors:
    """Counts the connections of each address, from before anybody says who they are."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: dict[str, tuple[str, float]] = {}
        self._of_address: Counter[str] = Counter()
        self._lock = Lock()

    def enter(self, connection_id: str, address: str) -> bool:
        """False where this address has as many as it may."""
        with self._lock:
            if self._of_address[address] >= self._limit:
                return False
            self._of_address[address] += 1
            self._open[connection_id] = (address, time.monotonic())
            OPEN_SOCKETS.set(len(self._open))
        return True

    def leave(self, connection_id: str) -> None:
        with self._lock:
            address, _ = self._open.pop(connection_id, (None, 0.0))
            if address is not None:
                self._of_address[address] -= 1
                if not self._of_address[address]:
                    del self._of_address[address]
            OPEN_SOCKETS.set(len(self._open))

    def age_seconds(self, connection_id: str) -> float:
        entry = self._open.get(connection_id)
        return time.monotonic() - entry[1] if entry else 0.0


def guard_doors(socketio: Sockets, doors: Doors) -> None:
    """Puts the doors before the engine's own handlers: a refusal costs one HTTP answer, 401."""
    eio = socketio.server.eio
    accepted, left = eio.handlers["connect"], eio.handlers["disconnect"]

    def connect(connection_id: str, environ: dict[str, Any]) -> str | None:
        if not doors.enter(connection_id, environ.get("REMOTE_ADDR") or ""):
            return "Too many sockets from this address"
        eio.sockets[connection_id].__class__ = Connection
        accepted(connection_id, environ)
        return None

    def disconnect(connection_id: str, reason: str) -> None:
        doors.leave(connection_id)
        left(connection_id, reason)

    eio.on("connect", connect)
    eio.on("disconnect", disconnect)
