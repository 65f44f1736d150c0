"""What each instance knows of its sockets, mirrored to Redis, and what the others say of theirs.

Only a background task speaks to Redis here; everybody else reads what its last round brought. Redis
being away or hanging costs the view of the other instances and nothing else, until it is back.

Keys, each of one instance: `paychime:instance:<id>` (figures, and a counter of changes; it dies
after 15 s without a sign of life), `paychime:clients:<id>` (socket: who and where; 24 h) and
`paychime:payments:<id>` (reference: the sockets that track it; 1 h). The last two are refreshed
while their instance lives, and end by themselves after one that has crashed.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, cast

import redis
import structlog

from payments.dialects.tracking import room as payment_room
from payments.redis_client import connect

log = structlog.get_logger()

ROUND_SECONDS = 1.0
ALIVE_SECONDS = 15
CLIENTS_SECONDS = 24 * 3600
PAYMENTS_SECONDS = 3600
CHUNK = 500
"""Entries of one command: between two of them other pages have their turn."""
PREFIX = "paychime"
INSTANCES = f"{PREFIX}:instances"
PAYMENT_ROOM = payment_room("")

Client = dict[str, Any]


@dataclass(slots=True)
class _Other:
    """Another instance, as it last described itself."""

    changes: int = -1
    figures: dict[str, int] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    rooms: Counter[str] = field(default_factory=Counter)


class Mirror:
    """`client(sid)` describes a socket of this process, None where it is gone; `sockets` all."""

    def __init__(
        self,
        url: str,
        instance: str,
        client: Callable[[str], Client | None],
        sockets: Callable[[], Iterable[str]],
        figures: Callable[[], dict[str, int]],
    ) -> None:
        self.healthy = False
        self._redis = connect(url)
        self._instance = instance
        self._client = client
        self._sockets = sockets
        self._own_figures = figures
        self._lock = Lock()
        self._touched: set[str] = set()
        self._written: dict[str, Client] = {}
        self._trackers: dict[str, set[str]] = {}
        self._everything = True
        self._changes = 0
        self._others: dict[str, _Other] = {}

    def touch(self, sid: str) -> None:
        """This socket has changed, or is gone."""
        with self._lock:
            self._touched.add(sid)

    def listeners(self, room: str) -> int:
        return sum(other.rooms[room] for other in list(self._others.values()))

    def figures(self) -> list[dict[str, int]]:
        return [other.figures for other in list(self._others.values())]

    def clients(self) -> dict[str, Client]:
        found: dict[str, Client] = {}
        for other in list(self._others.values()):
            found |= other.clients
        return found

    def sizes(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for other in list(self._others.values()):
            total += other.rooms
        return total

    def step(self) -> None:
        """One round: say what has changed here, hear what has changed elsewhere."""
        try:
            self._write()
            self._read()
        except (redis.RedisError, ValueError, KeyError) as error:
            # What was under way may have been lost: after its return everything is written anew.
            self._everything, self._others = True, {}
            with self._lock:
                self._touched.clear()
            if self.healthy:
                log.warning("mirror.away", said=type(error).__name__)
            self.healthy = False
        else:
            if not self.healthy:
                log.info("mirror.healthy")
            self.healthy = True

    def leave(self) -> None:
        """This instance ends; the others need not wait for it to die."""
        with suppress(redis.RedisError):
            self._redis.delete(*(self._key(kind) for kind in ("instance", "clients", "payments")))
            self._redis.zrem(INSTANCES, self._instance)
        self._redis.close()

    def _key(self, kind: str, instance: str | None = None) -> str:
        return f"{PREFIX}:{kind}:{instance or self._instance}"

    def _write(self) -> None:
        # Redis may have been emptied, or be another one than a moment ago.
        if not self._everything and not self._redis.exists(self._key("instance")):
            self._everything = True
        with self._lock:
            touched, self._touched = self._touched, set()
        if self._everything:
            touched = {*self._written, *self._sockets()}
            self._redis.delete(self._key("clients"), self._key("payments"))
        payments: set[str] = set()
        for sid in touched:
            payments |= self._note(sid)
        if self._everything:
            payments = set(self._trackers)
        self._put("clients", touched, self._written)
        trackers = {name: sorted(self._trackers.get(name, ())) for name in payments}
        self._put("payments", payments, {name: sids for name, sids in trackers.items() if sids})
        self._changes += bool(touched) or self._everything
        self._sign_of_life()
        self._everything = False

    def _note(self, sid: str) -> set[str]:
        """Takes over what this socket is now; the payments whose trackers it changes."""
        before, after = self._written.pop(sid, None), self._client(sid)
        if after is not None:
            self._written[sid] = after
        was, is_now = _tracked(before), _tracked(after)
        for reference in was - is_now:
            self._trackers[reference].discard(sid)
            if not self._trackers[reference]:
                del self._trackers[reference]
        for reference in is_now - was:
            self._trackers.setdefault(reference, set()).add(sid)
        return was ^ is_now

    def _put(self, kind: str, names: set[str], values: dict[str, Any]) -> None:
        key = self._key(kind)
        for chunk in _chunks(names):
            present = {name: json.dumps(values[name]) for name in chunk if name in values}
            gone = [name for name in chunk if name not in values]
            if present:
                self._redis.hset(key, mapping=cast(Any, present))
            if gone:
                self._redis.hdel(key, *gone)

    def _sign_of_life(self) -> None:
        said = json.dumps({"changes": self._changes, "figures": self._own_figures()})
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(self._key("instance"), said, ex=ALIVE_SECONDS)
            pipe.expire(self._key("clients"), CLIENTS_SECONDS)
            pipe.expire(self._key("payments"), PAYMENTS_SECONDS)
            pipe.zadd(INSTANCES, {self._instance: time.time()})
            # By whatever clock: a day is more than clocks differ.
            pipe.zremrangebyscore(INSTANCES, 0, time.time() - CLIENTS_SECONDS)
            pipe.execute()

    def _read(self) -> None:
        names = cast(list[str], self._redis.zrange(INSTANCES, 0, -1))
        others = [name for name in names if name != self._instance]
        keys = [self._key("instance", name) for name in others]
        signs = cast(list[str | None], self._redis.mget(keys) if keys else [])
        alive = {name: json.loads(sign) for name, sign in zip(others, signs, strict=True) if sign}
        self._others = {name: self._hear(name, said) for name, said in alive.items()}

    def _hear(self, name: str, said: dict[str, Any]) -> _Other:
        known = self._others.get(name, _Other())
        if known.changes == said["changes"]:
            known.figures = said["figures"]
            return known
        clients: dict[str, Client] = {}
        rooms: Counter[str] = Counter()
        for sid, text in self._redis.hscan_iter(self._key("clients", name), count=CHUNK):
            clients[sid] = json.loads(text)
            rooms.update(one for one in clients[sid]["rooms"] if not one.startswith(PAYMENT_ROOM))
        for reference, text in self._redis.hscan_iter(self._key("payments", name), count=CHUNK):
            rooms[payment_room(reference)] = len(json.loads(text))
        return _Other(said["changes"], said["figures"], clients, rooms)


def _tracked(client: Client | None) -> set[str]:
    rooms = client["rooms"] if client else []
    return {one.removeprefix(PAYMENT_ROOM) for one in rooms if one.startswith(PAYMENT_ROOM)}


def _chunks(names: Iterable[str]) -> Iterable[list[str]]:
    listed = list(names)
    return (listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK))
