"""Messages to real receivers, which believe what the Standard Webhooks library believes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from standardwebhooks import WebhookVerificationError

from payments.domain.webhooks import AGAIN_AFTER_CRASH, KEPT, SCHEDULE, TRIES
from payments.providers import outgoing
from payments.providers.outgoing import Reply
from payments.realtime.leading import Leader
from payments.services.clean import Cleaner
from payments.services.webhooks import delivery as webhook_delivery
from payments.services.webhooks import endpoints as webhooks
from payments.services.webhooks.delivery import AT_ONCE, Courier
from payments.store import webhook_deliveries
from payments.store import webhooks as endpoints
from payments.store.db import db, in_transaction, now
from payments.store.webhook_deliveries import Delivery
from payments.store.webhooks import Endpoint
from tests.outside import ON_SQLITE, seen
from tests.people import People
from tests.receivers import Receiver, listening
from tests.services.test_webhooks import deliveries, happens, listens, relayed


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_delivery, "LOOK_SECONDS", 0.02)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(webhook_delivery, "now", one.now)
    return one


class Clock:
    """The courier's time, which goes on by itself and can be moved."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return now() + self._ahead

    def move(self, by: timedelta) -> None:
        self._ahead += by


class Post:
    """A courier that is stepped by hand until what it has begun has ended."""

    def __init__(self, people: People, **more: Any) -> None:
        self._people = people
        self.courier = Courier(production=people.house.settings.production, **more)

    def step(self, *, leads: bool = True) -> None:
        self._people.in_app(self.courier.step, lambda: leads)

    def round(self) -> None:
        """Whatever is due is tried, and written down."""
        self.step()
        deadline = time.monotonic() + 20
        while sum(self.courier._under_way.values()):
            assert time.monotonic() < deadline, "a try does not end"
            self.step(leads=False)


def paid(people: People, amount: int = 50_000) -> str:
    """An order that staff confirmed, told to whoever is to be told."""
    order = people.order(amount)
    seen(people, order.id, amount, f"receipt {order.id}")
    relayed(people)
    return order.id


def only(people: People) -> Delivery:
    (one,) = deliveries(people)
    return one


def endpoint_now(people: People, endpoint: Endpoint) -> Endpoint:
    found = people.in_app(endpoints.find, endpoint.id)
    assert found is not None
    return found


