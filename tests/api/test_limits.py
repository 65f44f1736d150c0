"""How often one caller may call; and whose calls are never counted."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.outside import ON_SQLITE, Caller, csrf, done, problem
from tests.people import People

pytestmark = ON_SQLITE

CALLS = 40


@pytest.fixture
def environment() -> dict[str, str]:
    return {"API_RATE": "3", "TRUSTED_PROXIES": "1"}


def statuses(caller: Caller, **headers: str) -> set[int]:
    return {caller.get("/orders/none", **headers).status_code for _ in range(CALLS)}


def test_a_key_that_calls_too_often_is_told_to_wait(app: Flask, people: People) -> None:
    caller = Caller(app, people.key())
    answers = [caller.get("/orders") for _ in range(CALLS)]
    done(answers[0])
    late = next(one for one in answers if one.status_code != 200)
    problem(late, 429, "too_many_requests")
    assert late.headers["Retry-After"] == "1"


def test_each_key_and_each_person_is_counted_alone(app: Flask, people: People) -> None:
    busy = Caller(app, people.key())
    assert statuses(busy) == {404, 429}
    for other in (people.key(), people.token(people.owner)):
        assert Caller(app, other).get("/orders/none").status_code == 404


def test_changing_the_address_does_not_help_a_key(app: Flask, people: People) -> None:
    headers = people.key()
    told = {
        Caller(app, headers, address=f"192.0.2.{n}").get("/orders/none").status_code
        for n in range(CALLS)
    }
    assert told == {404, 429}


def test_staff_are_not_counted(app: Flask, people: People) -> None:
    assert statuses(Caller(app, people.token(people.clerk))) == {404}


def test_whoever_is_nobody_is_counted_by_address(app: Flask, people: People) -> None:
    assert statuses(Caller(app)) == {401, 429}
    assert statuses(Caller(app, {"Authorization": "Bearer x"}, address="192.0.2.1")) == {401, 429}


def test_an_address_is_what_the_last_proxy_says(app: Flask) -> None:
    """Whatever stands before it is the caller's own word, and does not get around the limit."""
    told = set()
    for number in range(CALLS):
        forged = {"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.1"}
        told.add(Caller(app, forged).get("/orders/none").status_code)
    assert told == {401, 429}
    other = Caller(app, {"X-Forwarded-For": "198.51.100.1, 198.51.100.2"})
    assert other.get("/orders/none").status_code == 401


def test_pages_and_health_are_not_counted(app: Flask) -> None:
    browser = app.test_client()
    for path in ("/healthz", "/login", "/api/openapi.json"):
        assert {browser.get(path).status_code for _ in range(CALLS)} == {200}
    assert csrf(browser)
