"""Telling an order again changes nothing about it; its listeners can be counted."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from flask import Flask

from payments.domain.errors import NotFound
from payments.domain.facts import live_topic
from payments.services import live
from payments.store import counts, orders, outbox
from payments.store.db import in_transaction
from tests.outside import ON_SQLITE
from tests.people import People


def test_each_is_a_fact_and_the_order_stays_as_it_is(people: People) -> None:
    order = people.order()
    kinds = get_args(live.Kind)
    for version, kind in enumerate(kinds, 1):
        assert people.in_app(live.tell_again, order.id, kind) == version
    facts = people.in_app(outbox.of_topic, live_topic(order.id), 0)
    assert [fact.event for fact in facts] == [f"live.{kind}" for kind in kinds]
    assert {fact.snapshot["version"] for fact in facts} == {1}
    assert people.in_app(orders.find, order.id) == order


@ON_SQLITE
def test_there_is_nothing_to_tell_of_no_order(people: People) -> None:
    with pytest.raises(NotFound):
        people.in_app(live.tell_again, "never-opened", "order")


def test_listeners_are_added_up_over_the_servers_that_answer(people: People) -> None:
    order = people.order()

    def answers() -> None:
        topic = live_topic(order.id)
        counts.record(topic, 1, "here", {f"order:{order.id}": 2})
        counts.record(topic, 1, "here", {f"order:{order.id}": 50})
        counts.record(topic, 1, "there", {f"order:{order.id}": 1, f"booking_{order.id}": 4})
        counts.record(topic, 2, "there", {f"order:{order.id}": 9})

    people.in_app(in_transaction, answers)
    found = people.in_app(live.count_listeners, order.id, 0.3)
    assert (found.count, found.servers) == (7, 2)
    assert found.rooms == {f"order:{order.id}": 3, f"booking_{order.id}": 4}


@ON_SQLITE
def test_the_commands_say_what_they_did(app: Flask, people: People) -> None:
    order = people.order()
    run = app.test_cli_runner().invoke
    for kind in ("payment", "order", "test"):
        told = run(args=["live", kind, order.id, "--json"])
        assert json.loads(told.stdout) == {"order": order.id, "told": kind}
        assert run(args=["live", kind, "never-opened"]).exit_code == 1
    counted = run(args=["live", "room", order.id, "--json"])
    assert json.loads(counted.stdout) == {
        "order": order.id,
        "listeners": 0,
        "servers": 0,
        "rooms": {},
    }
    assert run(args=["live", "room", "never-opened"]).exit_code == 1
