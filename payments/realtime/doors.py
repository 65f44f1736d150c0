"""The doors of this process: how many connections one address has open."""

from __future__ import annotations

import time
from collections import Counter
from threading import Lock
from typing import Any

from payments.realtime.server import Connection, Sockets
from payments.services.figures import OPEN_SOCKETS


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

    def open(self) -> int:
        return len(self._open)

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
