"""The queue in Redis: every instance hears everything, whatever happens to Redis."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from payments.domain.facts import Fact
from payments.queue import MemoryQueue, StreamQueue, open_queue
from payments.queue import stream as streams
from payments.settings import load
from tests.servers import RedisServer, free_port, redis_server

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Told:
    """An outbox in memory: what has been committed, whether or not anybody published it."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def commit(self, number: int = 1) -> list[Fact]:
        first = len(self.facts) + 1
        made = [
            Fact(f"order:{n}", 1, "order.paid", {"id": n}, {}, AT, outbox_id=n)
            for n in range(first, first + number)
        ]
        self.facts += made
        return made

    def after_id(self, outbox_id: int, limit: int) -> Sequence[Fact]:
        return [fact for fact in self.facts if fact.outbox_id > outbox_id][:limit]

    def newest_id(self) -> int:
        return len(self.facts)


class Instance:
    """A server process: its queue, the loop that carries, and what its engine was told."""

    def __init__(self, url: str, outbox: Told) -> None:
        self.queue = StreamQueue(url, outbox)
        self.heard: list[int] = []
        self._stopping = threading.Event()
        self._loops = [threading.Thread(target=loop) for loop in (self._carry, self._read)]
        for loop in self._loops:
            loop.start()

    def _carry(self) -> None:
        while not self._stopping.is_set():
            self.queue.carry()

    def _read(self) -> None:
        while not self._stopping.is_set():
            self.heard += [fact.outbox_id for fact in self.queue.read(0.05)]

    def stop(self) -> None:
        self._stopping.set()
        for loop in self._loops:
            loop.join()

    def hears(self, ids: Sequence[int], seconds: float = 10) -> bool:
        return soon(lambda: set(ids) <= set(self.heard), seconds)


