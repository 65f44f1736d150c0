"""Five frontends, each in its own words: the same facts, each once and in order."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import socketio.exceptions

from payments.domain.order import Order
from payments.domain.states import Kind
from tests.realtime import deeds
from tests.realtime.conftest import Shop, Visit, Visitor

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SILENCE_SECONDS = 1.5
"""Longer than a sweep: what was going to be heard has been heard."""


def bare(payload: dict[str, Any], ms: bool = False) -> dict[str, Any]:
    """Without its time, which is there in the right form, and without the version."""
    rest = dict(payload)
    at = rest.pop("timestamp")
    if ms:
        assert type(at) is int
        assert abs(at / 1000 - time.time()) < 60
    else:
        assert ISO.fullmatch(at), at
    assert type(rest.pop("version")) is int
    return rest


def words(page: Visitor, *without: str) -> list[str]:
    """The events heard, in order."""
    return [name for name, _ in page.heard if name not in {"connect", "connected", *without}]


# ---- order ----


def test_an_order_is_heard_from_its_room(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    given = page.call("join-order", order.id)
    assert given == {
        "ok": True,
        "orderId": order.id,
        "room": f"order-{order.id}",
        "status": "pending",
    }
    [joined] = page.wait_for("joined-order")
    assert bare(joined) == {
        "orderId": order.id,
        "room": f"order-{order.id}",
        "status": "pending",
    }
    reference = a_shop.elsewhere(deeds.begin, order)
    a_shop.elsewhere(deeds.pay, reference, transaction_id=f"tx-{reference}")
    [started, paid] = page.wait_for("payment-status-update", 2)
    about = {"orderId": order.id, "amount": 100_000, "currency": "VND", "method": "campay"}
    assert bare(started) == {**about, "status": "pending", "transactionId": None}
    assert bare(paid) == {**about, "status": "completed", "transactionId": f"tx-{reference}"}
    assert (started["version"], paid["version"]) == (2, 3)
    [update] = page.wait_for("order-update")
    assert bare(update) == {"orderId": order.id, "status": "paid", "amountPaid": 100_000}


@pytest.mark.parametrize(
    ("ending", "status"),
    [(Kind.TIME_RAN_OUT, "expired"), (Kind.CANCELLED, "cancelled"), (None, "failed")],
)
def test_how_a_payment_ends_is_heard_in_every_vocabulary(
    a_shop: Shop, visit: Visit, ending: Kind | None, status: str
) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    token = a_shop.watch_token(order)
    page = visit(a_shop, token)
    salon = visit(a_shop, token, namespace="/ws/payments/salon/any")
    page.call("join-order", order.id)
    page.call("track-payment", reference)
    page.call("subscribe_booking", order.id)
    salon.call("subscribe:payment-events", order.id)
    if ending is None:
        a_shop.elsewhere(deeds.fail, reference)
    else:
        a_shop.elsewhere(deeds.end, order, ending)
    assert page.wait_for("payment-status-update")[0]["status"] == status
    [failed] = page.wait_for("payment-failed")
    assert bare(failed) == {
        "reference": reference,
        "orderId": order.id,
        "amount": 100_000,
        "currency": "VND",
        "reason": "declined" if ending is None else status,
    }
    assert page.wait_for("payment-completed")[0]["status"] == "FAILED"
    assert salon.wait_for("payment:status-update")[0]["status"] == "FAILED"
    time.sleep(SILENCE_SECONDS)
    assert salon.all("payment:completed") == []
    assert page.all("transaction_success") == page.all("payment-success") == []


def test_a_ping_is_answered(a_shop: Shop, visit: Visit) -> None:
    page = visit(a_shop, headers={"Origin": a_shop.url})
    page.say("ping", {"any": "thing"})
    [pong] = page.wait_for("pong")
    assert ISO.fullmatch(pong["timestamp"])


# ---- tracking ----


def test_every_socket_is_greeted_after_it_is_connected(a_shop: Shop, visit: Visit) -> None:
    page = visit(a_shop, headers={"Origin": a_shop.url})
    [greeting] = page.wait_for("connected")
    assert greeting["clientId"] == page.client.get_sid()
    assert ISO.fullmatch(greeting["timestamp"])
    assert [name for name, _ in page.heard] == ["connect", "connected"]


def test_an_attempt_is_tracked_from_the_provider_to_its_end(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order, ussd_code="*126#")
    page = visit(a_shop, a_shop.watch_token(order))
    given = page.call("track-payment", {"reference": reference})
    assert given == {"ok": True, "reference": reference, "orderId": order.id}
    [initiated] = page.wait_for("payment-initiated")
    named = {"reference": reference, "orderId": order.id}
    money = {"amount": 100_000, "currency": "VND"}
    assert bare(initiated) == {**named, **money, "ussdCode": "*126#"}
    a_shop.elsewhere(deeds.pay, reference)
    page.wait_for("payment-completed")
    assert words(page) == [
        "payment-initiated",
        "payment-status",
        "payment-success",
        "payment-completed",
    ]
    assert bare(page.all("payment-status")[0]) == {**named, "status": "SUCCESSFUL"}
    assert bare(page.all("payment-success")[0]) == {**named, **money}
    assert bare(page.all("payment-completed")[0]) == {**named, "status": "SUCCESSFUL"}


def test_the_provider_taking_it_is_heard_by_who_tracked_it_before(
    a_shop: Shop, visit: Visit
) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.make, order)
    page = visit(a_shop, a_shop.watch_token(order))
    assert page.call("track-payment", reference)["ok"]
    assert words(page) == []
    a_shop.elsewhere(deeds.take, reference)
    page.wait_for("payment-status")
    assert words(page) == ["payment-initiated", "payment-status"]
    assert page.all("payment-status")[0]["status"] == "PENDING"


def test_two_attempts_of_one_order_are_tracked_apart(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    first, second = (a_shop.elsewhere(deeds.begin, order) for _ in range(2))
    pages = [visit(a_shop, a_shop.watch_token(order)) for _ in range(2)]
    for page, reference in zip(pages, (first, second), strict=True):
        assert page.call("track-payment", reference)["ok"]
    a_shop.elsewhere(deeds.fail, first)
    pages[0].wait_for("payment-completed")
    a_shop.elsewhere(deeds.end, order, Kind.TIME_RAN_OUT)
    assert pages[1].wait_for("payment-failed")[0]["reference"] == second
    time.sleep(SILENCE_SECONDS)
    assert len(pages[0].all("payment-failed")) == len(pages[1].all("payment-failed")) == 1


def test_tracking_stops(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    page = visit(a_shop, a_shop.watch_token(order))
    page.call("track-payment", reference)
    assert page.call("stop-tracking-payment", {"reference": reference})["ok"]
    a_shop.elsewhere(deeds.pay, reference)
    time.sleep(SILENCE_SECONDS)
    assert page.all("payment-status") == []


# ---- booking ----


def test_a_paid_booking_is_said_twice_in_two_words(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    assert page.call("subscribe_booking", {"bookingId": order.id}) == {
        "ok": True,
        "bookingId": order.id,
    }
    reference = a_shop.elsewhere(deeds.begin, order)
    a_shop.elsewhere(deeds.pay, reference, transaction_id=f"txn-{reference}")
    [confirmed] = page.wait_for("payment_confirmed")
    [success] = page.all("transaction_success")
    about = {"bookingId": order.id, "transactionId": f"txn-{reference}", "amount": 100_000}
    assert bare(success) == about
    assert confirmed == {**about, "confirmed": True, "version": success["version"]}
    assert words(page) == ["transaction_success", "payment_confirmed"]


# ---- salon ----


def test_an_invoice_is_heard_in_its_salon(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order(salon_id="nails")
    here = visit(a_shop, a_shop.watch_token(order), namespace="/ws/payments/salon/nails")
    there = visit(a_shop, a_shop.watch_token(order), namespace="/ws/payments/salon/hair")
    given = here.call("subscribe:payment-events", {"invoiceId": order.id})
    assert given == {"ok": True, "invoiceId": order.id, "status": "PENDING"}
    refused = there.call("subscribe:payment-events", {"invoiceId": order.id})
    assert refused == {"ok": False, "error": "not_found"}
    reference = a_shop.elsewhere(deeds.begin, order)
    a_shop.elsewhere(deeds.pay, reference)
    [completed] = here.wait_for("payment:completed")
    assert bare(completed, ms=True) == {
        "invoiceId": order.id,
        "status": "SUCCESS",
        "data": {
            "amount": 100_000,
            "currency": "VND",
            "reference": reference,
            "provider": "campay",
        },
    }
    pending, paid = here.all("payment:status-update")
    assert (pending["status"], paid) == ("PENDING", completed)
    assert there.all("payment:status-update") == []
    assert here.call("unsubscribe:payment-events", order.id)["ok"]


def test_an_order_without_a_salon_is_heard_in_any(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    for name in ("one", "two"):
        page = visit(a_shop, a_shop.watch_token(order), namespace=f"/ws/payments/salon/{name}")
        assert page.call("subscribe:payment-events", order.id)["ok"]


def test_a_salon_refuses_a_wrong_token(a_shop: Shop, visit: Visit) -> None:
    with pytest.raises(socketio.exceptions.ConnectionError, match="failed to connect"):
        visit(a_shop, "wt_wrong", namespace="/ws/payments/salon/nails")


def test_a_saved_card_is_told_to_its_owner_in_every_salon(a_shop: Shop, visit: Visit) -> None:
    mai, stranger = (f"{a_shop.mode}-{name}" for name in ("card-mai", "card-stranger"))
    mine = a_shop.person_token(mai)
    salons = [visit(a_shop, mine, namespace=f"/ws/payments/salon/{name}") for name in ("a", "b")]
    other = visit(a_shop, a_shop.person_token(stranger), namespace="/ws/payments/salon/a")
    staff = visit(
        a_shop, a_shop.person_token(f"{mai}-clerk", "clerk"), namespace="/ws/payments/salon/a"
    )
    a_shop.elsewhere(deeds.tell_person, mai, "card.saved", user_id=mai, **deeds.CARD)
    for page in salons:
        [saved] = page.wait_for("payment:token-saved")
        assert type(saved["timestamp"]) is int
        assert saved["tokenId"] == "tok_1"
        assert saved["data"] == {
            "maskedCardNo": "4111 **** **** 1111",
            "cardScheme": "VISA",
            "exp": "12/29",
        }
    time.sleep(0.3)
    assert other.all("payment:token-saved") == staff.all("payment:token-saved") == []


# ---- wallet ----


def test_a_person_hears_their_own_money_without_asking(a_shop: Shop, visit: Visit) -> None:
    mai, stranger = (f"{a_shop.mode}-{name}" for name in ("wallet-mai", "wallet-stranger"))
    page = visit(a_shop, a_shop.person_token(mai))
    other = visit(a_shop, a_shop.person_token(stranger))
    tell = deeds.tell_person
    pending = {**deeds.DEPOSIT, "status": "pending", "metadata": {"provider": "momo"}}
    a_shop.elsewhere(tell, mai, "payment.status", 1, **pending)
    a_shop.elsewhere(tell, mai, "wallet.deposited", 2, **deeds.DEPOSIT)
    withdrawal = {**deeds.DEPOSIT, "transaction_type": "withdrawal", "new_balance": 250_000}
    a_shop.elsewhere(tell, mai, "wallet.withdrawn", 3, **withdrawal)
    [withdrawn] = page.wait_for("withdrawal_completed:v1")
    [deposited] = page.all("deposit_completed:v1")
    [status] = page.all("payment_status_update:v1")
    about = {
        "transactionId": "P-deposit",
        "amount": 100_000,
        "currency": "VND",
        "message": "Nạp tiền thành công 100.000 VND",
    }
    assert bare(status) == {
        **about,
        "type": "payment_status_update",
        "status": "pending",
        "transactionType": "deposit",
        "metadata": {"provider": "momo"},
    }
    assert bare(deposited) == {
        **about,
        "type": "deposit_completed",
        "newBalance": 350_000,
        "providerTransactionId": "4088878653",
    }
    assert bare(withdrawn) == {**about, "type": "withdrawal_completed", "newBalance": 250_000}
    assert words(other) == []


# ---- all of them ----


Subscribe = Callable[[Visitor, Order, str], Any]

SETTLED: dict[str, tuple[str, Subscribe, list[str]]] = {
    "salon": (
        "/ws/payments/salon/s",
        lambda page, order, _: page.call("subscribe:payment-events", order.id),
        ["payment:status-update"],
    ),
    "order": (
        "/",
        lambda page, order, _: page.call("join-order", order.id),
        ["joined-order", "payment-status-update"],
    ),
    "tracking": (
        "/",
        lambda page, _, reference: page.call("track-payment", reference),
        ["payment-status"],
    ),
    "booking": (
        "/",
        lambda page, order, _: page.call("subscribe_booking", order.id),
        ["transaction_success", "payment_confirmed"],
    ),
}


@pytest.mark.parametrize("name", SETTLED)
def test_what_is_settled_is_told_at_once_and_once(a_shop: Shop, visit: Visit, name: str) -> None:
    namespace, subscribe, expected = SETTLED[name]
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    a_shop.elsewhere(deeds.pay, reference)
    # The server finds this fact within its next sweep: the newcomer comes before it.
    page = visit(a_shop, a_shop.watch_token(order), namespace=namespace)
    assert subscribe(page, order, reference)["ok"]
    page.wait_for(expected[-1])
    time.sleep(SILENCE_SECONDS)
    assert words(page) == expected


@pytest.mark.parametrize("name", SETTLED)
def test_whoever_comes_in_the_middle_hears_the_end_once(
    a_shop: Shop, visit: Visit, name: str
) -> None:
    """Newcomers all through the change: whenever they come, they hear of it, and once."""
    namespace, subscribe, expected = SETTLED[name]
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    last = {"tracking": "payment-status"}.get(name, expected[-1])
    pages = [visit(a_shop, a_shop.watch_token(order), namespace=namespace) for _ in range(12)]

    def come() -> None:
        for page in pages:
            subscribe(page, order, reference)
            time.sleep(0.1)

    coming = threading.Thread(target=come)
    coming.start()
    time.sleep(0.2)
    a_shop.elsewhere(deeds.pay, reference)
    coming.join()
    time.sleep(SILENCE_SECONDS)
    paid = {"SUCCESS", "completed", "SUCCESSFUL", None}
    for page in pages:
        ends = [one for one in page.all(last) if one.get("status") in paid]
        assert len(ends) == 1, page.heard


def test_all_vocabularies_tell_the_same_fact_to_one_page(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    page = visit(a_shop, a_shop.watch_token(order))
    page.watch(order)
    page.call("join-order", {"orderId": order.id})
    page.call("track-payment", {"reference": reference})
    page.call("subscribe_booking", {"bookingId": order.id})
    a_shop.elsewhere(deeds.pay, reference)
    page.wait_for("payment_confirmed")
    versions = {
        page.all(event)[-1]["version"]
        for event in ("update", "payment-status-update", "payment-status", "transaction_success")
    }
    assert versions == {3}
    assert page.call("leave-order", order.id)["ok"]


STRANGERS_WISHES = [
    ("join-order", "orderId"),
    ("track-payment", "reference"),
    ("subscribe_booking", "bookingId"),
]


def test_a_stranger_hears_nothing_in_any_vocabulary(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    reference = a_shop.elsewhere(deeds.begin, order)
    token = a_shop.person_token(f"{a_shop.mode}-stranger-to-all")
    page = visit(a_shop, token)
    salon = visit(a_shop, token, namespace="/ws/payments/salon/any")
    for event, field in STRANGERS_WISHES:
        named = reference if field == "reference" else order.id
        assert page.call(event, {field: named}) == {"ok": False, "error": "not_found"}
        assert page.call(event, {field: "none"}) == {"ok": False, "error": "not_found"}
        page.say(event, named)
    salon.say("subscribe:payment-events", {"invoiceId": order.id})
    errors = page.wait_for("subscription-error", 3)
    assert [error["error"] for error in errors] == ["not_found"] * 3
    assert salon.wait_for("subscription-error") == [{"id": order.id, "error": "not_found"}]
    a_shop.elsewhere(deeds.pay, reference)
    time.sleep(SILENCE_SECONDS)
    assert words(page, "subscription-error") == []
    assert words(salon, "subscription-error") == []


# ---- a vocabulary more ----


def test_a_vocabulary_more_is_a_record_more(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    keeper = f"{a_shop.mode}-keeper"
    page = visit(a_shop, a_shop.watch_token(order), namespace="/lamps/hall")
    assert page.call("light", {"lamp": order.id}) == {"ok": True, "lamp": order.id, "at": 1}
    a_shop.move(order)
    [rung] = page.wait_for("rung")
    assert rung == {"lamp": order.id, "colour": "green", "version": 2}
    assert words(page) == ["hello", "lit", "lit", "rung"]
    page.say("knock")
    page.wait_for("come in")
    visit(a_shop, a_shop.person_token(keeper), namespace="/lamps/hall").wait_for("hello")


def test_a_namespace_that_nobody_speaks_is_refused(a_shop: Shop, visit: Visit) -> None:
    token = a_shop.watch_token(a_shop.order())
    for namespace in ("/elsewhere", "/ws/payments/salon/", "/ws/payments"):
        with pytest.raises(socketio.exceptions.ConnectionError, match="failed to connect"):
            visit(a_shop, token, namespace=namespace)
