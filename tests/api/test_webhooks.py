"""The shop's key and an admin say who is told; nobody else may look, and a secret is shown once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from payments.domain.webhooks import EVENTS
from payments.store import webhooks as endpoints
from payments.store.db import db
from tests.outside import ON_SQLITE, SCRIPT, Caller, Json, done, problem
from tests.people import People
from tests.receivers import Receiver, listening
from tests.services.test_webhook_delivery import Post, paid

URL = "http://127.0.0.1:9/hooks"


@pytest.fixture
def shop(app: Flask, people: People) -> Caller:
    return Caller(app, people.key())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


def patch(caller: Caller, path: str, body: Json, **headers: str) -> Any:
    return caller.client.patch(f"/api/v1{path}", json=body, headers=caller.headers | headers)


def makes(caller: Caller, **more: Any) -> Json:
    return done(caller.post("/webhook-endpoints", {"url": URL, **more}), 201)


def test_a_secret_is_shown_where_it_is_made_and_nowhere_else(shop: Caller) -> None:
    made = makes(shop, events=["order.paid"])
    assert {"id", "url", "events", "secret"} <= set(made)
    assert (made["url"], made["events"], made["enabled"]) == (URL, ["order.paid"], True)
    assert made["secret"].startswith("whsec_")
    path = f"/webhook-endpoints/{made['id']}"
    rotated = done(shop.post(f"{path}/rotate"))
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_until"] > rotated["created_at"]
    others = [
        done(shop.get("/webhook-endpoints")),
        done(patch(shop, path, {"enabled": False})),
        done(shop.delete(path)),
    ]
    for told in others:
        assert made["secret"] not in json.dumps(told)
        assert rotated["secret"] not in json.dumps(told)
    assert done(shop.get("/webhook-endpoints")) == {"data": [], "next_cursor": None}


def test_without_events_it_is_told_of_everything(shop: Caller) -> None:
    assert makes(shop)["events"] == []
    assert makes(shop, events=[])["events"] == []
    assert makes(shop, events=list(EVENTS))["events"] == list(EVENTS)
    assert makes(shop, events=["order.paid", "order.paid"])["events"] == ["order.paid"]


@ON_SQLITE
@pytest.mark.parametrize(
    ("wrong", "code", "field"),
    [
        ({"events": ["order.sold"]}, "invalid_events", "events"),
        ({"events": ["order.paid", SCRIPT]}, "invalid_events", "events"),
        ({"events": "order.paid"}, "invalid_events", "events"),
        ({"events": [7]}, "invalid_events_0", "events.0"),
        ({"url": None}, "invalid_url", "url"),
        ({"url": ""}, "invalid_url", "url"),
        ({"url": 7}, "invalid_url", "url"),
        ({"url": "shop.example"}, "invalid_url", "url"),
        ({"url": "javascript:alert(1)"}, "invalid_url", "url"),
        ({"url": "http://a:b@shop.example/"}, "invalid_url", "url"),
        ({"url": "http://2130706433/"}, "invalid_url", "url"),
        ({"url": "http://shop.example/\0"}, "malformed", None),
        ({"url": "http://shop.example/\ud800"}, "malformed", None),
        ({"url": "http://10.0.0.1/"}, "inside_address", "url"),
        ({"url": "http://169.254.169.254/latest"}, "inside_address", "url"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_leaves_nothing(
    shop: Caller, people: People, wrong: Json, code: str, field: str | None
) -> None:
    answer = shop.raw("/webhook-endpoints", json.dumps({"url": URL, **wrong}).encode())
    problem(answer, 400, code, field)
    assert people.in_app(endpoints.count) == 0


def test_an_endpoint_is_changed_in_part(shop: Caller) -> None:
    path = f"/webhook-endpoints/{makes(shop, events=['order.paid'])['id']}"
    other = "http://127.0.0.1:9/other"
    assert done(patch(shop, path, {"url": other}))["events"] == ["order.paid"]
    assert done(patch(shop, path, {"events": []}))["url"] == other
    off = done(patch(shop, path, {"enabled": False}))
    assert (off["enabled"], off["disabled_why"]) == (False, "by_staff")
    on = done(patch(shop, path, {"enabled": True}))
    assert (on["enabled"], on["disabled_why"], on["events"]) == (True, None, [])
    problem(patch(shop, path, {"url": "http://10.0.0.1/"}), 400, "inside_address", "url")
    problem(patch(shop, path, {"events": ["x"]}), 400, "invalid_events", "events")
    problem(patch(shop, path, {"enabled": "yes"}), 400, "invalid_enabled", "enabled")
    assert done(patch(shop, path, {})) == on


def test_what_was_sent_is_listed_with_its_answer(
    shop: Caller, people: People, receiver: Receiver
) -> None:
    receiver.answers = [(500, {}, b"no\0 room")]
    made = makes(shop, url=receiver.url, events=["order.paid"])
    order_id = paid(people)
    Post(people).round()
    (one,) = done(shop.get("/webhook-deliveries"))["data"]
    assert (one["status"], one["tries"], one["answer_status"]) == ("waiting", 1, 500)
    assert one["answer_body"] == "no\N{REPLACEMENT CHARACTER} room"
    assert one["payload"] == receiver.heard[0].believed(made["secret"])
    assert one["payload"]["data"]["id"] == order_id
    assert one["webhook_id"] == receiver.heard[0].id
    assert one["endpoint_id"] == made["id"]
    again = done(shop.post(f"/webhook-deliveries/{one['id']}/redeliver"), 201)
    assert (again["webhook_id"], again["status"]) == (one["webhook_id"], "waiting")
    assert again["id"] != one["id"]
    Post(people).round()
    assert [heard.id for heard in receiver.heard] == [one["webhook_id"]] * 2
    lists = {
        "": [again["id"], one["id"]],
        "?status=delivered": [again["id"]],
        "?status=waiting": [one["id"]],
        f"?endpoint_id={made['id']}": [again["id"], one["id"]],
        "?endpoint_id=none": [],
    }
    for query, expected in lists.items():
        told = done(shop.get(f"/webhook-deliveries{query}"))
        assert [each["id"] for each in told["data"]] == expected, query
    problem(shop.get("/webhook-deliveries?status=lost"), 400, "invalid_status", "status")


def test_lists_go_on_where_they_stopped(shop: Caller, people: People, receiver: Receiver) -> None:
    made = [makes(shop, url=receiver.url)["id"] for _ in range(5)]
    paid(people)
    for path, count in (("/webhook-endpoints", 5), ("/webhook-deliveries", 5)):
        found, cursor = [], ""
        for _ in range(9):
            told = done(shop.get(f"{path}?limit=2&cursor={cursor}"))
            found += [one["id"] for one in told["data"]]
            cursor = told["next_cursor"]
            if cursor is None:
                break
        assert len(found) == len(set(found)) == count, path
        if path == "/webhook-endpoints":
            assert found == list(reversed(made))
        problem(shop.get(f"{path}?cursor=x"), 400, "invalid_cursor")
        problem(shop.get(f"{path}?limit=0"), 400, "invalid_limit", "limit")


def test_an_outage_is_recovered_from(shop: Caller, people: People, receiver: Receiver) -> None:
    paid(people)
    path = f"/webhook-endpoints/{makes(shop, url=receiver.url, events=['order.paid'])['id']}"
    since = {"since": "2026-01-01T00:00:00Z"}
    problem(shop.post(f"{path}/recover", since), 400, "invalid_since", "since")
    for wrong in ("", "yesterday", "9999-99-99"):
        problem(shop.post(f"{path}/recover", {"since": wrong}), 400, "invalid_since", "since")
    told = done(shop.get("/orders"))["data"][0]
    assert done(shop.post(f"{path}/recover", {"since": told["created_at"]})) == {"messages": 1}
    Post(people).round()
    assert [heard.said["type"] for heard in receiver.heard] == ["order.paid"]


def test_one_key_makes_one_endpoint_and_the_same_answer(shop: Caller, people: People) -> None:
    key = {"Idempotency-Key": "hook-1"}
    first, again = (shop.post("/webhook-endpoints", {"url": URL}, **key) for _ in range(2))
    assert done(first, 201) == done(again, 201)
    problem(
        shop.post("/webhook-endpoints", {"url": URL, "events": []}, **key),
        422,
        "idempotency_key_reused",
    )
    assert people.in_app(endpoints.count) == 1
    path = f"/webhook-endpoints/{first.get_json()['id']}"
    for _ in range(2):
        rotated = shop.post(f"{path}/rotate", {}, **{"Idempotency-Key": "rotate-1"})
        assert done(rotated)["secret"] == done(rotated)["secret"]
    secrets = people.in_app(
        lambda: db.session.execute(text("SELECT secret FROM webhook_endpoints")).scalars().all()
    )
    assert secrets == [done(rotated)["secret"]], "rotated once"


CALLS: tuple[tuple[str, str, Json | None], ...] = (
    ("GET", "/webhook-endpoints", None),
    ("POST", "/webhook-endpoints", {"url": URL}),
    ("POST", "/webhook-endpoints", {"url": "nonsense"}),
    ("PATCH", "/webhook-endpoints/{id}", {"enabled": False}),
    ("POST", "/webhook-endpoints/{id}/rotate", {}),
    ("POST", "/webhook-endpoints/{id}/recover", {"since": "x"}),
    ("DELETE", "/webhook-endpoints/{id}", None),
    ("GET", "/webhook-deliveries", None),
    ("POST", "/webhook-deliveries/none/redeliver", {}),
)


@ON_SQLITE
@pytest.mark.parametrize("who", ["nobody", "watch", "owner", "clerk", "manager", "accountant"])
def test_nobody_else_may_look_or_touch(app: Flask, shop: Caller, people: People, who: str) -> None:
    made = makes(shop)["id"]
    before = people.in_app(endpoints.find, made)
    headers: dict[str, str] = {}
    if who == "watch":
        headers = {"Authorization": f"Bearer {people.house.tokens.watch(people.order().id)}"}
    elif who != "nobody":
        role = "customer" if who == "owner" else who
        headers = people.token(people.person(who, role))
    status, code = (401, "unauthorized") if who == "nobody" else (403, "forbidden")
    for method, path, body in CALLS:
        answer = Caller(app).client.open(
            f"/api/v1{path.format(id=made)}", method=method, json=body, headers=headers
        )
        problem(answer, status, code)
    assert people.in_app(endpoints.find, made) == before
    assert people.in_app(endpoints.count) == 1


@ON_SQLITE
def test_an_admin_may_what_the_key_may(app: Flask, people: People) -> None:
    admin = Caller(app, people.token(people.person("admin", "admin")))
    made = makes(admin)
    assert [one["id"] for one in done(admin.get("/webhook-endpoints"))["data"]] == [made["id"]]


@ON_SQLITE
@pytest.mark.parametrize("name", ["none", "%00", "a" * 300, "%F0%9F%98%80"])
def test_what_is_not_there_is_not_found(shop: Caller, name: str) -> None:
    for method, path, body in CALLS:
        if "{id}" in path and "recover" not in path:
            answer = shop.client.open(
                f"/api/v1{path.format(id=name)}", method=method, json=body, headers=shop.headers
            )
            problem(answer, 404, "not_found")
    problem(shop.post(f"/webhook-deliveries/{name}/redeliver"), 404, "not_found")


class TestInProduction:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"APP_ENV": "production", "SECRET_KEY": "long enough to be a secret"}

    @ON_SQLITE
    @pytest.mark.parametrize(
        "url",
        [
            *("https://127.0.0.1/", "https://localhost/", "https://[::1]/", "https://10.0.0.1/"),
            *("https://169.254.169.254/", "https://[::ffff:127.0.0.1]/", "https://2130706433/"),
            *("https://0177.0.0.1/", "https://0x7f.0.0.1/", "http://8.8.8.8/"),
        ],
    )
    def test_an_inside_address_is_refused(self, shop: Caller, people: People, url: str) -> None:
        answer = shop.post("/webhook-endpoints", {"url": url})
        assert answer.status_code == 400
        assert answer.get_json(force=True)["field"] == "url"
        assert people.in_app(endpoints.count) == 0

    @ON_SQLITE
    def test_a_public_one_is_taken(self, shop: Caller) -> None:
        makes(shop, url="https://8.8.8.8/hooks")
