"""Who may do what: the words of the contract are 401, 403 and 404, for everybody alike."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from payments.domain.order import Order
from payments.store import tables
from payments.store.db import db, in_transaction, now
from tests.outside import ON_SQLITE, ORDER, Caller, done, everything, problem, submit
from tests.people import PASSWORD, People

OURS = {"Origin": "http://localhost"}
CONFIRM = {"amount": 50_000, "reason": "seen it", "evidence": "receipt 1"}

CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "list": ("GET", "/orders", {}),
    "read": ("GET", "/orders/{id}", {}),
    "events": ("GET", "/orders/{id}/events", {}),
    "open": ("POST", "/orders", ORDER),
    "pay": ("POST", "/orders/{id}/payments", {"provider": "no such rail"}),
    "confirm": ("POST", "/orders/{id}/confirm", {**CONFIRM, "amount": 0}),
    "approve": ("POST", "/confirmations/none/approve", {}),
    "decline": ("POST", "/confirmations/none/decline", {"reason": "Not seen"}),
    "cancel": ("POST", "/orders/{id}/cancel", {"reason": "x"}),
    "refund": ("POST", "/orders/{id}/refunds", {"reason": "x"}),
}
"""Asked so that it changes nothing where it is allowed: then it is 200, 201, 400 or 404."""

DONE = {
    **{"list": 200, "read": 200, "events": 200, "open": 201, "pay": 400},
    **{"confirm": 400, "approve": 404, "decline": 404, "cancel": 400, "refund": 400},
}

MAY: dict[str, dict[str, int]] = {
    "the shop's key": DONE | {"confirm": 403, "approve": 403, "decline": 403},
    "clerk": DONE | {"approve": 403, "decline": 403, "refund": 403},
    "manager": DONE,
    "admin": DONE,
    "accountant": DONE
    | dict.fromkeys(("open", "confirm", "approve", "decline", "cancel", "refund"), 403),
    "owner": dict.fromkeys(CALLS, 403) | {"read": 200, "events": 200, "pay": 400},
    "stranger": dict.fromkeys(CALLS, 403) | dict.fromkeys(("read", "events", "pay"), 404),
    "watch token": dict.fromkeys(CALLS, 403) | {"read": 200, "events": 200},
    "watch token of another order": dict.fromkeys(CALLS, 403)
    | dict.fromkeys(("read", "events", "pay"), 404),
    "the payer's browser": dict.fromkeys(CALLS, 401) | {"read": 200, "events": 200, "pay": 400},
    "another payer's browser": dict.fromkeys(CALLS, 401)
    | dict.fromkeys(("read", "events", "pay"), 404),
    "nobody": dict.fromkeys(CALLS, 401),
    "a key that is none": dict.fromkeys(CALLS, 401),
    "a token that is none": dict.fromkeys(CALLS, 401),
}


@pytest.fixture
def order(people: People) -> Order:
    owner = people.owner.user
    assert owner is not None
    return people.order(customer_id=owner.id)


def asker(who: str, people: People, order: Order) -> tuple[FlaskClient, dict[str, str]]:
    other = people.order()
    tokens = people.house.tokens
    if who.endswith("browser"):
        return people.browser(other if who.startswith("another") else order), OURS
    bearers = {
        "watch token": tokens.watch(order.id),
        "watch token of another order": tokens.watch(other.id),
        "a key that is none": "pk_demo_paychime",
        "a token that is none": "e30.e30.e30",
    }
    if who in bearers:
        headers = {"Authorization": f"Bearer {bearers[who]}"}
    elif who == "nobody":
        headers = {}
    elif who == "the shop's key":
        headers = people.key()
    else:
        role = "customer" if who in {"owner", "stranger"} else who
        headers = people.token(people.person(who, role))
    return people.app.test_client(), headers


@ON_SQLITE
@pytest.mark.parametrize("who", MAY)
def test_everybody_may_what_is_theirs(people: People, order: Order, who: str) -> None:
    browser, headers = asker(who, people, order)
    before = everything(people)
    codes = {401: "unauthorized", 403: "forbidden", 404: "not_found"}
    for call, (method, path, body) in CALLS.items():
        answer = browser.open(
            "/api/v1" + path.format(id=order.id),
            method=method,
            json=body if method == "POST" else None,
            headers=headers,
        )
        expected = MAY[who][call]
        assert answer.status_code == expected, (who, call, answer.get_data(as_text=True))
        if expected in codes:
            problem(answer, expected, codes[expected])
        if expected == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    if MAY[who]["open"] != 201:
        assert everything(people) == before


def test_what_is_not_yours_and_what_is_not_there_are_one(
    app: Flask, people: People, order: Order
) -> None:
    for headers in (people.token(people.stranger), {}):
        caller = Caller(app, headers)
        for path in ("", "/events"):
            theirs = caller.get(f"/orders/{order.id}{path}")
            missing = caller.get(f"/orders/{order.id}X{path}")
            assert (theirs.status_code, theirs.data) == (missing.status_code, missing.data)


def test_a_watch_token_does_not_make_an_owner(app: Flask, people: People, order: Order) -> None:
    """What it reads holds no access link, by which it could own the order and pay or claim."""
    watcher = Caller(app, {"Authorization": f"Bearer {people.house.tokens.watch(order.id)}"})
    for told in (
        done(watcher.get(f"/orders/{order.id}")),
        done(watcher.get(f"/orders/{order.id}/events"))["snapshot"],
    ):
        assert told["checkout_url"] == f"http://localhost/checkout/{order.id}"
        assert "access=" not in str(told)
    for path in ("", "/fragment"):
        answer = app.test_client().get(f"/checkout/{order.id}{path}", headers=watcher.headers)
        assert answer.status_code in {403, 404}


def test_an_order_belongs_to_the_user_it_names_now_or_later(app: Flask, people: People) -> None:
    email = "owner@people.test"
    theirs, mail_only = people.order(customer_id="user-7"), people.order(customer_email=email)
    caller = Caller(app, people.token(people.owner))
    problem(caller.get(f"/orders/{mail_only.id}"), 404, "not_found")
    problem(caller.get(f"/orders/{theirs.id}"), 404, "not_found")
    later = people.house.tokens.person("user-7")[0]
    done(Caller(app, {"Authorization": f"Bearer {later}"}).get(f"/orders/{theirs.id}"))


def test_a_token_outranks_the_cookies_that_come_with_it(people: People, order: Order) -> None:
    browser = people.browser(order)
    answer = browser.get(f"/api/v1/orders/{order.id}", headers=people.token(people.stranger))
    problem(answer, 404, "not_found")
    answer = browser.get(f"/api/v1/orders/{order.id}", headers={"Authorization": "Bearer x"})
    problem(answer, 401, "unauthorized")


def change_user(people: People, user_id: str, **values: object) -> None:
    def change() -> None:
        users = tables.users
        db.session.execute(update(users).where(users.c.id == user_id).values(**values))

    people.in_app(in_transaction, change)


def test_a_lost_role_is_lost_at_once(app: Flask, people: People, order: Order) -> None:
    clerk = people.clerk
    assert clerk.user is not None
    caller, browser = Caller(app, people.token(clerk)), people.signed_in(clerk)
    done(caller.get("/orders"))
    assert browser.get("/staff/").status_code == 200
    change_user(people, clerk.user.id, role="customer")
    problem(caller.get("/orders"), 403, "forbidden")
    assert browser.get("/staff/").status_code == 404


def test_whoever_is_disabled_is_nobody(app: Flask, people: People, order: Order) -> None:
    clerk = people.clerk
    assert clerk.user is not None
    caller, browser = Caller(app, people.token(clerk)), people.signed_in(clerk)
    change_user(people, clerk.user.id, disabled_at=now())
    problem(caller.get("/orders"), 401, "unauthorized")
    assert browser.get("/staff/").status_code == 302
    known = {"email": "clerk@people.test", "password": PASSWORD}
    problem(Caller(app).post("/auth/token", known), 401, "unauthorized")
    assert submit(browser, "/login", **known).status_code == 401


def test_a_revoked_key_opens_nothing(app: Flask, people: People) -> None:
    caller = Caller(app, people.key())
    done(caller.get("/orders"))

    def revoke() -> None:
        db.session.execute(update(tables.api_keys).values(revoked_at=now()))

    people.in_app(in_transaction, revoke)
    problem(caller.get("/orders"), 401, "unauthorized")


@ON_SQLITE
@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Basic cGs6", "bearer pk_", "Bearer wt_", "Bearer wt_x.y", "Bearer \xff"],
)
def test_what_is_no_token_is_nobody(app: Flask, authorization: str) -> None:
    problem(Caller(app, {"Authorization": authorization}).get("/orders"), 401, "unauthorized")
