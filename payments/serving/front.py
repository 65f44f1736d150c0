"""Stands between a server and the application: what is open, and the drain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from werkzeug.wsgi import ClosingIterator

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Front:
    """Stands before the application: counts what is open, and mends what the servers leave."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app
        self._lock = Lock()
        self.open = {"requests": 0, "sockets": 0}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        # Deflate costs three times the memory of a page, and joining takes as much longer.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            # eventlet ends the stream but does not say so, and Werkzeug would read nothing.
            environ["wsgi.input_terminated"] = True
        kind = "sockets" if environ.get("PATH_INFO", "").startswith("/socket.io") else "requests"
        self._count(kind, 1)
        try:
            answer = self._app(environ, start_response)
        except BaseException:
            self._count(kind, -1)
            raise
        if isinstance(answer, list):
            # Whole, and as a list the server can tell its length.
            self._count(kind, -1)
            return answer
        return ClosingIterator(answer, lambda: self._count(kind, -1))

    def _count(self, kind: str, more: int) -> None:
        with self._lock:
            self.open[kind] += more

    def wait_for(self, kind: str, seconds: float) -> None:
        """Until none of them is open, or the seconds are over."""
        end = time.monotonic() + seconds
        while self.open[kind] and time.monotonic() < end:
            time.sleep(0.02)
