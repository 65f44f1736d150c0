"""The database goes away under open sockets and comes back: nothing ends that should go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import websocket
from sqlalchemy import text

from payments.store.db import db, in_transaction
from tests.realtime.conftest import ByHand, Shop, Visit

Opener = Callable[..., Shop]


@contextmanager
def without_table(shop: Shop, name: str) -> Iterator[None]:
    def rename(old: str, new: str) -> None:
        statement = text(f"ALTER TABLE {old} RENAME TO {new}")
        shop.elsewhere(in_transaction, lambda: db.session.execute(statement))

    rename(name, f"{name}_away")
    yield
    rename(f"{name}_away", name)


def test_a_wish_during_an_outage_is_answered_and_may_be_said_again(
    own_shop: Opener, visit: Visit
) -> None:
    shop = own_shop()
    order = shop.order()
    page = visit(shop, shop.watch_token(order))
    with without_table(shop, "payments"):
        assert page.watch(order) == {"ok": False, "error": "unavailable"}
    assert page.watch(order)["ok"]
    assert "socket.event_failed" in shop.process.log()


def test_the_loops_outlive_an_outage(own_shop: Opener, visit: Visit) -> None:
    shop = own_shop()
    order = shop.order()
    page = visit(shop, shop.watch_token(order))
    page.watch(order)
    with without_table(shop, "outbox"):
        time.sleep(2)
    shop.move(order)
    page.wait_for("update")
    assert "loop.failed" in shop.process.log()


def test_a_visitor_who_cannot_be_known_now_is_not_refused_for_good(
    own_shop: Opener, by_hand: ByHand
) -> None:
    """A refusal would be the last word for the official client; a lost connection is not."""
    page = by_hand(own_shop())
    with pytest.raises((websocket.WebSocketException, OSError)):
        page.connect({"token": "away"})
    assert not [message for message in page.heard if message.startswith("44")]


def test_the_official_client_tries_again_then(own_shop: Opener, visit: Visit) -> None:
    shop = own_shop()
    order = shop.order()
    page = visit(shop, shop.watch_token(order), reconnection=True)
    page.client.connection_auth = {"token": "away"}
    page.client.eio.ws.sock.shutdown(2)
    page.wait_for("disconnect")
    time.sleep(1)
    page.client.connection_auth = {"token": shop.watch_token(order)}
    page.wait_for("connect", 2, seconds=10)
    assert page.watch(order)["ok"]
