"""Critical events: sent with an ack, and again until it comes or the tries are used up."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from socketio import packet

from payments.dialects import Payload
from payments.realtime.server import Sockets
from payments.services.figures import CRITICAL_EVENTS

TRIES = 3
RETRY_SECONDS = 5.0
STEP_SECONDS = 0.5
MAX_WAITING = 10_000
"""Beyond it the oldest is not sent again."""


@dataclass(slots=True, eq=False)
class _Waiting:
    sid: str
    namespace: str
    event: str
    payload: Payload
    tries: int = 0
    due: float = 0.0
    acks: list[int] = field(default_factory=list)
    """The numbers under which it was sent; an ack to any of them will do."""


class Deliveries:
    """The newest critical event of each socket and room, while its ack is awaited.

    A newer one takes the place of the older, which is not sent again: a page must never go back.
    """

    def __init__(self, socketio: Sockets) -> None:
        self._socketio = socketio
        self._waiting: OrderedDict[tuple[str, str], _Waiting] = OrderedDict()
        self._rooms: defaultdict[str, set[str]] = defaultdict(set)
        """By socket: the rooms for which it owes an ack."""
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, sid: str, namespace: str, room: str, event: str, payload: Payload) -> None:
        key, waiting = (sid, room), _Waiting(sid, namespace, event, payload)
        with self._lock:
            over = [self._drop(key)] if key in self._waiting else []
            self._waiting[key] = waiting
            self._rooms[sid].add(room)
            if len(self._waiting) > MAX_WAITING:
                over.append(self._drop(next(iter(self._waiting))))
        for one in over:
            self._end(one)
        self._try(key, waiting)

    def step(self) -> None:
        """Sends again what is due, and gives up what has been sent often enough."""
        at = time.monotonic()
        with self._lock:
            due = [(key, one) for key, one in self._waiting.items() if one.due <= at]
        for key, one in due:
            if one.tries < TRIES:
                self._try(key, one)
            elif self._take(key, one):
                CRITICAL_EVENTS.labels("given_up").inc()
                self._end(one)

    def forget(self, sid: str) -> None:
        """The socket is gone."""
        with self._lock:
            for room in list(self._rooms.get(sid, ())):
                self._drop((sid, room))

    def _try(self, key: tuple[str, str], one: _Waiting) -> None:
        manager = self._socketio.server.manager
        connection_id = manager.eio_sid_from_sid(one.sid, one.namespace)
        if connection_id is None:
            self._take(key, one)
            return
        one.tries += 1
        one.due = time.monotonic() + RETRY_SECONDS

        def acked(*_said: Any) -> None:
            if self._take(key, one):
                CRITICAL_EVENTS.labels("acked").inc()
                self._end(one)

        number = manager._generate_ack_id(one.sid, acked)
        one.acks.append(number)
        server = self._socketio.server
        server._send_packet(
            connection_id,
            server.packet_class(
                packet.EVENT, data=[one.event, one.payload], namespace=one.namespace, id=number
            ),
        )

    def _take(self, key: tuple[str, str], one: _Waiting) -> bool:
        """Whether it was still awaited: two may find its end at the same moment."""
        with self._lock:
            if self._waiting.get(key) is not one:
                return False
            self._drop(key)
            return True

    def _drop(self, key: tuple[str, str]) -> _Waiting:
        """Under the lock."""
        sid, room = key
        self._rooms[sid].discard(room)
        if not self._rooms[sid]:
            del self._rooms[sid]
        return self._waiting.pop(key)

    def _end(self, one: _Waiting) -> None:
        """The library keeps a callback for each number until its ack comes, which may be never."""
        callbacks = self._socketio.server.manager.callbacks.get(one.sid, {})
        for number in one.acks:
            callbacks.pop(number, None)