def soon(happened: object, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happened():  # type: ignore[operator]
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
def outbox() -> Told:
    return Told()


@pytest.fixture
def two(server: RedisServer, outbox: Told) -> Iterator[tuple[Instance, Instance]]:
    pair = Instance(server.url, outbox), Instance(server.url, outbox)
    assert all(soon(one.queue.healthy) for one in pair)
    yield pair
    for one in pair:
        one.stop()


def ids(facts: Sequence[Fact]) -> list[int]:
    return [fact.outbox_id for fact in facts]


def test_the_settings_choose_the_queue(outbox: Told) -> None:
    secret = {"APP_ENV": "test", "SECRET_KEY": "a secret of the tests of the queue"}
    assert isinstance(open_queue(load(secret), outbox), MemoryQueue)
    there = open_queue(load({**secret, "REDIS_URL": "redis://127.0.0.1:1"}), outbox)
    assert isinstance(there, StreamQueue)
    assert not there.healthy()


def test_what_one_publishes_both_hear_once_and_in_order(
    two: tuple[Instance, Instance], outbox: Told
) -> None:
    facts = outbox.commit(50)
    two[0].queue.publish(facts)
    assert all(one.hears(ids(facts)) for one in two)
    time.sleep(0.2)
    assert [one.heard for one in two] == [ids(facts)] * 2


def test_a_fact_comes_as_it_went(server: RedisServer, outbox: Told) -> None:
    queue = StreamQueue(server.url, outbox)
    other = StreamQueue(server.url, outbox)
    other.carry()
    (fact,) = outbox.commit()
    queue.publish([fact])
    other.carry()
    assert other.read(0) == [fact]


def test_a_newer_process_may_say_more_of_a_fact_than_is_known_here(
    server: RedisServer, outbox: Told
) -> None:
    other = StreamQueue(server.url, outbox)
    other.carry()
    (fact,) = outbox.commit()
    said = {**json.loads(streams._packed(fact)), "lately": "added"}
    with redis.Redis.from_url(server.url) as newer:
        newer.xadd(streams.STREAM, {"from": "newer", "fact": json.dumps(said)})
    other.carry()
    assert other.read(0) == [fact]


def test_published_twice_is_heard_once(two: tuple[Instance, Instance], outbox: Told) -> None:
    facts = outbox.commit(3)
    two[0].queue.publish(facts)
    two[1].queue.publish(facts)
    assert all(one.hears(ids(facts)) for one in two)
    time.sleep(0.3)
    assert [one.heard for one in two] == [ids(facts)] * 2


def test_whoever_begins_hears_only_what_comes(server: RedisServer, outbox: Told) -> None:
    StreamQueue(server.url, outbox).publish(outbox.commit(5))
    late = Instance(server.url, outbox)
    assert soon(late.queue.healthy)
    fresh = outbox.commit()
    StreamQueue(server.url, outbox).publish(fresh)
    assert late.hears(ids(fresh))
    assert late.heard == ids(fresh)
    late.stop()


def test_its_own_pages_do_not_wait_for_a_redis_that_is_away(outbox: Told) -> None:
    queue = StreamQueue(f"redis://127.0.0.1:{free_port()}", outbox)
    facts = outbox.commit(2)
    with pytest.raises(redis.RedisError):
        queue.publish(facts)
    assert queue.read(0) == facts


def test_while_redis_hangs_everybody_hears_by_the_outbox(
    server: RedisServer, two: tuple[Instance, Instance], outbox: Told
) -> None:
    server.pause()
    facts = outbox.commit(20)
    began = time.monotonic()
    with pytest.raises(redis.RedisError):
        two[0].queue.publish(facts)
    assert time.monotonic() - began < 5 * streams.PUBLISH_SECONDS
    assert two[1].hears(ids(facts))
    assert not two[1].queue.healthy()
    server.resume()
    assert all(soon(one.queue.healthy) for one in two)
    more = outbox.commit(5)
    two[0].queue.publish(more)
    assert two[1].hears(ids(more))


def test_what_was_flushed_before_it_was_read_is_found(
    server: RedisServer, two: tuple[Instance, Instance], outbox: Told
) -> None:
    first = outbox.commit(3)
    two[0].queue.publish(first)
    assert two[1].hears(ids(first))
    lost = outbox.commit(3)
    server.flush()
    # Committed and marked as published; the stream that had them is gone.
    after = outbox.commit(3)
    two[0].queue.publish(after)
    assert two[1].hears(ids(first + lost + after))
    assert len(two[1].heard) == len(set(two[1].heard))


def test_readers_come_back_after_each_restart_without_persistence(
    server: RedisServer, two: tuple[Instance, Instance], outbox: Told
) -> None:
    for _ in range(3):
        server.stop()
        lost = outbox.commit(4)
        server.start()
        assert all(soon(one.queue.healthy) for one in two)
        assert all(one.hears(ids(lost)) for one in two)
        facts = outbox.commit(4)
        two[1].queue.publish(facts)
        assert two[0].hears(ids(facts))


def test_killed_connections_cost_nothing(
    server: RedisServer, two: tuple[Instance, Instance], outbox: Told
) -> None:
    client: Any = redis.Redis.from_url(server.url)
    sent: list[int] = []
    for turn in range(100):
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        facts = outbox.commit()
        sent += ids(facts)
        try:
            two[turn % 2].queue.publish(facts)
        except redis.RedisError:
            two[turn % 2].queue.publish(facts)
        time.sleep(0.01)
    assert all(one.hears(sent, 15) for one in two)
    assert all(len(one.heard) == len(set(one.heard)) for one in two)


def test_who_falls_behind_a_trimmed_stream_finds_what_was_cut(
    server: RedisServer, outbox: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = StreamQueue(server.url, outbox)
    slow.carry()
    writer = StreamQueue(server.url, outbox)
    facts = outbox.commit(600)
    writer.publish(facts)
    redis.Redis.from_url(server.url).xtrim(streams.STREAM, maxlen=250, approximate=False)
    heard: list[int] = []
    for _ in range(8):
        slow.carry()
        heard += ids(slow.read(0))
    assert heard == ids(facts)
