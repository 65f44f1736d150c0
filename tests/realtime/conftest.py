"""A served shop in both async modes, and visitors with the official client."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio
import websocket

from payments.domain.order import Order
from payments.services.tokens import Tokens
from payments.settings import Settings, load
from payments.store import people
from payments.store.db import db, in_transaction
from tests.realtime import shop
from tests.servers import REPOSITORY, Process, free_port

MODES = ("eventlet", "threading")
BOTH_EACH_TIME = {"test_vocabularies", "test_watching"}
"""What is said and to whom; the rest of it with threads is for `make long`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        ours = item.path.parent == Path(__file__).parent and item.path.stem not in BOTH_EACH_TIME
        if ours and "threading" in item.name:
            item.add_marker(pytest.mark.long)


class Shop:
    """One served shop: a process, its database, and its orders seen from this process."""

    def __init__(self, mode: str, directory: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "APP_ENV": "test",
            "SECRET_KEY": "a secret of one test shop that is long enough",
            "DATABASE_URL": f"sqlite:///{directory / 'shop.db'}",
            "INSTANCE_PATH": str(directory),
            "ASYNC_MODE": mode,
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            **settings,
        }
        self.mode = mode
        self.settings: Settings = load(self.environment)
        self.process = Process(f"{mode} shop", directory / "shop.log")
        self.app = shop.database_app(self.settings)
        self.tokens: Tokens = shop.tokens_of(self.settings)
        self._numbers = itertools.count(1)

    def start(self) -> None:
        with self.app.app_context():
            db.create_all()
        self.process.launch(
            [sys.executable, "-m", "tests.realtime.shop"],
            self.environment,
            self._listens,
            directory=REPOSITORY,
        )

    def _listens(self) -> bool:
        try:
            return int(self.get("/healthz")) == self.process.pid
        except OSError:
            return False

    def close(self) -> None:
        self.process.kill()
        with self.app.app_context():
            db.engine.dispose()

    def get(self, path: str, **headers: str) -> str:
        return self._ask("GET", path, None, headers)[1]

    def post(self, path: str, body: bytes = b"") -> str:
        return self._ask("POST", path, body, {})[1]

    def status(self, method: str, path: str, body: bytes | None = None) -> int:
        return self._ask(method, path, body, {})[0]

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def move(self, order: Order, event: str = "order.paid") -> int:
        """In the server's process, as a callback does."""
        return int(self.post(f"/move/{order.id}/{event}"))

    def figure(self, name: str) -> float:
        for line in self.get("/metrics").splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def elsewhere(self, change: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """In this process: the server is not told."""
        with self.app.app_context():
            return change(*args, **kwargs)

    def order(self, **about: Any) -> Order:
        name = f"{self.mode}-{next(self._numbers)}"
        opened: Order = self.elsewhere(shop.open_order, name, **about)
        return opened

    def watch_token(self, order: Order) -> str:
        return self.tokens.watch(order.id)

    def person_token(self, user_id: str, role: str = "customer") -> str:
        self.elsewhere(lambda: in_transaction(lambda: people.add(user_id, role=role)))
        return self.tokens.person(user_id)[0]


class Visitor:
    """One page: the official client, and everything it heard."""

    def __init__(self, client: socketio.Client, namespace: str = "/") -> None:
        self.client = client
        self.namespace = namespace
        self.heard: list[tuple[str, Any]] = []
        self._change = threading.Condition()
        client.on("*", self._hear, namespace=namespace)
        client.on("disconnect", lambda *_: self._hear("disconnect"), namespace=namespace)
        client.on("connect", lambda: self._hear("connect"), namespace=namespace)

    def _hear(self, event: str, *args: Any) -> None:
        with self._change:
            self.heard.append((event, args[0] if args else None))
            self._change.notify_all()

    def call(self, event: str, *args: Any) -> Any:
        return self.client.call(event, *args, namespace=self.namespace, timeout=5)

    def say(self, event: str, *args: Any) -> None:
        self.client.emit(event, *args, namespace=self.namespace)

    def watch(self, order: Order, after: int | None = None) -> Any:
        return self.call("watch", {"topic": f"order:{order.id}", "after": after})

    def all(self, event: str) -> list[Any]:
        return [payload for name, payload in self.heard if name == event]

    def wait_for(self, event: str, count: int = 1, seconds: float = 5.0) -> list[Any]:
        """What was heard of this event, once there are `count` of it."""
        with self._change:
            self._change.wait_for(lambda: len(self.all(event)) >= count, seconds)
        found = self.all(event)
        assert len(found) >= count, f"heard only {self.heard}"
        return found

    def versions(self) -> list[int]:
        return [update["version"] for update in self.all("update")]


class Raw:
    """A page that speaks the protocol by hand, and may speak it badly."""

    def __init__(self, shop: Shop, origin: str | None = None, host: str | None = None) -> None:
        self._shop = shop
        self._origin = origin
        self._host = host
        self._numbers = itertools.count(1)
        self.heard: list[str] = []
        self.socket: Any

    def open(self) -> None:
        self.socket = websocket.create_connection(
            f"ws://127.0.0.1:{self._shop.port}/socket.io/?EIO=4&transport=websocket",
            timeout=5,
            origin=self._origin,
            suppress_origin=self._origin is None,
            host=self._host,
        )
        assert self._hear().startswith("0{")

    def connect(self, auth: Any) -> Any:
        """The answer to CONNECT: `{sid}`, or the refusal."""
        self.open()
        self.send("40" + ("" if auth is None else json.dumps(auth)))
        answer = self.until(lambda message: message.startswith(("40", "44")))
        return json.loads(answer[2:])

    def send(self, message: str) -> None:
        self.socket.send(message)

    def ask(self, event: str, *args: Any) -> Any:
        number = next(self._numbers)
        self.send(f"42{number}{json.dumps([event, *args])}")
        return self.ack(number)

    def ack(self, number: int) -> Any:
        start = f"43{number}["
        return json.loads(self.until(lambda one: one.startswith(start))[len(start) - 1 :])[0]

    def until(self, wanted: Callable[[str], bool]) -> str:
        """The first message of this kind; waits for it."""
        for message in self.heard:
            if wanted(message):
                return message
        while not wanted(self._hear()):
            pass
        return self.heard[-1]

    def _hear(self) -> str:
        self.heard.append(str(self.socket.recv()))
        return self.heard[-1]

    def close(self) -> None:
        """Without a goodbye, as a browser that is gone."""
        if hasattr(self, "socket"):
            self.socket.shutdown()


Visit = Callable[..., Visitor]
ByHand = Callable[..., Raw]


@pytest.fixture(scope="package", params=MODES)
def shared_shop(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Shop]:
    opened = Shop(request.param, tmp_path_factory.mktemp("shop"))
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


@pytest.fixture
def a_shop(shared_shop: Shop) -> Shop:
    return shared_shop


@pytest.fixture(params=MODES)
def own_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """A shop of the test's own, with settings of its own."""
    opened: list[Shop] = []

    def open_shop(**settings: str) -> Shop:
        opened.append(Shop(request.param, tmp_path, **settings))
        opened[-1].start()
        return opened[-1]

    yield open_shop
    for one in opened:
        one.close()


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Visit]:
    visitors: list[Visitor] = []
    # The client leaves open what a server has ended.
    sessions: list[requests.Session] = []
    sockets: list[Any] = []
    create = websocket.create_connection

    def remembered(*args: Any, **options: Any) -> Any:
        sockets.append(create(*args, **options))
        return sockets[-1]

    monkeypatch.setattr(websocket, "create_connection", remembered)

    def come(
        to: Shop,
        token: str | None = None,
        *,
        transports: tuple[str, ...] = ("websocket",),
        headers: dict[str, str] | None = None,
        namespace: str = "/",
        reconnection: bool = False,
    ) -> Visitor:
        sessions.append(requests.Session())
        client = socketio.Client(
            reconnection=reconnection,
            reconnection_delay=0.1,
            reconnection_delay_max=0.5,
            http_session=sessions[-1],
        )
        visitor = Visitor(client, namespace)
        visitors.append(visitor)
        client.connect(
            to.url,
            auth={"token": token} if token else None,
            headers=headers or {},
            transports=list(transports),
            namespaces=[namespace],
            wait_timeout=5,
        )
        return visitor

    yield come
    for visitor in visitors:
        visitor.client.shutdown()
    for session in sessions:
        session.close()
    for one in sockets:
        one.shutdown()


@pytest.fixture
def by_hand() -> Iterator[ByHand]:
    pages: list[Raw] = []

    def come(to: Shop, **about: Any) -> Raw:
        pages.append(Raw(to, **about))
        return pages[-1]

    yield come
    for page in pages:
        page.close()


def eventually(check: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.02)
