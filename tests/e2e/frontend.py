"""A frontend of somebody else's: one page on an origin of its own, with Paychime's small client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from playwright.sync_api import Page, WebSocket, WebSocketRoute

SCRIPTS = (
    "/static/vendor/socket.io-client-4.8.4/socket.io.min.js",
    "/static/js/paychime-client.js",
)

BEGIN = """([order, options]) => {
  window.heard = []; window.states = []; window.refused = [];
  window.client = Paychime.connect({
    ...options,
    onStatus: (status) => states.push(status),
    onRefused: (refusal) => refused.push(refusal),
  });
  window.stop = client.subscribe(order, (told) => heard.push(told));
}"""


class Frontend:
    """A page with the client in it: what it heard, which states it went through."""

    def __init__(self, page: Page, shop_url: str) -> None:
        self.page = page
        self._shop_url = shop_url
        self.sockets: list[WebSocket] = []
        self.asked: list[str] = []
        self.page.on("websocket", lambda socket: self.sockets.append(socket))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def load(self) -> None:
        """The two scripts, into whatever page this is."""
        for script in SCRIPTS:
            self.page.add_script_tag(url=self._shop_url + script)

    def begin(self, order_id: str, **options: Any) -> None:
        self.page.evaluate(BEGIN, [order_id, options])

    def now(self, expression: str) -> Any:
        return self.page.evaluate(expression)

    def waits_until(self, expression: str, seconds: float = 10) -> None:
        # Playwright's own waiting evaluates a text inside the page, which our pages forbid.
        deadline = time.monotonic() + seconds
        while not self.now(expression):
            assert time.monotonic() < deadline, (expression, self.now("[states, heard, refused]"))
            self.page.wait_for_timeout(50)

    def is_told(self, status: str, seconds: float = 10) -> None:
        self.waits_until(f"heard.some((told) => told.status === '{status}')", seconds)

    def becomes(self, state: str, seconds: float = 10) -> None:
        self.waits_until(f"client.status === '{state}'", seconds)

    @property
    def versions(self) -> list[int]:
        found: list[int] = self.now("heard.map((told) => told.version)")
        return found

    @property
    def states(self) -> list[str]:
        found: list[str] = self.now("states")
        return found


class Wire:
    """Between a page and the server's sockets: can cut, repeat and swallow. Laid before the page
    is loaded; what it did is counted, for a wire that does nothing proves nothing."""

    def __init__(self, page: Page) -> None:
        self.cut = False
        self.repeat = False
        self.swallow = 0
        self.cuts = self.repeats = 0
        self.said: list[str] = []
        page.route_web_socket("**/socket.io/**", self._take)

    def _take(self, page: WebSocketRoute) -> None:
        if self.cut:
            self.cuts += 1
            page.close()
            return
        server = page.connect_to_server()

        def out(message: str | bytes) -> None:
            self.said.append(str(message))
            server.send(message)

        def back(message: str | bytes) -> None:
            update = str(message).startswith('42["update"')
            if update and self.swallow:
                self.swallow -= 1
                return
            page.send(message)
            if update and self.repeat:
                self.repeats += 1
                page.send(message)

        page.on_message(out)
        server.on_message(back)


class _Page(BaseHTTPRequestHandler):
    def __init__(self, *args: Any, html: bytes) -> None:
        self._html = html
        super().__init__(*args)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self._html)

    def log_message(self, *_args: Any) -> None:
        """Not into the test's output."""


@contextmanager
def served_elsewhere(port: int, shop_url: str) -> Iterator[None]:
    """The frontend's own server. `127.0.0.1` and `localhost` are two origins of it."""
    scripts = "".join(f'<script src="{shop_url}{script}"></script>' for script in SCRIPTS)
    html = f'<!doctype html><link rel="icon" href="data:,"><title>A shop</title>{scripts}'
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Page, html=html.encode()))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
