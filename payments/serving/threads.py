"""Threads instead of eventlet: Werkzeug's server, and how long a thread waits for PostgreSQL."""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from threading import Thread
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from payments.serving.front import Front
from payments.serving.limits import BODY_SECONDS

SIP_BYTES = 1_000_000


class ThreadingServer:
    """Werkzeug's: a thread for each connection, and one request in each."""

    def __init__(self, listener: socket.socket, front: Front) -> None:
        class Handler(WSGIRequestHandler):
            timeout = BODY_SECONDS

            def setup(self) -> None:
                super().setup()
                self.rfile = _Sips(self.rfile)  # type: ignore[assignment]

            def version_string(self) -> str:
                return "Paychime"

            def run_wsgi(self) -> None:
                super().run_wsgi()
                # Else it would wait for another request on what has been a WebSocket.
                self.close_connection = True

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """No access log."""

            def log_error(self, format: str, *args: object) -> None:
                """Clients that went away or were too slow."""

        host, port = listener.getsockname()[:2]
        self._listener = listener
        self._server = ThreadedWSGIServer(host, port, front, Handler, fd=listener.fileno())
        self._server.daemon_threads = True

    def start(self) -> None:
        Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def stop_accepting(self) -> None:
        self._server.shutdown()
        # Werkzeug has closed its own copy. Whoever stands before ours is let in before it closes.
        self._listener.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._server.process_request(*self._listener.accept())
        self._listener.close()


class _Sips:
    """Werkzeug throws the rest of a body away in pieces of 10 MB; here it holds less at once."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read(min(size, SIP_BYTES)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def answers_within(connection: Any, reads: bool, seconds: float) -> bool:
    """Whether PostgreSQL lets this connection read or write within the seconds."""
    # Not select(), which knows no descriptor above 1023.
    poll = select.poll()
    poll.register(connection, select.POLLIN if reads else select.POLLOUT)
    return bool(poll.poll(seconds * 1000))
