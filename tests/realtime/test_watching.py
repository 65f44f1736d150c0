"""Who hears what: a page that watches, what it missed, and everybody who must hear nothing."""

from __future__ import annotations

import json
import time

import pytest

from payments.services import accounts
from payments.store import sightings
from tests.realtime import deeds
from tests.realtime import shop as inside
from tests.realtime.conftest import Shop, Visit, eventually

WAYS = [("websocket",), ("polling", "websocket"), ("polling",)]
SILENCE_SECONDS = 1.5
"""Longer than a sweep: what was going to be heard has been heard."""


@pytest.mark.parametrize("transports", WAYS)
def test_a_page_hears_the_payment_it_watches(
    a_shop: Shop, visit: Visit, transports: tuple[str, ...]
) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order), transports=transports)
    given = page.watch(order)
    assert given["ok"]
    assert (given["topic"], given["version"]) == (f"order:{order.id}", 1)
    assert given["snapshot"]["status"] == "pending"
    assert given["events"] == []
    a_shop.move(order)
    [update] = page.wait_for("update")
    assert update["topic"] == f"order:{order.id}"
    assert (update["version"], update["event"]) == (2, "order.paid")
    assert (update["snapshot"]["display"], update["snapshot"]["version"]) == ("paid", 2)
    assert update["sent_at"].endswith("Z")


def test_a_page_is_told_what_it_missed(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    a_shop.move(order, "payment.started")
    a_shop.move(order, "payment.failed")
    a_shop.move(order)
    given = visit(a_shop, a_shop.watch_token(order)).watch(order, after=2)
    assert given["version"] == 4
    assert given["snapshot"]["status"] == "paid"
    missed = [(event["version"], event["event"]) for event in given["events"]]
    assert missed == [(3, "payment.failed"), (4, "order.paid")]


@pytest.mark.parametrize("transports", WAYS)
def test_fifty_changes_are_heard_once_and_in_order(
    a_shop: Shop, visit: Visit, transports: tuple[str, ...]
) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order), transports=transports)
    page.watch(order)
    for _ in range(50):
        a_shop.move(order, "payment.started")
    page.wait_for("update", 50)
    assert page.versions() == list(range(2, 52))


def test_a_polled_answer_holds_no_more_than_its_client_takes(a_shop: Shop) -> None:
    """The official Python client hangs up on more than sixteen packets at once."""
    order = a_shop.order()
    opened = a_shop.get("/socket.io/?EIO=4&transport=polling")
    session = f"/socket.io/?EIO=4&transport=polling&sid={json.loads(opened[1:])['sid']}"
    a_shop.post(session, b"40" + json.dumps({"token": a_shop.watch_token(order)}).encode())
    a_shop.post(session, b'420["watch","order:%s"]' % order.id.encode())
    for _ in range(40):
        a_shop.move(order, "payment.started")
    packets: list[str] = []
    while not packets or '"version":41,' not in packets[-1]:
        answer = a_shop.get(session).split("\x1e")
        assert len(answer) <= 16
        packets += answer
    assert len([one for one in packets if one.startswith('42["update"')]) == 40


def test_a_change_made_by_another_process_is_found_within_a_second(
    a_shop: Shop, visit: Visit
) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    page.watch(order)
    a_shop.elsewhere(inside.move, order.id)
    page.wait_for("update")


