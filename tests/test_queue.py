"""The queue in memory: in order, bounded, and never losing what it has taken."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from payments.domain.facts import Fact
from payments.queue import MemoryQueue, QueueFull


def fact(version: int) -> Fact:
    return Fact("order:1", version, "order.paid", {}, {}, datetime(2026, 1, 1, tzinfo=UTC))


def versions(queue: MemoryQueue, seconds: float = 0) -> list[int]:
    return [told.version for told in queue.read(seconds)]


def test_facts_come_out_as_they_went_in() -> None:
    queue = MemoryQueue()
    queue.publish([fact(1), fact(2)])
    queue.publish([fact(3)])
    assert versions(queue) == [1, 2, 3]
    assert versions(queue) == []


def test_a_reader_waits_only_as_long_as_it_says() -> None:
    began = time.monotonic()
    assert versions(MemoryQueue(), 0.1) == []
    assert 0.05 < time.monotonic() - began < 10


def test_a_waiting_reader_is_woken() -> None:
    queue = MemoryQueue()
    threading.Timer(0.05, lambda: queue.publish([fact(1)])).start()
    began = time.monotonic()
    assert versions(queue, 60) == [1]
    assert time.monotonic() - began < 30


def test_a_full_queue_takes_nothing_and_loses_nothing() -> None:
    queue = MemoryQueue(capacity=3)
    queue.publish([fact(1), fact(2)])
    with pytest.raises(QueueFull):
        queue.publish([fact(3), fact(4)])
    assert len(queue) == 2
    queue.publish([fact(3)])
    assert versions(queue) == [1, 2, 3]
    queue.publish([fact(4)])
    assert versions(queue) == [4]


def test_many_writers_lose_nothing() -> None:
    queue = MemoryQueue()
    read: list[int] = []
    done = threading.Event()

    def reader() -> None:
        while not done.is_set() or len(queue):
            read.extend(versions(queue, 0.01))

    def writer(first: int) -> None:
        for version in range(first, first + 500):
            queue.publish([fact(version)])

    reading = threading.Thread(target=reader)
    writing = [threading.Thread(target=writer, args=(1000 * n,)) for n in range(4)]
    for thread in (reading, *writing):
        thread.start()
    for thread in writing:
        thread.join()
    done.set()
    reading.join()
    assert sorted(read) == sorted(v for n in range(4) for v in range(1000 * n, 1000 * n + 500))
    for n in range(4):
        mine = [version for version in read if version // 1000 == n]
        assert mine == sorted(mine)
