"""The relay: at least once, oldest first, and nothing lost by a crash or a full queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pytest
from flask import Flask

from payments.domain.facts import Fact
from payments.queue import MemoryQueue, QueueFull
from payments.services.relay import BATCH, Relay, relay_once
from payments.store import outbox
from payments.store.db import in_transaction, now


def commit(*facts: tuple[str, int]) -> None:
    def change() -> None:
        for topic, version in facts:
            outbox.add(Fact(topic, version, "order.paid", {"n": version}, {}, now()))

    in_transaction(change)


def told(queue: MemoryQueue) -> list[tuple[str, int]]:
    return [(fact.topic, fact.version) for fact in queue.read(0)]


class Crashing:
    """A queue that dies before it takes anything, or after."""

    shared = False

    def __init__(self, *, taken: bool) -> None:
        self.facts: list[Fact] = []
        self._taken = taken

    def publish(self, facts: Sequence[Fact]) -> None:
        if self._taken:
            self.facts.extend(facts)
        raise ConnectionError("the queue is away")

    def read(self, timeout_seconds: float) -> Sequence[Fact]:
        return []

    def carry(self) -> None:
        """Nothing comes from anybody else."""

    def healthy(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def _in_app(app: Flask) -> object:
    with app.app_context():
        yield


def test_committed_facts_are_published_once_and_oldest_first() -> None:
    queue = MemoryQueue()
    commit(("order:a", 1))
    commit(("order:b", 1), ("order:a", 2))
    assert relay_once(queue) == 3
    assert told(queue) == [("order:a", 1), ("order:b", 1), ("order:a", 2)]
    assert relay_once(queue) == 0
    assert told(queue) == []
    assert outbox.lag() == (0, None)


def test_what_is_published_is_the_fact_as_it_was_committed() -> None:
    queue = MemoryQueue()
    commit(("order:a", 7))
    relay_once(queue)
    [fact] = queue.read(0)
    assert (fact.event, fact.snapshot, fact.version) == ("order.paid", {"n": 7}, 7)
    assert fact.outbox_id > 0
    assert fact.at.tzinfo is not None


def test_one_round_is_bounded() -> None:
    queue = MemoryQueue()
    commit(*(("order:a", version) for version in range(1, BATCH + 11)))
    assert relay_once(queue) == BATCH
    assert relay_once(queue) == 10
    assert told(queue) == [("order:a", version) for version in range(1, BATCH + 11)]


def test_a_queue_that_is_away_loses_nothing() -> None:
    commit(("order:a", 1))
    with pytest.raises(ConnectionError):
        relay_once(Crashing(taken=False))
    queue = MemoryQueue()
    assert relay_once(queue) == 1
    assert told(queue) == [("order:a", 1)]


def test_a_crash_between_publishing_and_marking_publishes_again() -> None:
    commit(("order:a", 1))
    crashed = Crashing(taken=True)
    with pytest.raises(ConnectionError):
        relay_once(crashed)
    assert len(crashed.facts) == 1
    assert relay_once(MemoryQueue()) == 1


def test_a_full_queue_is_waited_for_and_nothing_is_lost() -> None:
    queue = MemoryQueue(capacity=2)
    commit(("order:a", 1), ("order:a", 2))
    relay_once(queue)
    commit(("order:a", 3))
    with pytest.raises(QueueFull):
        relay_once(queue)
    assert told(queue) == [("order:a", 1), ("order:a", 2)]
    assert relay_once(queue) == 1
    assert told(queue) == [("order:a", 3)]


def steps(app: Flask, relay: Relay, rounds: int) -> threading.Thread:
    def run() -> None:
        with app.app_context():
            for _ in range(rounds):
                relay.step()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def never_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.services.relay.SWEEP_SECONDS", 1_000.0)


@pytest.mark.usefixtures("never_sweeps")
def test_a_commit_of_this_process_wakes_the_relay(app: Flask) -> None:
    queue = MemoryQueue()
    relay = Relay(queue)
    relay.start()
    waiting = steps(app, relay, 1)
    time.sleep(0.1)
    commit(("order:a", 1))
    assert [fact.version for fact in queue.read(20)] == [1]
    waiting.join()
    relay.stop()


def test_the_sweep_finds_what_another_process_left(app: Flask) -> None:
    queue = MemoryQueue()
    relay = Relay(queue)
    commit(("order:a", 1))
    waiting = steps(app, relay, 1)
    assert [fact.version for fact in queue.read(20)] == [1]
    waiting.join()


@pytest.mark.usefixtures("never_sweeps")
def test_a_stopped_relay_ends_at_once_and_listens_no_more(app: Flask) -> None:
    relay = Relay(MemoryQueue())
    relay.start()
    waiting = steps(app, relay, 1)
    relay.stop()
    waiting.join()
    commit(("order:a", 1))
    assert outbox.lag()[0] == 1
