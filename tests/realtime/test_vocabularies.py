"""Other vocabularies are records: the same engine speaks them, each fact once and in order."""

from __future__ import annotations

import time

import pytest
import socketio.exceptions

from tests.realtime.conftest import Shop, Visit


def test_a_foreign_page_hears_its_own_words(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    [greeting] = page.wait_for("connected")
    assert greeting["clientId"]
    assert page.call("join-order", order.id) == {"ok": True}
    [joined] = page.wait_for("joined-order")
    assert (joined["orderId"], joined["room"]) == (order.id, f"order-{order.id}")
    a_shop.move(order)
    [update] = page.wait_for("payment-status-update")
    assert (update["orderId"], update["status"], update["version"]) == (order.id, "completed", 2)
    assert page.all("update") == []


def test_two_vocabularies_tell_the_same_fact_to_one_page(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    page.watch(order)
    page.say("join-order", {"orderId": order.id})
    page.wait_for("joined-order")
    for event in ("payment.started", "order.paid", "payment.failed"):
        a_shop.move(order, event)
    page.wait_for("update", 3)
    assert [told["version"] for told in page.wait_for("payment-status-update")] == [3]
    assert page.call("leave-order", order.id)["ok"]


def test_a_settled_order_is_told_at_once(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    a_shop.move(order)
    page = visit(a_shop, a_shop.watch_token(order))
    page.say("join-order", order.id)
    assert page.wait_for("payment-status-update")[0]["status"] == "completed"


def test_a_ping_is_answered(a_shop: Shop, visit: Visit) -> None:
    page = visit(a_shop, headers={"Origin": a_shop.url})
    page.say("ping", {"any": "thing"})
    assert page.wait_for("pong")[0]["timestamp"].endswith("Z")


def test_a_foreign_stranger_is_refused_by_event(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, headers={"Origin": a_shop.url})
    page.say("join-order", order.id)
    assert page.wait_for("subscription-error") == [{"id": order.id, "error": "not_found"}]


def test_any_salon_is_a_namespace(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order(salon_id="nails")
    here = visit(a_shop, a_shop.watch_token(order), namespace="/ws/payments/salon/nails")
    there = visit(a_shop, a_shop.watch_token(order), namespace="/ws/payments/salon/hair")
    assert here.call("subscribe:payment-events", {"invoiceId": order.id}) == {"ok": True}
    refused = there.call("subscribe:payment-events", {"invoiceId": order.id})
    assert refused == {"ok": False, "error": "not_found"}
    a_shop.move(order)
    [completed] = here.wait_for("payment:completed")
    assert completed == {"invoiceId": order.id, "status": "SUCCESS", "version": 2}
    assert here.all("payment:status-update") == [completed]
    time.sleep(0.2)
    assert there.all("payment:completed") == []


def test_a_namespace_that_nobody_speaks_is_refused(a_shop: Shop, visit: Visit) -> None:
    token = a_shop.watch_token(a_shop.order())
    with pytest.raises(socketio.exceptions.ConnectionError, match="namespaces failed to connect"):
        visit(a_shop, token, namespace="/elsewhere")


def test_a_salon_refuses_a_wrong_token(a_shop: Shop, visit: Visit) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError, match="namespaces failed to connect"):
        visit(a_shop, "wt_wrong", namespace="/ws/payments/salon/nails")
