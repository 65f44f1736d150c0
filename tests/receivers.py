"""A shop's own system, really listening on the loopback, which believes signed messages alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Heard:
    headers: dict[str, str]
    body: bytes
    path: str
    at: float = field(default_factory=time.monotonic)

    @property
    def said(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def believed(self, secret: str) -> dict[str, Any]:
        """Raises WebhookVerificationError unless this secret signed it a moment ago."""
        told: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return told


class Receiver:
    """`answers` are given one after the other: (status, headers, body); then always 204.

    `before` runs before each answer.
    """

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.always: tuple[int, dict[str, str], bytes] = (204, {}, b"")
        self.before: Callable[[], object] = lambda: None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                lower = {name.lower(): value for name, value in self.headers.items()}
                receiver.heard.append(Heard(lower, body, self.path))
                receiver.before()
                answers = receiver.answers
                status, headers, answer = answers.pop(0) if answers else receiver.always
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> Any:
                made = super().get_request()
                receiver.connections += 1
                return made

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Whoever called has gone away."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hooks"

    def wait_for(self, count: int, seconds: float = PATIENCE_SECONDS) -> list[Heard]:
        deadline = time.monotonic() + seconds
        while len(self.heard) < count:
            assert time.monotonic() < deadline, f"{len(self.heard)} of {count} were heard"
            time.sleep(0.02)
        return self.heard


@contextmanager
def listening() -> Iterator[Receiver]:
    one = Receiver()
    thread = threading.Thread(target=one.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield one
    finally:
        one.server.shutdown()
        one.server.server_close()
        thread.join(5)
