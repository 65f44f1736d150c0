"""Who tracks what: known to all instances while Redis is there, and nobody waits for it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import update

from payments.realtime.mirror import CLIENTS_SECONDS, PAYMENTS_SECONDS
from payments.redis_client import connect
from payments.store.db import db, in_transaction, now
from payments.store.tables import payments
from tests.realtime import deeds
from tests.realtime.conftest import Shop, Visit, eventually
from tests.servers import RedisServer, redis_server


def record(shop: Shop, reference: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(shop.get(f"/record/{reference}"))["record"]
    return found


def presence(shop: Shop) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shop.get("/presence"))
    return found


def watchers(shop: Shop, reference: str) -> int:
    found = record(shop, reference)
    assert found is not None
    return int(found["watchers"])


def changed_at(reference: str, ago: timedelta) -> None:
    def change() -> None:
        db.session.execute(
            update(payments).where(payments.c.reference == reference).values(updated_at=now() - ago)
        )

    in_transaction(change)


def test_the_record_says_who_tracks_and_how_it_stands(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    first = record(a_shop, reference)
    assert first is not None
    assert (first["reference"], first["orderId"]) == (reference, order.id)
    assert (first["status"], first["watchers"]) == ("PENDING", 0)
    assert first["startedAt"] < first["expiresAt"]
    pages = [visit(a_shop, a_shop.watch_token(order)) for _ in range(3)]
    for page in pages:
        page.call("track-payment", reference)
    assert watchers(a_shop, reference) == 3
    pages[0].call("stop-tracking-payment", reference)
    pages[1].client.disconnect()
    eventually(lambda: watchers(a_shop, reference) == 1)
    a_shop.elsewhere(deeds.pay, reference)
    last = record(a_shop, reference)
    assert last is not None
    assert last["status"] == "SUCCESSFUL"


def test_the_record_is_gone_an_hour_after_the_last_change(a_shop: Shop) -> None:
    reference = a_shop.elsewhere(deeds.begin, a_shop.order())
    a_shop.elsewhere(changed_at, reference, timedelta(minutes=59))
    assert record(a_shop, reference) is not None
    a_shop.elsewhere(changed_at, reference, timedelta(minutes=60))
    assert record(a_shop, reference) is None
    assert record(a_shop, "never-begun") is None


def test_staff_see_connections_rooms_and_figures(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    before = presence(a_shop)["figures"]
    page = visit(a_shop, a_shop.watch_token(order))
    page.call("join-order", order.id)
    seen = presence(a_shop)
    assert seen["storage"] == "memory"
    assert seen["rooms"][f"order-{order.id}"] == 1
    [mine] = [one for one in seen["connections"] if one["clientId"] == page.client.get_sid()]
    assert (mine["namespace"], mine["rooms"]) == ("/", [f"order-{order.id}"])
    assert set(seen["figures"]) == {"activeConnections", "messagesProcessed", "roomCount"}
    assert seen["figures"]["messagesProcessed"] > before["messagesProcessed"]
    assert seen["figures"]["roomCount"] >= 1
    assert a_shop.figure("paychime_socket_rooms") >= 1
    assert a_shop.figure('paychime_socket_messages_total{direction="heard"}') >= 1


@pytest.fixture
def storage() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def two(storage: RedisServer, tmp_path: Path) -> Iterator[tuple[Shop, Shop]]:
    """One in each mode, on one database and one Redis."""
    shops = tuple(Shop(mode, tmp_path, REDIS_URL=storage.url) for mode in ("eventlet", "threading"))
    try:
        for shop in shops:
            shop.start()
        eventually(lambda: all(presence(one)["storage"] == "redis" for one in shops))
        yield shops[0], shops[1]
    finally:
        for shop in shops:
            shop.close()


def test_all_instances_see_all_of_it(
    two: tuple[Shop, Shop], storage: RedisServer, visit: Visit
) -> None:
    here, there = two
    order = here.order()
    reference = here.elsewhere(deeds.begin, order)
    pages = [visit(shop, shop.watch_token(order)) for shop in (here, here, there)]
    for page in pages:
        page.call("track-payment", reference)
        page.call("join-order", order.id)
    for shop in two:
        eventually(lambda one=shop: watchers(one, reference) == 3)  # type: ignore[misc]
        eventually(lambda one=shop: presence(one)["rooms"][f"order-{order.id}"] == 3)  # type: ignore[misc]
        seen = presence(shop)
        sids = {page.client.get_sid() for page in pages}
        assert sids <= {one["clientId"] for one in seen["connections"]}
        assert seen["figures"]["activeConnections"] == 3
    pages[0].client.disconnect()
    eventually(lambda: watchers(there, reference) == 2)
    with connect(storage.url) as client:
        ages = {
            kind: [client.ttl(key) for key in client.keys(f"paychime:{kind}:*")]
            for kind in ("clients", "payments")
        }
    assert all(0 < age <= PAYMENTS_SECONDS for age in ages["payments"])
    assert all(PAYMENTS_SECONDS < age <= CLIENTS_SECONDS for age in ages["clients"])
    assert len(ages["clients"]) == len(ages["payments"]) == 2


def test_an_instance_that_ends_is_forgotten(
    two: tuple[Shop, Shop], storage: RedisServer, visit: Visit
) -> None:
    here, there = two
    order = here.order()
    reference = here.elsewhere(deeds.begin, order)
    visit(there, there.watch_token(order)).call("track-payment", reference)
    eventually(lambda: watchers(here, reference) == 1)
    there.close()
    with connect(storage.url) as client:
        # As if the 15 s of a crashed instance were over.
        signs = {
            key: json.loads(client.get(key) or "") for key in client.keys("paychime:instance:*")
        }
        [dead] = [key for key, said in signs.items() if said["figures"]["activeConnections"] == 1]
        client.delete(dead)
    eventually(lambda: watchers(here, reference) == 0)


def test_a_redis_that_hangs_delays_nobody_and_is_returned_to(
    two: tuple[Shop, Shop], storage: RedisServer, visit: Visit
) -> None:
    here, there = two
    order = here.order()
    reference = here.elsewhere(deeds.begin, order)
    token = here.watch_token(order)
    visit(there, token).call("track-payment", reference)
    storage.pause()
    eventually(lambda: presence(here)["storage"] == "memory")
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        page = visit(here, token)
        page.call("track-payment", reference)
        assert watchers(here, reference) >= 1
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 0.4
    assert watchers(here, reference) == 20
    storage.resume()
    eventually(lambda: watchers(here, reference) == watchers(there, reference) == 21, 10)
    storage.restart()
    visit(there, token).call("track-payment", reference)
    eventually(lambda: watchers(here, reference) == watchers(there, reference) == 22, 10)


def test_a_redis_that_was_emptied_is_filled_again(
    two: tuple[Shop, Shop], storage: RedisServer, visit: Visit
) -> None:
    here, there = two
    order = here.order()
    reference = here.elsewhere(deeds.begin, order)
    visit(there, here.watch_token(order)).call("track-payment", reference)
    eventually(lambda: watchers(here, reference) == 1)
    storage.flush()
    time.sleep(2.5)
    assert watchers(here, reference) == 1


def test_a_redis_by_sentinels_is_an_address(tmp_path: Path) -> None:
    one = connect("redis+sentinel://user:p%40ss@a:26379,[::1]:1/3/shop")
    assert "shop" in repr(one.connection_pool)
    assert one.connection_pool.connection_kwargs["db"] == 3
    for bad in ("redis+sentinel://a:1", "redis+sentinel://a:1/0", "redis+sentinel:///0/x"):
        with pytest.raises(ValueError, match="sentinel"):
            connect(bad)
    with pytest.raises(redis.RedisError):
        connect("redis+sentinel://127.0.0.1:1/0/shop", 0.2).ping()