def test_a_fact_that_comes_twice_is_told_once(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    page.watch(order)
    a_shop.move(order, "payment.started")
    for _ in range(3):
        a_shop.post(f"/again/{order.id}/2")
    a_shop.move(order)
    page.wait_for("update", 2)
    assert page.versions() == [2, 3]


def test_a_gap_is_filled_from_the_outbox_in_order(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    page.watch(order)
    a_shop.move(order, "payment.started")
    page.wait_for("update")
    for event in ("payment.failed", "payment.started", "order.paid"):
        a_shop.elsewhere(inside.move_untold, order.id, event)
    a_shop.post(f"/again/{order.id}/5")
    page.wait_for("update", 4)
    assert page.versions() == [2, 3, 4, 5]
    assert [update["event"] for update in page.all("update")] == [
        "payment.started",
        "payment.failed",
        "payment.started",
        "order.paid",
    ]


def test_a_page_that_unwatched_hears_nothing_more(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    page.watch(order)
    assert page.call("unwatch", {"topic": f"order:{order.id}"})["ok"]
    a_shop.move(order)
    time.sleep(SILENCE_SECONDS)
    assert page.versions() == []


def test_a_stranger_hears_nothing(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order(customer_id="owner-1")
    owner = visit(a_shop, a_shop.person_token("owner-1"))
    stranger = visit(a_shop, a_shop.person_token("stranger-1"))
    nobody = visit(a_shop, headers={"Origin": a_shop.url})
    other = visit(a_shop, a_shop.watch_token(a_shop.order()))
    assert owner.watch(order)["ok"]
    for one in (stranger, nobody, other):
        assert one.watch(order) == {"ok": False, "error": "not_found"}
    a_shop.move(order)
    owner.wait_for("update")
    time.sleep(0.2)
    assert [one.versions() for one in (stranger, nobody, other)] == [[], [], []]


def test_another_order_and_no_such_order_are_refused_in_the_same_words(
    a_shop: Shop, visit: Visit
) -> None:
    page = visit(a_shop, a_shop.person_token("stranger-2"))
    another, missing = a_shop.order().id, "no-such-order"
    answers = [page.call("watch", {"topic": f"order:{name}"}) for name in (another, missing)]
    assert answers == [{"ok": False, "error": "not_found"}] * 2


def test_a_browser_watches_the_order_of_its_cookie(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, headers={"Origin": a_shop.url, "Cookie": f"order={order.id}"})
    assert page.watch(order)["ok"]
    assert page.watch(a_shop.order())["error"] == "not_found"


def test_a_bare_string_is_a_topic_too(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    assert page.call("watch", f"order:{order.id}")["version"] == 1


def test_without_an_ack_a_refusal_is_an_event(a_shop: Shop, visit: Visit) -> None:
    page = visit(a_shop, a_shop.person_token("stranger-3"))
    page.say("watch", {"topic": "order:not-mine"})
    assert page.wait_for("subscription-error") == [{"id": "order:not-mine", "error": "not_found"}]
    page.watch(a_shop.order())
    assert len(page.all("subscription-error")) == 1


def test_staff_watch_every_order_and_customers_do_not(a_shop: Shop, visit: Visit) -> None:
    clerk = visit(a_shop, a_shop.person_token("clerk-1", "clerk"))
    customer = visit(a_shop, a_shop.person_token("customer-1"))
    given = clerk.call("watch", {"topic": "orders", "after": None})
    assert (given["ok"], given["topic"], given["snapshot"]) == (True, "orders", None)
    assert customer.call("watch", {"topic": "orders"}) == {"ok": False, "error": "not_found"}
    orders = [a_shop.order(), a_shop.order()]
    for order in orders:
        a_shop.move(order)
    wanted = {order.id for order in orders}
    eventually(lambda: {one["snapshot"]["id"] for one in clerk.all("update")} >= wanted)
    told = clerk.all("update")
    assert {update["topic"] for update in told} == {"orders"}
    versions = [update["version"] for update in told]
    assert versions == sorted(set(versions))
    assert versions[0] > given["version"]
    assert customer.versions() == []


WALLET = {"topic": "wallet"}
NOT_FOUND = {"ok": False, "error": "not_found"}


def top_up(shop: Shop, user_id: str) -> None:
    """100,000 VND, really deposited."""
    order = shop.order(customer_id=user_id, purpose="deposit")
    reference = shop.elsewhere(deeds.begin, order)
    shop.elsewhere(deeds.pay, reference)


def test_a_person_watches_their_wallet(a_shop: Shop, visit: Visit) -> None:
    mai, binh = (f"{a_shop.mode}-watched-{name}" for name in ("mai", "binh"))
    page = visit(a_shop, a_shop.person_token(mai))
    stranger = visit(a_shop, a_shop.person_token(binh))
    for one in (page, stranger):
        empty = {"ok": True, "topic": "wallet", "version": 0, "events": []}
        told = one.call("watch", WALLET)
        assert told.pop("snapshot") == {"balances": [], "version": 0}
        assert told == empty
    top_up(a_shop, mai)
    waiting, done = page.wait_for("update", 2)
    assert (waiting["topic"], waiting["version"]) == ("wallet", 1)
    assert (waiting["event"], waiting["snapshot"]) == ("payment.status", {"balances": []})
    assert (done["topic"], done["version"], done["event"]) == ("wallet", 2, "wallet.deposited")
    assert done["snapshot"] == {"balances": [{"currency": "VND", "amount": 100_000}]}
    assert done["sent_at"].endswith("Z")
    time.sleep(SILENCE_SECONDS)
    assert page.versions() == [1, 2]
    assert stranger.versions() == []


def test_a_wallets_page_is_told_what_it_missed(a_shop: Shop, visit: Visit) -> None:
    mai = f"{a_shop.mode}-missed-mai"
    token = a_shop.person_token(mai)
    top_up(a_shop, mai)
    top_up(a_shop, mai)
    told = visit(a_shop, token).call("watch", {**WALLET, "after": 2})
    balances = [{"currency": "VND", "amount": 200_000}]
    assert (told["version"], told["snapshot"]) == (4, {"balances": balances, "version": 4})
    missed = [(one["version"], one["event"], one["status"]) for one in told["events"]]
    assert missed == [(3, "payment.status", "pending"), (4, "wallet.deposited", "completed")]
    assert told["events"][1]["message"] == "Topped up with 100,000 VND"


def test_whoever_unwatched_their_wallet_hears_no_more_of_it(a_shop: Shop, visit: Visit) -> None:
    mai = f"{a_shop.mode}-unwatched-mai"
    page = visit(a_shop, a_shop.person_token(mai))
    assert page.call("watch", WALLET)["ok"]
    assert page.call("unwatch", WALLET) == {"ok": True, "topic": "wallet"}
    top_up(a_shop, mai)
    page.wait_for("deposit_completed:v1")
    assert page.versions() == []


def test_whoever_has_no_wallet_watches_none_and_nobody_anothers(a_shop: Shop, visit: Visit) -> None:
    mai = f"{a_shop.mode}-hidden-mai"
    a_shop.person_token(mai)
    watching = a_shop.watch_token(a_shop.order(customer_id=mai))
    key = a_shop.elsewhere(accounts.create_key, f"{a_shop.mode} wallet")
    others = {
        "a key": visit(a_shop, key),
        "a watch token": visit(a_shop, watching),
        "nobody": visit(a_shop, headers={"Origin": a_shop.url}),
        "a stranger": visit(a_shop, a_shop.person_token(f"{a_shop.mode}-hidden-binh")),
        "staff": visit(a_shop, a_shop.person_token(f"{a_shop.mode}-hidden-clerk", "clerk")),
    }
    for who, page in others.items():
        assert page.call("watch", {"topic": f"wallet:{mai}"}) == NOT_FOUND, who
        if who not in {"a stranger", "staff"}:
            assert page.call("watch", WALLET) == NOT_FOUND, who
    top_up(a_shop, mai)
    time.sleep(SILENCE_SECONDS)
    for who, page in others.items():
        assert page.versions() == [], who
        assert not [one for one in page.heard if "deposit" in str(one)], who


def sightings_of(shop: Shop, topic: str) -> list[int]:
    rows = shop.elsewhere(sightings.of_topic, topic)
    return [version for version, _at in rows]


def test_what_a_page_has_shown_is_kept_once_a_version(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    topic = f"order:{order.id}"
    page = visit(a_shop, a_shop.watch_token(order))
    assert page.call("seen", {"topic": topic, "version": 1}) == {"ok": False, "error": "not_found"}
    page.watch(order)
    before = a_shop.figure("paychime_callback_to_seen_seconds_count")
    a_shop.move(order)
    page.wait_for("update")
    for _ in range(3):
        assert page.call("seen", {"topic": topic, "version": 2}) == {"ok": True}
    assert page.call("seen", {"topic": topic, "version": 3})["error"] == "not_found"
    assert sightings_of(a_shop, topic) == [2]
    assert a_shop.figure("paychime_callback_to_seen_seconds_count") == before + 1


def test_a_clerk_who_looks_is_not_the_payer(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    clerk = visit(a_shop, a_shop.person_token("clerk-2", "clerk"))
    assert clerk.watch(order)["ok"]
    assert clerk.call("seen", {"topic": f"order:{order.id}", "version": 1})["ok"]
    assert sightings_of(a_shop, f"order:{order.id}") == []


def test_the_figures_count_sockets_and_pushes(a_shop: Shop, visit: Visit) -> None:
    order = a_shop.order()
    page = visit(a_shop, a_shop.watch_token(order))
    page.watch(order)
    assert a_shop.figure("paychime_open_sockets") >= 1
    before = a_shop.figure("paychime_callback_to_emit_seconds_count")
    a_shop.move(order)
    page.wait_for("update")
    eventually(lambda: a_shop.figure("paychime_callback_to_emit_seconds_count") > before)
