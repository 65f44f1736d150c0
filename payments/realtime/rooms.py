"""Who is connected to this process, which rooms they are in, and what is told there.

A newcomer is told the present state first. What happens meanwhile is held back for them, and what
that state holds already they are not told again: each hears every fact once and in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

import structlog

from payments.dialects import Dialect, Payload, Told
from payments.domain.facts import Fact
from payments.domain.snapshot import iso
from payments.realtime.deliveries import Deliveries
from payments.realtime.server import Sockets
from payments.realtime.wire import Allowance
from payments.services.access import Identity
from payments.services.figures import SOCKET_MESSAGES, SOCKET_ROOMS
from payments.store.db import now

log = structlog.get_logger()

MAX_SUBSCRIPTIONS = 200
MAX_NAMESPACES = 20
"""In one connection: each costs memory, and a page needs one or two."""
EVENTS_PER_SECOND = 100


@dataclass(slots=True, eq=False)
class Visitor:
    """One socket in one namespace. `watching` is its rooms, each with the topic it is about."""

    sid: str
    namespace: str
    connection_id: str
    identity: Identity
    watching: dict[str, str] = field(default_factory=dict)
    own_rooms: set[str] = field(default_factory=set)
    events: Allowance = field(default_factory=lambda: Allowance(EVENTS_PER_SECOND))
    since: datetime = field(default_factory=now)
    greeted: bool = False

    @property
    def rooms(self) -> list[str]:
        return [*self.watching, *self.own_rooms]


@dataclass(slots=True)
class _Place:
    """One visitor in one room. `given`: the version of the topic that they came in with."""

    topic: str
    given: int = 0
    held: list[tuple[Fact, Told, Payload]] | None = None

    def knows(self, fact: Fact) -> bool:
        return fact.topic == self.topic and fact.version <= self.given


class Rooms:
    """The sockets of this process. The library holds the rooms; this knows who stands in them."""

    def __init__(self, socketio: Sockets, deliveries: Deliveries) -> None:
        self._socketio = socketio
        self._deliveries = deliveries
        self._visitors: dict[str, Visitor] = {}
        self._of_connection: Counter[str] = Counter()
        self._standing: dict[str, dict[str, dict[str, _Place]]] = {}
        """Room, namespace, socket."""
        self._lock = RLock()
        self.changed: Callable[[str], None] = lambda _sid: None
        """Called with the socket whose rooms have changed, or that is gone."""
        self.messages = 0
        """Events heard from sockets and told to rooms, since the start."""

    def welcome(self, visitor: Visitor) -> bool:
        """False where this connection has as many namespaces as it may."""
        with self._lock:
            if self._of_connection[visitor.connection_id] >= MAX_NAMESPACES:
                return False
            self._of_connection[visitor.connection_id] += 1
            self._visitors[visitor.sid] = visitor
        self.changed(visitor.sid)
        return True

    def find(self, sid: str) -> Visitor | None:
        return self._visitors.get(sid)

    def farewell(self, sid: str) -> None:
        with self._lock:
            visitor = self._visitors.pop(sid, None)
            if visitor is None:
                return
            self._of_connection[visitor.connection_id] -= 1
            if not self._of_connection[visitor.connection_id]:
                del self._of_connection[visitor.connection_id]
            for room in visitor.rooms:
                self._remove(visitor, room)
        self._deliveries.forget(sid)
        self.changed(sid)
        log.info("socket.closed", socket=sid, namespace=visitor.namespace)

    def everybody(self) -> list[Visitor]:
        return list(self._visitors.copy().values())

    def disconnect(self, visitors: Iterable[Visitor]) -> None:
        """By a Socket.IO disconnect: the official client stays away."""
        for visitor in visitors:
            self._socketio.server.disconnect(visitor.sid, namespace=visitor.namespace)
            self.farewell(visitor.sid)

    def enter(self, visitor: Visitor, room: str, topic: str) -> None:
        """What is told there is held back for them until `settle`."""
        with self._lock:
            if visitor.sid not in self._visitors:
                return
            visitor.watching[room] = topic
            here = self._standing.setdefault(room, {}).setdefault(visitor.namespace, {})
            place = here.setdefault(visitor.sid, _Place(topic))
            place.held = place.held or []
            SOCKET_ROOMS.set(len(self._standing))

    def settle(self, visitor: Visitor, room: str, given: int) -> None:
        """They know version `given` of the topic now; what was held back and is newer is told."""
        with self._lock:
            place = self._standing.get(room, {}).get(visitor.namespace, {}).get(visitor.sid)
            if place is None:
                return
            held, place.held, place.given = place.held or [], None, given
            for fact, told, payload in held:
                if not place.knows(fact):
                    self.say(visitor, told.event, payload, critical_in=_critical(told, room))
            # The client may have gone meanwhile.
            with suppress(KeyError, ValueError):
                self._socketio.server.enter_room(visitor.sid, room, namespace=visitor.namespace)
        self.changed(visitor.sid)
        log.info("socket.joined", socket=visitor.sid, namespace=visitor.namespace, room=room)

    def enter_own(self, visitor: Visitor, room: str, topic: str, given: int) -> None:
        """The room of the person who this is; there is no event to leave it."""
        with self._lock:
            visitor.own_rooms.add(room)
            here = self._standing.setdefault(room, {}).setdefault(visitor.namespace, {})
            here[visitor.sid] = _Place(topic, given)
            self._socketio.server.enter_room(visitor.sid, room, namespace=visitor.namespace)
            SOCKET_ROOMS.set(len(self._standing))
        self.changed(visitor.sid)
        log.info("socket.joined", socket=visitor.sid, namespace=visitor.namespace, room=room)

    def leave(self, visitor: Visitor, room: str) -> None:
        with self._lock:
            if visitor.watching.pop(room, None) is None:
                return
            self._remove(visitor, room)
            self._socketio.server.leave_room(visitor.sid, room, namespace=visitor.namespace)
        self.changed(visitor.sid)
        log.info("socket.left", socket=visitor.sid, namespace=visitor.namespace, room=room)

    def _remove(self, visitor: Visitor, room: str) -> None:
        namespaces = self._standing.get(room, {})
        here = namespaces.get(visitor.namespace, {})
        here.pop(visitor.sid, None)
        if not here:
            namespaces.pop(visitor.namespace, None)
        if not namespaces:
            self._standing.pop(room, None)
        SOCKET_ROOMS.set(len(self._standing))

    def watched_orders(self) -> list[str]:
        """The orders that somebody on this instance is looking at, by any vocabulary."""
        topics = {topic for one in self.everybody() for topic in list(one.watching.values())}
        return [topic.removeprefix("order:") for topic in topics if topic.startswith("order:")]

    def listeners(self, room: str) -> int:
        with self._lock:
            return sum(len(here) for here in self._standing.get(room, {}).values())

    def count(self) -> int:
        return len(self._standing)

    def sizes(self) -> dict[str, int]:
        with self._lock:
            return {
                room: sum(len(here) for here in namespaces.values())
                for room, namespaces in self._standing.items()
            }

    def speaking(self, dialect: Dialect, room: str) -> list[str]:
        """The namespaces of this dialect in which somebody stands in this room."""
        with self._lock:
            return [one for one in self._standing.get(room, ()) if dialect.spoken_in(one)]

    def tell(self, told: Told, payload: Payload, fact: Fact, room: str, namespace: str) -> None:
        """Says it to everybody in the room who does not know it; holds it back for newcomers."""
        listeners, skipped = self._divide(told, payload, fact, room, namespace)
        if told.critical:
            for visitor in listeners:
                self.say(visitor, told.event, payload, critical_in=room)
        elif listeners:
            self._count(1)
            self._socketio.emit(told.event, payload, to=room, namespace=namespace, skip_sid=skipped)
        log.info(
            "socket.broadcast",
            room=room,
            namespace=namespace,
            told=told.event,
            version=fact.version,
            listeners=len(listeners),
        )

    def _divide(
        self, told: Told, payload: Payload, fact: Fact, room: str, namespace: str
    ) -> tuple[list[Visitor], list[str]]:
        """Who hears it now, and the sockets that do not."""
        listeners, skipped = [], []
        with self._lock:
            for sid, place in self._standing.get(room, {}).get(namespace, {}).items():
                visitor = self._visitors.get(sid)
                if place.held is not None:
                    place.held.append((fact, told, payload))
                if place.held is not None or place.knows(fact) or visitor is None:
                    skipped.append(sid)
                else:
                    listeners.append(visitor)
        return listeners, skipped

    def say(
        self, visitor: Visitor, event: str, payload: Payload, *, critical_in: str | None = None
    ) -> None:
        """To one socket; `critical_in` names the room for which they have to acknowledge it."""
        self._count(1)
        if critical_in is not None:
            self._deliveries.send(visitor.sid, visitor.namespace, critical_in, event, payload)
        else:
            self._socketio.emit(event, payload, to=visitor.sid, namespace=visitor.namespace)

    def present(self, visitor: Visitor, room: str, told: Iterable[Told], here: Fact) -> None:
        """Tells a newcomer of the room the present state."""
        for one in told:
            payload = one.payload(here, iso(here.at) or "")
            self.say(visitor, one.event, payload, critical_in=_critical(one, room))

    def announce(self, event: str, payload: Payload, *, to: str, namespace: str) -> None:
        """What is no fact, and has no version of its own."""
        self._count(1)
        self._socketio.emit(event, payload, to=to, namespace=namespace)

    def heard(self) -> None:
        """A socket has sent an event."""
        self.messages += 1
        SOCKET_MESSAGES.labels("heard").inc()

    def _count(self, told: int) -> None:
        self.messages += told
        SOCKET_MESSAGES.labels("told").inc(told)


def _critical(told: Told, room: str) -> str | None:
    return room if told.critical else None
