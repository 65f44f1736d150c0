"""The queue as a Redis Stream: every instance reads all of it, from its own last entry.

Redis is only the fast way. What this process publishes it hears at once, without it; while Redis is
away, and whenever the stream may have lost something, the outbox itself is read. So a stream that
hangs, is flushed, trimmed or failed over delays nobody and loses nothing: whoever hears a fact
twice drops it by its version.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

import structlog
from redis import RedisError

from payments.domain.facts import Fact
from payments.queue.memory import MemoryQueue
from payments.redis_client import connect

log = structlog.get_logger()


class Outbox(Protocol):
    """What is read of the outbox. Ids do not commit in order."""

    def after_id(self, outbox_id: int, limit: int) -> Sequence[Fact]: ...

    def newest_id(self) -> int: ...


STREAM = "paychime:facts"
EPOCH = "paychime:facts:epoch"
KEPT_ENTRIES = 10_000
"""About so many stay in the stream; who is further behind reads the outbox."""

PUBLISH_SECONDS = 1.0
BLOCK_SECONDS = 0.5
READ_SECONDS = 1.5
"""Longer than the blocking read: only a Redis that hangs is given up."""
PAUSE_SECONDS = 0.5
"""Between two tries to reach Redis, and two looks at the outbox meanwhile."""
COUNT = 200
LOOK_BACK = 200
"""Ids do not commit in order: so far below the newest one the outbox may still fill up."""
LOOK_AHEAD = 1_000
REMEMBERED = 5_000


class StreamQueue:
    shared = True

    def __init__(self, url: str, outbox: Outbox) -> None:
        # redis-py's answers are typed for every protocol and both decodings at once.
        self._writer: Any = connect(url, PUBLISH_SECONDS)
        self._reader: Any = connect(url, READ_SECONDS)
        self._here = MemoryQueue()
        self._outbox = outbox
        self._instance = secrets.token_hex(8)
        self._last = ""
        self._epoch = ""
        self._newest: int | None = None
        self._heard: OrderedDict[int, None] = OrderedDict()
        self._lock = Lock()
        self._healthy = False

    def publish(self, facts: Sequence[Fact]) -> None:
        """To this process first: its pages do not wait for Redis. Raises RedisError, QueueFull."""
        self._hear(facts)
        pipeline = self._writer.pipeline(transaction=False)
        for fact in facts:
            entry: Any = {"from": self._instance, "fact": _packed(fact)}
            pipeline.xadd(STREAM, entry, maxlen=KEPT_ENTRIES, approximate=True)
        pipeline.execute()

    def read(self, timeout_seconds: float) -> Sequence[Fact]:
        return self._here.read(timeout_seconds)

    def healthy(self) -> bool:
        return self._healthy

    def __len__(self) -> int:
        return len(self._here)

    def carry(self) -> None:
        """One step: waits for what others publish, or looks at the outbox where Redis is away."""
        try:
            if not self._healthy:
                self._join()
            self._take()
        except RedisError as error:
            if self._healthy:
                log.warning("queue.away", error=type(error).__name__)
            self._healthy = False
            self.catch_up()
            time.sleep(PAUSE_SECONDS)

    def catch_up(self) -> None:
        """Hears from the outbox what the stream may not have brought."""
        if self._newest is None:
            self._begin()
        while True:
            known = self._newest or 0
            facts = self._outbox.after_id(max(0, known - LOOK_BACK), LOOK_AHEAD)
            self._hear(facts)
            if len(facts) < LOOK_AHEAD or self._newest == known:
                return

    def _begin(self) -> None:
        """What stands in the outbox by now is on this process's pages when they open."""
        self._newest = self._outbox.newest_id()
        for fact in self._outbox.after_id(max(0, self._newest - LOOK_BACK), LOOK_AHEAD):
            self._heard[fact.outbox_id] = None

    def _join(self) -> None:
        """From where the stream ends now: what came before is in the outbox."""
        self._epoch = self._present_epoch()
        newest = self._reader.xrevrange(STREAM, count=1)
        # An empty stream gets an entry to stand on: its absence tells later that it was trimmed.
        self._last = newest[0][0] if newest else self._reader.xadd(STREAM, {"from": ""})
        self.catch_up()
        self._healthy = True
        log.info("queue.joined", last=self._last)

    def _take(self) -> None:
        found = self._reader.xread(
            {STREAM: self._last}, count=COUNT, block=int(BLOCK_SECONDS * 1000)
        )
        entries = found[0][1] if found else []
        if self._present_epoch() != self._epoch or self._cut_off(entries):
            # Flushed, failed over or trimmed: a part of it was never there to be read.
            log.warning("queue.lost_entries", last=self._last)
            self._healthy = False
            return
        others = [one for _, one in entries if one["from"] not in {self._instance, ""}]
        self._hear([_unpacked(one["fact"]) for one in others])
        if entries:
            self._last = entries[-1][0]

    def _cut_off(self, entries: list[Any]) -> bool:
        """Whether so much came that the entry read last may have been trimmed meanwhile."""
        if len(entries) < COUNT:
            return False
        return not self._reader.xrange(STREAM, self._last, self._last)

    def _present_epoch(self) -> str:
        """A word that goes with the stream: another one means another stream under its name.

        Each look is a write too: a Redis that answers and takes nothing, because its memory is full
        or its master is gone, is as good as away.
        """
        pipeline = self._reader.pipeline(transaction=False)
        pipeline.set(EPOCH, secrets.token_hex(8), nx=True)
        pipeline.get(EPOCH)
        return str(pipeline.execute()[1])

    def _hear(self, facts: Sequence[Fact]) -> None:
        """Passes on what was not heard before. Raises QueueFull, and then nothing was heard."""
        # The relay publishes while this process carries.
        with self._lock:
            fresh = [fact for fact in facts if fact.outbox_id not in self._heard]
            if not fresh:
                return
            self._here.publish(fresh)
            self._newest = max(self._newest or 0, *(fact.outbox_id for fact in fresh))
            for fact in fresh:
                self._heard[fact.outbox_id] = None
            while len(self._heard) > REMEMBERED:
                self._heard.popitem(last=False)


def _packed(fact: Fact) -> str:
    return json.dumps({**asdict(fact), "at": fact.at.isoformat()}, separators=(",", ":"))


def _unpacked(text: str) -> Fact:
    """While processes are replaced by newer ones, theirs may say more than is known here."""
    said = json.loads(text)
    known = {name: said[name] for name in Fact.__dataclass_fields__ if name in said}
    return Fact(**{**known, "at": datetime.fromisoformat(said["at"])})
