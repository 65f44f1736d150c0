"""What the shop's systems are told, by which names, and when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from payments.domain.facts import Fact, live_topic, order_topic, wallet_topic
from payments.domain.states import FACTS
from payments.domain.webhooks import (
    EVENTS,
    LONGEST_WISH,
    SCHEDULE,
    SENT_AS,
    TRIES,
    Answer,
    message,
    message_bytes,
    message_id,
    next_try,
    sent_as,
)

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PROMISED = (
    "order.paid order.partially_paid order.expired order.cancelled order.refunded payment.failed "
    "wallet.deposited wallet.withdrawn card.saved"
)


def fact(event: str = "order.paid", topic: str = order_topic("1"), **more: object) -> Fact:
    snapshot = {"id": "1", "status": "paid", "version": 3}
    about: dict[str, object] = {"customer_id": "not for everybody", **more}
    return Fact(topic, 3, event, snapshot, about, AT)


def test_the_events_are_those_that_are_promised() -> None:
    assert set(EVENTS) == set(PROMISED.split())
    of_orders = {name for name in SENT_AS if name.startswith(("order.", "payment."))}
    assert of_orders <= FACTS, "what no order ever tells cannot be waited for"


def test_money_that_went_back_in_part_is_told_as_a_refund() -> None:
    assert sent_as(fact("order.partially_refunded")) == "order.refunded"
    assert message(fact("order.partially_refunded"))["type"] == "order.refunded"


@pytest.mark.parametrize(
    "event", ["order.created", "payment.started", "live.payment", "live.test", "order.overpaid"]
)
def test_what_pages_alone_need_is_not_sent(event: str) -> None:
    assert sent_as(fact(event)) is None


def test_what_operators_tell_again_is_not_sent() -> None:
    assert sent_as(fact("order.paid", live_topic("1"))) is None


def test_a_message_has_the_snapshot_and_nothing_of_the_person() -> None:
    assert message(fact()) == {
        "type": "order.paid",
        "timestamp": "2026-11-21T12:00:00.000Z",
        "data": {"id": "1", "status": "paid", "version": 3},
    }
    assert message_bytes(fact()) == message_bytes(fact())


def test_of_a_wallet_it_is_told_whose_and_how_much() -> None:
    about = {"user_id": "U", "amount": 5, "currency": "VND", "message": "Topped up"}
    told = message(fact("wallet.deposited", wallet_topic("U"), **about))["data"]
    assert (told["user_id"], told["amount"], told["currency"]) == ("U", 5, "VND")
    assert "message" not in told
    assert "customer_id" not in told


def test_an_id_is_one_for_each_message_and_the_same_for_ever() -> None:
    assert message_id(fact()) == message_id(fact())
    others = [fact(topic=order_topic("2")), Fact("order:1", 4, "order.paid", {}, {}, AT)]
    assert len({message_id(one) for one in (fact(), *others)}) == 3
    assert "." not in message_id(fact()), "it is joined to the body by points"


def failed(status: int | None = 500, retry_after: str | None = None) -> Answer:
    return Answer(AT, status, retry_after=retry_after)


def test_eight_tries_are_made_in_about_a_day_and_the_second_within_ten_seconds() -> None:
    assert TRIES == 8
    for jitter in (0.8, 1.2):
        first = next_try(1, failed(), jitter)
        assert first is not None
        assert timedelta(seconds=1) < first - AT < timedelta(seconds=9)
    assert timedelta(hours=20) < sum(SCHEDULE, timedelta()) < timedelta(hours=28)
    assert list(SCHEDULE) == sorted(SCHEDULE)
    assert next_try(7, failed(), 1) == AT + SCHEDULE[-1]
    assert next_try(8, failed(), 1) is None


def test_whoever_is_gone_is_not_tried_again() -> None:
    assert next_try(1, failed(410), 1) is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_may_ask_for_a_longer_pause_within_bounds(status: int) -> None:
    def pause(wish: str, tries: int = 1) -> timedelta:
        again = next_try(tries, failed(status, wish), 1)
        assert again is not None
        return again - AT

    assert pause("120") == timedelta(minutes=2)
    assert pause("99999999999999999999") == LONGEST_WISH
    assert pause(format_datetime(AT + timedelta(minutes=3), usegmt=True)) == timedelta(minutes=3)
    assert pause("1") == SCHEDULE[0], "never sooner than by the table"
    assert pause("60", tries=4) == SCHEDULE[3]
    for nonsense in ("", "soon", "-5", "1.5", "٣", "Sat, 99 Foo 2026", "\0"):
        assert pause(nonsense) == SCHEDULE[0], nonsense


def test_nobody_else_is_asked_how_long_to_wait() -> None:
    assert next_try(1, failed(500, "120"), 1) == AT + SCHEDULE[0]
