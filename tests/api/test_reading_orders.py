"""Orders are listed, filtered and read; a page asks for what it missed."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import update

from payments.services import confirm
from payments.store import tables
from payments.store.db import db, in_transaction
from tests.outside import Caller, done, problem
from tests.people import People


@pytest.fixture
def shop(app: Flask, people: People) -> Caller:
    return Caller(app, people.key())


def ids(caller: Caller, query: str = "") -> list[str]:
    return [one["id"] for one in done(caller.get(f"/orders{query}"))["data"]]


def test_the_list_is_newest_first_and_each_is_as_it_is_read_alone(
    shop: Caller, people: People
) -> None:
    made = [people.order(amount).id for amount in (1_000, 2_000, 3_000)]
    listed = done(shop.get("/orders"))
    assert [one["id"] for one in listed["data"]] == made[::-1]
    assert listed["next_cursor"] is None
    for one in listed["data"]:
        assert done(shop.get(f"/orders/{one['id']}")) == one


def test_a_list_is_read_page_by_page_and_misses_nothing(shop: Caller, people: People) -> None:
    made = [people.order().id for _ in range(7)]

    def same_moment() -> None:
        at = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
        db.session.execute(
            update(tables.orders).where(tables.orders.c.id.in_(made[2:5])).values(created_at=at)
        )

    people.in_app(in_transaction, same_moment)
    whole, read, cursor = ids(shop), [], ""
    for _ in range(4):
        told = done(shop.get(f"/orders?limit=2{cursor}"))
        read += [one["id"] for one in told["data"]]
        cursor = f"&cursor={told['next_cursor']}"
    assert read == whole
    assert told["next_cursor"] is None
    assert sorted(whole) == sorted(made)


def test_a_page_that_holds_exactly_the_rest_is_the_last(shop: Caller, people: People) -> None:
    for _ in range(2):
        people.order()
    assert done(shop.get("/orders?limit=2"))["next_cursor"] is None
    assert done(shop.get("/orders?limit=1"))["next_cursor"]


def test_the_list_is_filtered(shop: Caller, people: People) -> None:
    mine, other = people.order(customer_id="user-7"), people.order(customer_id="user-8")
    settings = people.house.settings
    people.in_app(confirm.confirm, settings, people.manager, other.id, 50_000, "seen", "receipt 1")
    reference = done(shop.get(f"/orders/{other.id}"))["payment"]["reference"]
    assert ids(shop, "?customer_id=user-7") == [mine.id]
    assert ids(shop, "?status=paid") == [other.id]
    assert ids(shop, "?status=pending&customer_id=user-8") == []
    assert ids(shop, f"?search={mine.id}") == [mine.id]
    assert ids(shop, f"?search={reference}") == [other.id]
    assert ids(shop, "?search=nobody") == []


def test_a_filter_that_is_none_is_refused(shop: Caller) -> None:
    for limit in ("0", "-1", "101", "x", "", "1.5", "9" * 50, "0000500", "%D9%A3"):
        problem(shop.get(f"/orders?limit={limit}"), 400, "invalid_limit", "limit")
    for status in ("PAID", "x", "paid;", "%27--"):
        problem(shop.get(f"/orders?status={status}"), 400, "invalid_status", "status")
    problem(shop.get("/orders?status=%00"), 400, "malformed")


CURSORS = (b"nan|a", b"inf|a", b"1e300|a", b"-1e300|a", b"1|a\x00b", b"\xff|a", b"|")


def test_a_cursor_that_is_not_ours_is_refused(shop: Caller) -> None:
    made = [base64.urlsafe_b64encode(text).decode() for text in CURSORS]
    for cursor in ("x", "%ff", "bm8=", *made):
        problem(shop.get(f"/orders?cursor={cursor}"), 400, "invalid_cursor")


def test_a_page_is_told_what_it_missed(shop: Caller, people: People) -> None:
    order = people.order()
    before = done(shop.get(f"/orders/{order.id}/events?after=1"))
    assert (before["version"], before["events"]) == (1, [])
    people.in_app(
        confirm.confirm, people.house.settings, people.clerk, order.id, 20_000, "seen", "receipt 1"
    )
    people.in_app(
        confirm.confirm, people.house.settings, people.clerk, order.id, 30_000, "seen", "receipt 2"
    )
    told = done(shop.get(f"/orders/{order.id}/events?after=1"))
    assert [(one["version"], one["event"]) for one in told["events"]] == [
        (2, "order.partially_paid"),
        (3, "order.paid"),
    ]
    assert told["version"] == told["snapshot"]["version"] == 3
    assert told["snapshot"] == done(shop.get(f"/orders/{order.id}"))
    assert told["snapshot"]["display"] == "paid"
    assert [
        one["version"] for one in done(shop.get(f"/orders/{order.id}/events?after=2"))["events"]
    ] == [3]
    for after in ("?after=3", "?after=99", ""):
        told = done(shop.get(f"/orders/{order.id}/events{after}"))
        assert (told["version"], told["events"]) == (3, [])
    events = done(shop.get(f"/orders/{order.id}/events?after=0"))["events"]
    assert [one["version"] for one in events] == [1, 2, 3]


def test_a_version_is_a_small_whole_number(shop: Caller, people: People) -> None:
    order = people.order()
    for after in ("-1", "x", "1.5", "", "9" * 10, "%D9%A3", "1;2", "0x1"):
        answer = shop.get(f"/orders/{order.id}/events?after={after}")
        problem(answer, 400, "invalid_after", "after")
