"""The WebSocket of `ASYNC_MODE=threading`: simple-websocket, as the engine needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simple_websocket

from payments.realtime.wire import MAX_MESSAGE_BYTES


class _Connection(simple_websocket.Server):  # type: ignore[misc]  # published without types
    def _thread(self) -> None:
        super()._thread()
        # The library wakes its reader before it says that it is over: one that looked in
        # between would wait for ever.
        self.connected = False
        self.event.set()


class ThreadedWebSocket:
    """One connection, in the shape of eventlet's: called, then read and written."""

    def __init__(self, handler: Callable[[ThreadedWebSocket], Any], _eio: Any) -> None:
        self._handler = handler
        self._connection: Any = None

    def __call__(self, environ: Any, _start_response: Any) -> Any:
        # With a timeout a slow reader is sent a part of a frame, and the rest is lost.
        environ["werkzeug.socket"].settimeout(None)
        self._connection = _Connection(environ, max_message_size=MAX_MESSAGE_BYTES)
        self._handler(self)
        # Werkzeug takes it that there is nobody left to answer.
        raise ConnectionError("the WebSocket is over")

    @property
    def raw(self) -> Any:
        """Not named `socket`: the engine would give that a timeout."""
        return self._connection.sock

    def wait(self) -> Any:
        try:
            return self._connection.receive()
        except simple_websocket.ConnectionClosed:
            return None

    def send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except simple_websocket.ConnectionClosed as error:
            raise OSError("the WebSocket is over") from error

    def close(self) -> None:
        if self._connection.connected:
            self._connection.close()
