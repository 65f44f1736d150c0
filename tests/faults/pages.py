"""Open pages: the official client, which shows what it hears and asks for what it missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import socketio
import websocket

POLL_SECONDS = 3.0
"""As our own page polls while it has no socket."""
TICK_SECONDS = 0.1
AGAIN_SECONDS = 1.0
TOPICS_AT_ONCE = 50
"""Wishes of one tick; a socket may say 100 a second."""


@dataclass
class Shown:
    """One order as this page shows it, and when it came to show this."""

    version: int = 0
    status: str = ""
    at: float = 0.0
    joined: bool = False
    asked_at: float = -AGAIN_SECONDS
    pushes: int = 0


class Page:
    """Watches orders on one server, over a socket or (`polls`) by asking for `/events` alone.

    It comes back by itself, as fast as the client's shortest pause lets it.
    """

    def __init__(self, url: str, token: str, *, polls: bool = False) -> None:
        self.url = url
        self.shown: dict[str, Shown] = {}
        self._token = token
        self._polls = polls
        self._closing = False
        self._wake = threading.Event()
        self._session = requests.Session()
        self._change = threading.Condition()
        self._client: Any = None
        if not polls:
            self._client = socketio.Client(
                reconnection_delay=0.1, reconnection_delay_max=0.5, http_session=self._session
            )
            self._client.on("disconnect", self._left)
            self._client.on("update", self._heard)
        self._thread = threading.Thread(target=self._live, daemon=True)

    def open(self) -> None:
        if self._client is not None:
            self._client.connect(
                self.url, auth={"token": self._token}, transports=["websocket"], wait_timeout=10
            )
        self._thread.start()

    def watch(self, order_id: str) -> None:
        with self._change:
            self.shown[order_id] = Shown()
        self._wake.set()

    def watches(self, order_ids: list[str], seconds: float = 15.0) -> None:
        """Returns once each is on the page."""
        for order_id in order_ids:
            self.watch(order_id)
        ready = self.until(
            lambda: all(self.shown[one].version for one in order_ids), time.monotonic() + seconds
        )
        assert ready, "the page did not open"

    def forget(self, order_id: str) -> None:
        """The page goes on to another order."""
        with self._change:
            del self.shown[order_id]
        if self._client is not None and self._client.connected:
            with suppress(Exception):
                self._client.emit("unwatch", {"topic": f"order:{order_id}"})

    def until(self, wanted: Any, deadline: float) -> bool:
        """Whether `wanted()` came true before the deadline."""
        with self._change:
            return bool(self._change.wait_for(wanted, max(0.0, deadline - time.monotonic())))

    @property
    def connected(self) -> bool:
        return self._client is not None and bool(self._client.connected)

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        if self._client is not None:
            self._client.shutdown()
        self._thread.join(20)
        self._session.close()

    def _live(self) -> None:
        while not self._closing:
            self._wake.wait(POLL_SECONDS if self._polls else TICK_SECONDS)
            self._wake.clear()
            if self._polls:
                self._poll()
            elif self._client.connected:
                self._join()

    def _join(self) -> None:
        """Asks by the version shown; again where the answer was lost or a refusal."""
        now = time.monotonic()
        with self._change:
            waiting = [
                (order_id, one.version)
                for order_id, one in self.shown.items()
                if not one.joined and now - one.asked_at > AGAIN_SECONDS
            ][:TOPICS_AT_ONCE]
            for order_id, _ in waiting:
                self.shown[order_id].asked_at = now
        for order_id, version in waiting:
            with suppress(socketio.exceptions.SocketIOError):
                self._client.emit(
                    "watch",
                    {"topic": f"order:{order_id}", "after": version},
                    callback=lambda ack, order_id=order_id: self._answered(order_id, ack),
                )

    def _answered(self, order_id: str, ack: Any) -> None:
        if isinstance(ack, dict) and ack.get("ok"):
            self._show(order_id, ack["version"], ack["snapshot"]["status"], joined=True)

    def _heard(self, told: dict[str, Any]) -> None:
        order_id = told["topic"].removeprefix("order:")
        with self._change:
            mine = self.shown.get(order_id)
            if mine is None:
                return
            mine.pushes += 1
            if told["version"] > mine.version + 1:
                mine.joined = False  # a gap: ask from our own version
                return
        self._show(order_id, told["version"], told["snapshot"]["status"])

    def _left(self, *_why: Any) -> None:
        with self._change:
            for one in self.shown.values():
                one.joined, one.asked_at = False, -AGAIN_SECONDS

    def _poll(self) -> None:
        for order_id, shown in list(self.shown.items()):
            with suppress(requests.RequestException, ValueError):
                answer = self._session.get(
                    f"{self.url}/api/v1/orders/{order_id}/events",
                    params={"after": shown.version},
                    headers={"Authorization": f"Bearer {self._token}"},
                    timeout=5,
                )
                if answer.ok:
                    told = answer.json()
                    self._show(order_id, told["version"], told["snapshot"]["status"])

    def _show(self, order_id: str, version: int, status: str, *, joined: bool = False) -> None:
        with self._change:
            mine = self.shown.get(order_id)
            if mine is None:
                return
            mine.joined = mine.joined or joined
            if version > mine.version:
                mine.version, mine.status, mine.at = version, status, time.monotonic()
            self._change.notify_all()


@contextmanager
def closed_in_the_end() -> Iterator[None]:
    """The client leaves open what a server has ended; Python would complain of each."""
    sockets: list[Any] = []
    create = websocket.create_connection

    def remembered(*args: Any, **options: Any) -> Any:
        sockets.append(create(*args, **options))
        return sockets[-1]

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(websocket, "create_connection", remembered)
        yield
    for one in sockets:
        with suppress(Exception):
            one.shutdown()
