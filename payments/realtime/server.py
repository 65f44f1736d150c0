"""The Socket.IO server with its bounds: from where, how much, and how a socket is closed."""

from __future__ import annotations

import inspect
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import engineio.socket
from engineio.exceptions import EngineIOError, QueueEmpty
from flask import Flask
from flask_socketio import SocketIO

from payments.dialects import DIALECTS, Dialect
from payments.realtime.threaded import ThreadedWebSocket
from payments.realtime.wire import (
    MAX_MESSAGE_BYTES,
    BoundedJson,
    BoundedPacket,
    BoundedWebSocket,
    QuietLog,
)
from payments.services.figures import SOCKETS_CLOSED
from payments.settings import Settings

POLLED_PACKETS = 16
"""What the official Python client takes in one answer of long polling; more, and it hangs up."""
PING_SECONDS = 25
PING_TIMEOUT_SECONDS = 20


def make_socketio(settings: Settings, dialects: tuple[Dialect, ...] = DIALECTS) -> Sockets:
    # Commands and tests run without green threads, whatever ASYNC_MODE says of the server.
    green = not inspect.isbuiltin(time.sleep)
    return Sockets(
        async_mode=settings.async_mode if green else "threading",
        async_handlers=False,
        manage_session=False,
        namespaces="*" if any(one.namespace.endswith("*") for one in dialects) else None,
        cors_allowed_origins=_origin_check(settings),
        max_http_buffer_size=MAX_MESSAGE_BYTES,
        ping_interval=PING_SECONDS,
        ping_timeout=PING_TIMEOUT_SECONDS,
        # `Patrol` looks after the pings, more often than the engine would.
        monitor_clients=False,
        json=BoundedJson,
        serializer=BoundedPacket,
        logger=QuietLog(),
        engineio_logger=QuietLog(),
    )


def _origin_check(settings: Settings) -> Callable[[str | None, Mapping[str, Any]], bool]:
    allowed = {_origin(url) for url in (settings.public_url, *settings.cors_origins)}

    def is_ours(origin: str, environ: Mapping[str, Any]) -> bool:
        asking = _origin(origin)
        if asking is None or asking in allowed:
            return asking is not None
        named = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}"
        return settings.env == "development" and asking == _origin(named)

    def are_ours(header: str | None, environ: Mapping[str, Any]) -> bool:
        # The Python client adds its own Origin to one that it is given: then both have to be ours.
        return all(is_ours(origin.strip(), environ) for origin in (header or "").split(","))

    return are_ours


def _origin(url: str) -> str | None:
    """As a browser writes it: no default port. None where it is none (`null`, a broken one)."""
    try:
        parts = urlsplit(url.lower())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    default = {"http": 80, "https": 443}[parts.scheme]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, default} else "")


class Connection(engineio.socket.Socket):  # type: ignore[misc]  # published without types
    """The engine's connection. Each becomes one of these as it comes in."""

    bounded: BoundedWebSocket | None = None
    seen_closed_at: float | None = None

    def poll(self) -> list[Any]:
        """What waits to be sent; nothing at the end."""
        empty = self.server.get_queue_empty_exception()
        try:
            packets = [self.queue.get(timeout=PING_SECONDS + PING_TIMEOUT_SECONDS)]
        except empty:
            raise QueueEmpty from None
        with suppress(empty):
            while packets[-1] is not None and len(packets) < POLLED_PACKETS:
                packets.append(self.queue.get(block=False))
        if packets[-1] is None:
            packets.pop()
            # The end is told again by the next answer, which brings nothing.
            self.queue.put(None)
        return packets


class Sockets(SocketIO):  # type: ignore[misc]  # published without types
    """Flask-SocketIO, with the places bounded that its options do not reach."""

    def init_app(self, app: Flask, **options: Any) -> None:
        super().init_app(app, **options)
        eio = self.server.eio
        threaded = self.async_mode == "threading"
        websocket = ThreadedWebSocket if threaded else eio._async["websocket"]
        # A copy: the engine keeps this table for all its servers.
        eio._async = {**eio._async, "websocket": self._bounded(websocket)}
        eio.send_packet = self._to_the_living(eio.send_packet)
        eio.disconnect = self._drop

    @staticmethod
    def _bounded(websocket: Any) -> Callable[[Any, Any], Any]:
        def make(handler: Any, eio: Any) -> Any:
            def handle(inner: Any) -> Any:
                connection = handler.__self__
                connection.bounded = BoundedWebSocket(inner, eio.sleep)
                try:
                    return handler(connection.bounded)
                finally:
                    connection.bounded = None

            return websocket(handle, eio)

        return make

    @staticmethod
    def _to_the_living(send_packet: Callable[..., None]) -> Callable[..., None]:
        """One socket that closes this moment must not keep the rest of its room from hearing."""

        def send(sid: str, pkt: Any) -> None:
            with suppress(EngineIOError):
                send_packet(sid, pkt)

        return send

    def _drop(self, sid: str) -> None:
        """For a broken request of long polling. The engine's own waits until the queue is read,
        which nobody does any more: one thread for ever."""
        connection = self.server.eio.sockets.get(sid)
        if connection is not None:
            self.hang_up(connection, "broken")

    def connections(self) -> list[Connection]:
        return list(self.server.eio.sockets.copy().values())

    def hang_up(self, connection: Connection, reason: str) -> None:
        """Closes the transport, by which the official client knows to come back by itself.

        A Socket.IO disconnect would keep it away. What is queued for it is still written.
        """
        SOCKETS_CLOSED.labels(reason).inc()
        connection.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        self.forget(connection)

    def forget(self, connection: Connection) -> None:
        self.server.eio.sockets.pop(connection.sid, None)

    def cut(self, connection: Connection, reason: str) -> None:
        """As `hang_up`, for one that does not read: a write that is stuck to it ends too."""
        self.hang_up(connection, reason)
        bounded = connection.bounded
        if bounded is not None:
            raw = bounded.raw if hasattr(bounded, "raw") else bounded.socket
            with suppress(OSError):
                raw.shutdown(socket.SHUT_RDWR)
