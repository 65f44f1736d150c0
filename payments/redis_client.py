"""A connection to Redis by its address, with bounds on everything that could hang.

`redis://`, `rediss://`, `unix://` as redis-py reads them, and
`redis+sentinel://[user:password@]host:port,host:port/db/service`, which asks the sentinels for the
present master of `service`; name and password are the sentinels' and the master's alike.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

SENTINEL = "redis+sentinel"
SENTINEL_PORT = 26379
SOCKET_SECONDS = 0.5
"""For one connection and for one answer. Nothing here may wait for a Redis that hangs."""


def connect(url: str, seconds: float = SOCKET_SECONDS) -> redis.Redis:
    """Opens nothing yet. Raises ValueError for an address that is none; texts come as `str`.

    Nothing is tried twice behind the caller's back: who calls decides when to try again.
    """
    bounds: dict[str, Any] = {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "decode_responses": True,
    }
    if urlsplit(url).scheme == SENTINEL:
        return _by_sentinel(url, bounds)
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **bounds)


def _by_sentinel(url: str, bounds: dict[str, Any]) -> redis.Redis:
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    database, _, service = parts.path.strip("/").partition("/")
    if not service or not database.isdecimal():
        raise ValueError("expected redis+sentinel://host:port,host:port/db/service")
    secrets = {
        **({"username": unquote(user)} if user else {}),
        **({"password": unquote(password)} if password else {}),
    }
    sentinel = cast(Any, Sentinel)(
        [_host_and_port(one) for one in hosts.split(",")],
        sentinel_kwargs={**bounds, **secrets, "retry": Retry(NoBackoff(), 0)},
    )
    options = {**bounds, **secrets, "db": int(database), "retry": Retry(NoBackoff(), 0)}
    return cast(redis.Redis, sentinel.master_for(service, **options))


def _host_and_port(text: str) -> tuple[str, int]:
    one = urlsplit(f"//{text}")
    if not one.hostname:
        raise ValueError("a sentinel without a name")
    return one.hostname, one.port or SENTINEL_PORT
