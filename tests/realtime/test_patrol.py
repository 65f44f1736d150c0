"""Sockets that are cut: the silent, the dead, and those that do not read."""

from __future__ import annotations

import queue
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from payments.queue import MemoryQueue
from payments.realtime.consumer import TRIES, Consumer
from payments.realtime.doors import Doors
from payments.realtime.engine import Engine
from payments.realtime.handlers import Realtime
from payments.realtime.patrol import GOODBYE_SECONDS, MAX_WAITING_PACKETS, go_round
from tests.realtime.test_engine import fact


class Connection:
    def __init__(self, sid: str, **about: Any) -> None:
        self.sid = sid
        self.closed = about.get("closed", False)
        self.seen_closed_at: float | None = None
        self.last_ping = about.get("last_ping")
        self.queue: queue.Queue[None] = queue.Queue()
        for _ in range(about.get("waiting", 0)):
            self.queue.put(None)


class Sockets:
    def __init__(self, *connections: Connection) -> None:
        self._connections = connections
        self.cut_for: dict[str, str] = {}
        self.forgotten: list[str] = []

    def connections(self) -> list[Connection]:
        return list(self._connections)

    def cut(self, connection: Connection, reason: str) -> None:
        self.cut_for[connection.sid] = reason

    def forget(self, connection: Connection) -> None:
        self.forgotten.append(connection.sid)


def cut(connection: Connection, *, spoken: bool = True, age_seconds: float = 0.0) -> dict[str, str]:
    sockets = Sockets(connection)
    everybody = [SimpleNamespace(connection_id="one", identity=SimpleNamespace(user=None))]
    realtime = SimpleNamespace(
        socketio=sockets,
        doors=SimpleNamespace(age_seconds=lambda _sid: age_seconds),
        rooms=SimpleNamespace(everybody=lambda: everybody if spoken else []),
    )
    go_round(cast(Realtime, realtime))
    return sockets.cut_for


def test_a_page_that_answers_stays() -> None:
    assert cut(Connection("one", last_ping=time.time() - 19), age_seconds=10_000) == {}


def test_a_page_that_leaves_a_ping_unanswered_is_cut() -> None:
    assert cut(Connection("one", last_ping=time.time() - 21)) == {"one": "ping_timeout"}


def test_a_page_that_does_not_read_is_cut() -> None:
    assert cut(Connection("one", waiting=MAX_WAITING_PACKETS)) == {}
    assert cut(Connection("one", waiting=MAX_WAITING_PACKETS + 1)) == {"one": "does_not_read"}


@pytest.mark.parametrize(("age_seconds", "reason"), [(19.0, {}), (21.0, {"one": "silent"})])
def test_who_never_says_who_they_are_is_cut(age_seconds: float, reason: dict[str, str]) -> None:
    assert cut(Connection("one"), spoken=False, age_seconds=age_seconds) == reason


def test_who_said_goodbye_is_forgotten_once_their_last_words_are_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = Connection("one", closed=True, waiting=MAX_WAITING_PACKETS + 1)
    sockets = Sockets(gone)
    realtime = SimpleNamespace(socketio=sockets, rooms=SimpleNamespace(everybody=list))
    clock = [1_000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    for later, forgotten in ((0.0, []), (GOODBYE_SECONDS, []), (0.1, ["one"])):
        clock[0] += later
        go_round(cast(Realtime, realtime))
        assert sockets.forgotten == forgotten
    assert sockets.cut_for == {}


def test_doors_count_by_address() -> None:
    doors = Doors(2)
    assert doors.enter("a1", "10.0.0.1")
    assert doors.enter("a2", "10.0.0.1")
    assert not doors.enter("a3", "10.0.0.1")
    assert doors.enter("b1", "10.0.0.2")
    doors.leave("a3")  # it never came in
    assert not doors.enter("a3", "10.0.0.1")
    doors.leave("a1")
    doors.leave("a1")
    assert doors.enter("a3", "10.0.0.1")
    assert not doors.enter("a4", "10.0.0.1")


class Stumbling:
    """An engine whose database is away for so many tries."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.told: list[tuple[int, bool]] = []

    def tell(self, one: Any, *, fill: bool = True) -> None:
        if self.failures and fill:
            self.failures -= 1
            raise ConnectionError
        self.told.append((one.version, fill))


def run(consumer: Consumer, steps: int) -> int:
    failed = 0
    for _ in range(steps):
        try:
            consumer.step()
        except ConnectionError:
            failed += 1
    return failed


def test_a_fact_that_fails_is_tried_again_in_its_place() -> None:
    queue_, engine = MemoryQueue(), Stumbling(2)
    queue_.publish([fact(1), fact(2)])
    assert run(Consumer(queue_, cast(Engine, engine)), 3) == 2
    assert engine.told == [(1, True), (2, True)]


def test_a_gap_that_can_never_be_filled_stops_nobody_for_ever() -> None:
    queue_, engine = MemoryQueue(), Stumbling(1_000)
    queue_.publish([fact(1)])
    assert run(Consumer(queue_, cast(Engine, engine)), TRIES) == TRIES - 1
    assert engine.told == [(1, False)]
