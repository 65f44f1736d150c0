"""What strangers send down a socket, bounded before anything reads it.

The libraries decode whatever comes: deep JSON, binary attachments without number, events with the
names of their own handlers, messages of any length in many frames. Here each of them is dropped and
counted, or closes the connection.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog
from socketio import packet

from payments.services.figures import SOCKET_PACKETS_DROPPED

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 64_000
MAX_DEPTH = 32
MAX_BRACKETS = 1_000
FRAMES_PER_SECOND = 200
PAUSE_SECONDS = 0.05

_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)
_RESERVED = frozenset({"connect", "disconnect"})
"""The library would run its own handlers for events that a client calls so."""


class BoundedJson:
    """The engine's `json`. `loads` raises ValueError before the decoder could overflow."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        return json.dumps(value, **options)

    @staticmethod
    def loads(text: str, **options: Any) -> Any:
        brackets = text.count("[") + text.count("{")
        if brackets > MAX_BRACKETS or (brackets > MAX_DEPTH and _depth(text) > MAX_DEPTH):
            raise ValueError("nested too deep")
        return json.loads(text, parse_constant=_refuse, **options)


def _depth(text: str) -> int:
    depth = deepest = 0
    for token in _STRUCTURE.finditer(text):
        first = text[token.start()]
        depth += 1 if first in "[{" else -1 if first in "]}" else 0
        deepest = max(deepest, depth)
    return deepest


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


@dataclass(frozen=True, slots=True)
class Received:
    """What came with an event, and whether the client waits for an ack."""

    args: tuple[Any, ...]
    asked: bool


class BoundedPacket(packet.Packet):  # type: ignore[misc]  # published without types
    """Text only. An event is a list that begins with a name; its handler gets it as `Received`."""

    packet_type: int
    data: Any
    id: int | None

    def decode(self, encoded_packet: Any) -> int:
        if not isinstance(encoded_packet, str):
            raise ValueError("not a text packet")
        super().decode(encoded_packet)
        if self.packet_type in {packet.BINARY_EVENT, packet.BINARY_ACK}:
            raise ValueError("binary packets are not taken")
        if self.packet_type == packet.EVENT:
            self._check_event()
        elif self.packet_type == packet.ACK and not (self.id and isinstance(self.data, list)):
            # Number 0 is where the library keeps its own counter.
            raise ValueError("an ack without a number or without a list")
        return 0

    def _check_event(self) -> None:
        if not isinstance(self.data, list) or not self.data or not isinstance(self.data[0], str):
            raise ValueError("an event without a name")
        if self.data[0] in _RESERVED:
            raise ValueError("a reserved event")
        self.data = [self.data[0], Received(tuple(self.data[1:]), self.id is not None)]


class Allowance:
    """So many a second, and no more than that at once."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._left = float(per_second)
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class BoundedWebSocket:
    """A WebSocket of either library, as the engine uses it. `wait` answers None at its end."""

    def __init__(self, inner: Any, sleep: Callable[[float], None]) -> None:
        self._inner = inner
        self._sleep = sleep
        self._allowance = Allowance(FRAMES_PER_SECOND)

    def wait(self) -> str | None:
        while True:
            if not self._allowance.take():
                # A flood waits in its sender's buffers, and every other page gets its turn: a
                # socket that always has something to read never yields by itself.
                self._sleep(PAUSE_SECONDS)
            try:
                message = self._inner.wait()
            except Exception:  # a broken frame, broken text or a timeout: all end it
                return None
            if message is None:
                return None
            if _too_large(message):
                SOCKET_PACKETS_DROPPED.labels("too_large").inc()
                return None
            if isinstance(message, str) and message[:1].isdecimal():
                return message
            SOCKET_PACKETS_DROPPED.labels("undecodable").inc()

    def send(self, message: str | bytes) -> None:
        self._inner.send(message)

    def close(self) -> None:
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _too_large(message: str | bytes) -> bool:
    if len(message) > MAX_MESSAGE_BYTES:
        return True
    return isinstance(message, str) and len(message.encode()) > MAX_MESSAGE_BYTES


class QuietLog:
    """The engine's logger: what strangers cause is only counted, anything else is a warning."""

    def info(self, message: str, *args: Any) -> None:
        """Every packet of every page: never."""

    def warning(self, message: str, *args: Any) -> None:
        """Clients that left while something was sent to them."""

    def error(self, message: str, *args: Any) -> None:
        """Handshakes that were refused."""

    def exception(self, message: str, *args: Any) -> None:
        if isinstance(sys.exc_info()[1], (ValueError, KeyError)):
            SOCKET_PACKETS_DROPPED.labels("undecodable").inc()
        else:
            log.warning("socket.failed", said=message % args if args else message, exc_info=True)
