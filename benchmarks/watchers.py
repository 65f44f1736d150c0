"""Worker: pages by the official Python client, each on its own order; how soon the money shows.

A latency is from the first byte of the callback's POST until the client's handler has the event.
`in_flight` callbacks are on their way at any time: one is a quiet shop, more is a busy one. The
answer's own latency is noted beside it.
"""

from __future__ import annotations

import http.client
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import socketio

from benchmarks import worker
from benchmarks.due import CALLBACK_PATH

WAIT_SECONDS = 15.0
JOINING = 16
JSON = {"Content-Type": "application/json"}


class Watcher:
    def __init__(self, port: int, about: dict[str, Any]) -> None:
        self.callback = about["callback"].encode()
        self.heard_at: list[float] = []
        self._heard = threading.Event()
        self._client = socketio.Client(reconnection=False)
        self._client.on(about["push"], self._hear)
        self._client.connect(
            f"http://127.0.0.1:{port}",
            auth=about["auth"],
            transports=["websocket"],
            wait_timeout=WAIT_SECONDS,
        )
        joined = self._client.call(about["join"], about["argument"], timeout=WAIT_SECONDS)
        if joined.get("ok") is not True:
            raise worker.RunFailed(f"a page was not let in: {joined}")

    def wait(self) -> float:
        if not self._heard.wait(WAIT_SECONDS):
            raise worker.RunFailed("money came, and its page was not told")
        return self.heard_at[0]

    def leave(self) -> None:
        self._client.disconnect()

    def _hear(self, told: dict[str, Any]) -> None:
        status = told["snapshot"]["status"] if "snapshot" in told else told["status"]
        if status == "paid":
            self.heard_at.append(time.perf_counter())
            self._heard.set()


class Shop:
    """Posts the callbacks, and waits for each page before the next."""

    def __init__(self, port: int, watchers: list[Watcher]) -> None:
        self._port = port
        self._waiting: queue.SimpleQueue[Watcher] = queue.SimpleQueue()
        for watcher in watchers:
            self._waiting.put(watcher)
        self.shown: list[float] = []
        self.answered: list[float] = []

    def post_all(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=WAIT_SECONDS)
        connection.connect()
        with suppress(queue.Empty):
            while True:
                self._pay(connection, self._waiting.get_nowait())
        connection.close()

    def _pay(self, connection: http.client.HTTPConnection, watcher: Watcher) -> None:
        start = time.perf_counter()
        connection.request("POST", CALLBACK_PATH, watcher.callback, JSON)
        response = connection.getresponse()
        response.read()
        answered = time.perf_counter()
        if response.status // 100 != 2:
            raise worker.RunFailed(f"a callback was answered {response.status}")
        self.shown.append(watcher.wait() - start)
        self.answered.append(answered - start)


def main(asked: dict[str, Any]) -> dict[str, Any]:
    with ThreadPoolExecutor(JOINING) as crowd:
        watchers = list(crowd.map(lambda about: Watcher(asked["port"], about), asked["pages"]))
    shop = Shop(asked["port"], watchers)
    with ThreadPoolExecutor(asked["in_flight"]) as posters:
        for posted in [posters.submit(shop.post_all) for _ in range(asked["in_flight"])]:
            posted.result()
    told_again = sum(len(watcher.heard_at) - 1 for watcher in watchers)
    with ThreadPoolExecutor(JOINING) as crowd:
        list(crowd.map(Watcher.leave, watchers))
    return {"shown": shop.shown, "answered": shop.answered, "told_again": told_again}


if __name__ == "__main__":
    worker.answer(main(worker.job()))
