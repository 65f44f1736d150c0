"""What an operator tells again reaches the pages of a server that runs."""

from __future__ import annotations

import time

from payments.services import live
from tests.realtime import deeds
from tests.realtime.conftest import Shop, Visit


def test_a_paid_order_is_told_again_in_every_vocabulary(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    token = a_shop.watch_token(order)
    page, salon = visit(a_shop, token), visit(a_shop, token, namespace="/ws/payments/salon/any")
    page.watch(order)
    page.call("join-order", order.id)
    page.call("track-payment", reference)
    page.call("subscribe_booking", order.id)
    salon.call("subscribe:payment-events", order.id)
    a_shop.elsewhere(deeds.pay, reference)
    page.wait_for("payment_confirmed")
    a_shop.elsewhere(live.tell_again, order.id, "payment")
    assert [one["version"] for one in page.wait_for("payment_confirmed", 2)] == [3, 3]
    for event in ("payment-status-update", "payment-status", "transaction_success", "update"):
        first, second = page.wait_for(event, 2)
        assert first["version"] == second["version"] == 3, event
    assert [one["status"] for one in salon.wait_for("payment:completed", 2)] == ["SUCCESS"] * 2
    a_shop.elsewhere(live.tell_again, order.id, "order")
    page.wait_for("order-update", 2)


def test_a_connection_test_reaches_who_has_joined(a_shop: Shop, visit: Visit) -> None:
    order, another = a_shop.order(), a_shop.order()
    page, stranger = (visit(a_shop, a_shop.watch_token(one)) for one in (order, another))
    page.call("join-order", order.id)
    stranger.call("join-order", another.id)
    a_shop.elsewhere(live.tell_again, order.id, "test", "Can you hear me?")
    [told] = page.wait_for("connection-test")
    assert (told["orderId"], told["message"]) == (order.id, "Can you hear me?")
    assert stranger.all("connection-test") == []


def test_the_listeners_of_an_order_are_counted_from_another_process(
    a_shop: Shop, visit: Visit
) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    pages = [visit(a_shop, a_shop.watch_token(order)) for _ in range(2)]
    for page in pages:
        page.watch(order)
        page.call("track-payment", reference)
    pages[0].call("subscribe_booking", order.id)
    found = a_shop.elsewhere(live.count_listeners, order.id)
    assert found.servers == 1
    assert found.rooms == {
        f"order:{order.id}": 2,
        f"payment:{reference}": 2,
        f"booking_{order.id}": 1,
    }


def test_what_sockets_do_is_in_the_log_without_what_is_said(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    token = a_shop.watch_token(order)
    page = visit(a_shop, token)
    page.call("join-order", order.id)
    a_shop.move(order)
    page.wait_for("order-update")
    page.call("leave-order", order.id)
    page.client.disconnect()
    time.sleep(0.3)
    lines = [line for line in a_shop.process.log().splitlines() if '"socket.' in line]
    sid = [line for line in lines if f'"order-{order.id}"' in line]
    kinds = ("socket.joined", "socket.broadcast", "socket.left")
    assert all(any(f'"{kind}"' in line for line in sid) for kind in kinds)
    assert any('"socket.connected"' in line for line in lines)
    assert any('"socket.closed"' in line for line in lines)
    assert '"told": "payment-status-update"' in "".join(sid)
    assert '"listeners": 1' in "".join(sid)
    assert token not in a_shop.process.log()
    assert "100000" not in "".join(sid)