def test_a_receiver_is_told_of_a_paid_order_and_can_believe_it(
    people: People, receiver: Receiver
) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    order_id = paid(people)
    Post(people).round()
    (heard,) = receiver.heard
    told = heard.believed(endpoint.secret)
    assert set(told) == {"type", "timestamp", "data"}
    assert told["type"] == "order.paid"
    assert (told["data"]["id"], told["data"]["status"]) == (order_id, "paid")
    assert heard.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        heard.believed("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    done = only(people)
    assert (done.status, done.tries, done.answer_status) == ("delivered", 1, 204)
    assert heard.id == done.webhook_id
    Post(people).round()
    assert len(receiver.heard) == 1


def test_after_a_rotation_the_old_and_the_new_secret_are_believed(
    people: People, receiver: Receiver
) -> None:
    before = listens(people, "order.paid", url=receiver.url)
    after = people.in_app(webhooks.rotate, people.shop, before.id)
    paid(people)
    Post(people).round()
    (heard,) = receiver.heard
    assert heard.believed(before.secret) == heard.believed(after.secret)


def test_what_fails_is_tried_again_by_the_table_under_one_id_and_then_given_up(
    people: People, receiver: Receiver, clock: Clock
) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    receiver.always = (500, {}, b"out of order")
    paid(people)
    post = Post(people)
    for tries in range(1, TRIES + 1):
        began = clock.now()
        post.round()
        one = only(people)
        assert one.tries == tries
        assert (one.answer_status, one.answer_body) == (500, "out of order")
        post.round()
        assert len(receiver.heard) == tries, "not before its time"
        if tries < TRIES:
            assert one.status == "waiting"
            assert one.next_at is not None
            pause = (one.next_at - began) / SCHEDULE[tries - 1]
            assert 0.79 < pause < 2 if tries == 1 else 0.79 < pause < 1.25
            if tries == 1:
                assert one.next_at - began < timedelta(seconds=10)
            clock.move(one.next_at - clock.now())
    assert one.status == "failed"
    assert one.next_at is None
    assert len({heard.id for heard in receiver.heard}) == 1
    assert len({heard.body for heard in receiver.heard}) == 1
    assert endpoint_now(people, endpoint).enabled


def test_a_second_try_that_is_taken_ends_it(
    people: People, receiver: Receiver, clock: Clock
) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    receiver.answers = [(503, {"Retry-After": "60"}, b"")]
    paid(people)
    post = Post(people)
    post.round()
    one = only(people)
    assert one.next_at is not None
    assert timedelta(seconds=55) < one.next_at - clock.now() < timedelta(seconds=61)
    assert endpoint_now(people, endpoint).failing_since is not None
    clock.move(timedelta(seconds=61))
    post.round()
    assert (only(people).status, only(people).tries) == ("delivered", 2)
    assert endpoint_now(people, endpoint).failing_since is None
    timestamps = [int(heard.headers["webhook-timestamp"]) for heard in receiver.heard]
    assert timestamps[0] + 60 <= timestamps[1], "signed anew: the old time would be refused"


def test_a_redirect_is_a_failure(people: People, receiver: Receiver) -> None:
    with listening() as elsewhere:
        listens(people, "order.paid", url=receiver.url)
        receiver.always = (307, {"Location": elsewhere.url}, b"")
        paid(people)
        Post(people).round()
        assert (only(people).status, only(people).answer_status) == ("waiting", 307)
        assert elsewhere.connections == 0


def test_whoever_is_gone_is_told_no_more(people: People, receiver: Receiver) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    receiver.always = (410, {}, b"")
    paid(people)
    Post(people).round()
    off = endpoint_now(people, endpoint)
    assert (off.enabled, off.disabled_why) == (False, "gone")
    assert only(people).status == "failed"
    paid(people)
    Post(people).round()
    assert len(receiver.heard) == 1


def test_an_endpoint_that_fails_for_three_days_is_disabled_and_what_waits_is_kept(
    people: People, receiver: Receiver, clock: Clock
) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    receiver.always = (500, {}, b"")
    post = Post(people)
    for hours in range(0, 81, 8):
        paid(people)
        post.round()
        if hours < 72:
            assert endpoint_now(people, endpoint).enabled, hours
        clock.move(timedelta(hours=8))
    off = endpoint_now(people, endpoint)
    assert (off.enabled, off.disabled_why) == (False, "failing")
    heard = len(receiver.heard)
    post.round()
    assert len(receiver.heard) == heard
    waits = [one for one in deliveries(people) if one.status == "waiting"]
    assert waits
    receiver.always = (204, {}, b"")
    people.in_app(
        webhooks.edit,
        *(people.house.settings, people.shop, endpoint.id),
        webhooks.Changes(enabled=True),
    )
    clock.move(timedelta(days=1))
    while len(receiver.heard) < heard + len(waits):
        post.round()
    assert {people.in_app(webhook_deliveries.find, one.id).status for one in waits} == {  # type: ignore[union-attr]
        "delivered"
    }


def test_a_failure_now_and_then_disables_nobody(
    people: People, receiver: Receiver, clock: Clock
) -> None:
    """Four days lie between, in which nothing was tried."""
    endpoint = listens(people, "order.paid", url=receiver.url)
    post = Post(people)
    for _ in range(3):
        receiver.answers = [(500, {}, b"")]
        paid(people)
        post.round()
        people.in_app(
            in_transaction,
            lambda: db.session.execute(text("UPDATE webhook_deliveries SET next_at = NULL")),
        )
        clock.move(timedelta(days=4))
    assert endpoint_now(people, endpoint).enabled


def test_a_receiver_that_hangs_holds_up_nobody_else(people: People) -> None:
    with ExitStack() as both:
        slow, quick = (both.enter_context(listening()) for _ in range(2))
        wait = threading.Event()
        slow.before = lambda: wait.wait(20)
        listens(people, "order.paid", url=slow.url)
        listens(people, "order.paid", url=quick.url)
        for number in range(10):
            happens(people, ("order.paid", f"order:{number}", 1))
        relayed(people)
        post = Post(people)
        deadline = time.monotonic() + 10
        while len(quick.heard) < 10:
            assert time.monotonic() < deadline
            post.step()
        assert len(slow.heard) <= AT_ONCE
        assert len(slow.heard) >= 1
        wait.set()


def test_killed_while_it_was_sending_another_process_sends_it_again(
    people: People, receiver: Receiver, clock: Clock
) -> None:
    """At least once, under one id: the receiver may have taken it already."""
    listens(people, "order.paid", url=receiver.url)
    paid(people)
    dead = Post(people)
    dead.step()
    receiver.wait_for(1)
    assert (only(people).status, only(people).tries) == ("waiting", 1)
    alive = Post(people)
    alive.round()
    assert len(receiver.heard) == 1, "it may still be under way"
    clock.move(AGAIN_AFTER_CRASH)
    alive.round()
    assert len(receiver.heard) == 2
    assert len({heard.id for heard in receiver.heard}) == 1
    assert only(people).status == "delivered"
    dead.round()
    assert (only(people).status, only(people).tries) == ("delivered", 2)


def test_an_overtaken_failure_takes_nothing_back(
    people: People, receiver: Receiver, clock: Clock
) -> None:
    listens(people, "order.paid", url=receiver.url)
    receiver.answers = [(500, {}, b"")]
    paid(people)
    slow, quick = Post(people), Post(people)
    slow.step()
    receiver.wait_for(1)
    clock.move(AGAIN_AFTER_CRASH)
    quick.round()
    assert only(people).status == "delivered"
    slow.round()
    assert (only(people).status, only(people).answer_status) == ("delivered", 204)


def test_of_two_processes_the_leader_alone_sends(people: People, receiver: Receiver) -> None:
    listens(people, "order.paid", url=receiver.url)
    for number in range(20):
        happens(people, ("order.paid", f"order:{number}", 1))
    relayed(people)
    posts = [(Post(people), Leader()) for _ in range(2)]
    stop = threading.Event()

    def run(post: Post, leader: Leader) -> None:
        while not stop.is_set():
            people.in_app(post.courier.step, lambda: leader.leads("webhooks"))

    threads = [threading.Thread(target=run, args=one) for one in posts]
    for thread in threads:
        thread.start()
    receiver.wait_for(20)
    deadline = time.monotonic() + 10
    while any(one.status != "delivered" for one in deliveries(people)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert len(receiver.heard) == 20
    assert len({heard.id for heard in receiver.heard}) == 20


def test_two_that_both_believe_to_lead_begin_each_message_once(
    people: People, receiver: Receiver
) -> None:
    listens(people, "order.paid", url=receiver.url)
    for number in range(20):
        happens(people, ("order.paid", f"order:{number}", 1))
    relayed(people)
    both = [Post(people) for _ in range(2)]
    deadline = time.monotonic() + 15
    while any(one.status != "delivered" for one in deliveries(people)):
        assert time.monotonic() < deadline
        threads = [threading.Thread(target=one.step) for one in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert len(receiver.heard) == 20


def test_after_an_outage_what_waits_for_hours_is_sent_at_once(
    people: People, receiver: Receiver, clock: Clock
) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    began = now()
    receiver.always = (500, {}, b"")
    paid(people)
    post = Post(people)
    for pause in SCHEDULE[:2]:
        post.round()
        clock.move(pause * 1.3)
    receiver.always = (204, {}, b"")
    post.round()
    assert only(people).status == "delivered", "the premise: it has recovered"
    receiver.answers = [(500, {}, b"")] * 2
    paid(people)
    post.round()
    clock.move(SCHEDULE[0] * 1.3)
    post.round()
    clock.move(timedelta(seconds=50))
    post.round()
    assert [one.status for one in deliveries(people)] == ["delivered", "waiting"]
    assert people.in_app(webhooks.recover, people.shop, endpoint.id, began) == 1
    post.round()
    assert [one.status for one in deliveries(people)] == ["delivered", "delivered"]
    assert people.in_app(webhooks.recover, people.shop, endpoint.id, began) == 0


@ON_SQLITE
def test_a_name_that_turns_inside_after_it_was_given_is_not_called(
    people: People, receiver: Receiver
) -> None:
    """As in production, where the same listener would be reached if anybody connected."""

    def post(target: Any, body: bytes, headers: dict[str, str], *, production: bool) -> Reply:
        assert not production
        turned = lambda _host, _port: ["127.0.0.1"]  # noqa: E731
        return outgoing.post(target, body, headers, production=True, resolve=turned)

    listens(people, "order.paid", url=f"http://shop.example:{receiver.port}/")
    paid(people)
    Post(people, post=post).round()
    assert (only(people).status, only(people).fault) == ("waiting", "inside_address")
    assert only(people).answer_status is None
    assert receiver.connections == 0


@ON_SQLITE
def test_a_fault_of_ours_is_a_failed_try_and_stops_nothing(
    people: People, receiver: Receiver
) -> None:
    def breaks(*_args: Any, **_more: Any) -> Reply:
        raise RuntimeError("whsec_hidden")

    listens(people, "order.paid", url=receiver.url)
    paid(people)
    Post(people, post=breaks).round()
    assert (only(people).status, only(people).fault) == ("waiting", "broken_answer")


@ON_SQLITE
def test_what_the_outbox_has_forgotten_cannot_be_sent(people: People, receiver: Receiver) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    paid(people)
    people.in_app(in_transaction, lambda: db.session.execute(text("DELETE FROM outbox")))
    Post(people).round()
    assert (only(people).status, only(people).fault) == ("failed", "forgotten")
    assert endpoint_now(people, endpoint).failing_since is None
    assert receiver.connections == 0


@ON_SQLITE
def test_whoever_is_removed_meanwhile_is_forgotten(people: People, receiver: Receiver) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    paid(people)
    post = Post(people)
    post.step()
    receiver.wait_for(1)
    people.in_app(webhooks.remove, people.shop, endpoint.id)
    post.round()
    assert deliveries(people) == []


@ON_SQLITE
def test_that_an_endpoint_was_disabled_stands_in_the_audit(
    people: People, receiver: Receiver
) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    receiver.always = (410, {}, b"")
    paid(people)
    Post(people).round()
    lines = people.in_app(
        lambda: db.session.execute(
            text("SELECT actor, detail FROM audit WHERE action = 'webhook.disabled'")
        ).all()
    )
    assert [line.actor for line in lines] == ["system"]
    assert endpoint.id in str(lines[0].detail)


@ON_SQLITE
def test_what_was_sent_a_month_ago_is_forgotten(people: People, receiver: Receiver) -> None:
    listens(people, "order.paid", url=receiver.url)
    paid(people)
    paid(people)
    old, _young = deliveries(people)
    people.in_app(
        in_transaction,
        lambda: db.session.execute(
            text("UPDATE webhook_deliveries SET created_at = :at WHERE id = :id"),
            {"at": (now() - KEPT).replace(tzinfo=None), "id": old.id},
        ),
    )
    people.in_app(Cleaner().once)
    assert [one.id for one in deliveries(people)] == [_young.id]


@ON_SQLITE
def test_waiting_messages_and_tries_are_figures(
    app: Flask, people: People, receiver: Receiver
) -> None:
    def figure(name: str) -> float:
        lines = app.test_client().get("/metrics").get_data(as_text=True).splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    delivered = 'paychime_webhook_tries_total{outcome="delivered"}'
    before = figure(delivered)
    listens(people, "order.paid", url=receiver.url)
    paid(people)
    assert figure("paychime_webhook_deliveries_waiting ") == 1
    Post(people).round()
    assert figure("paychime_webhook_deliveries_waiting ") == 0
    assert figure(delivered) == before + 1
