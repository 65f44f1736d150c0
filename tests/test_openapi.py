"""The document tells every call there is, and what it tells is what is answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_pydantic import OpenAPI

from payments import __version__
from payments.api import operations
from payments.store import cards
from payments.store.db import in_transaction, now
from tests.outside import ON_SQLITE, Caller, Json, attempt_of, momo_calls, page_of
from tests.people import PASSWORD, People
from tests.sandbox.payable_world import ENVIRONMENT as PAYABLE
from tests.sandbox.payable_world import MERCHANT_ID, PayableWorld, payable_world
from tests.sandbox.world import World

pytestmark = ON_SQLITE

NOT_OURS_TO_CALL = {"/api/v1/payment/momo/callback"}


@pytest.fixture
def ipg() -> Iterator[PayableWorld]:
    with payable_world() as one:
        yield one


@pytest.fixture
def environment(phone: World, ipg: PayableWorld) -> dict[str, str]:
    cards = {**PAYABLE, "PAYABLE_API_URL": f"{ipg.url}/payable"}
    return {"MOMO_API_URL": f"{phone.url}/momo", "CONFIRM_LIMIT": "VND:50000", **cards}


def kept_card(people: People, ipg: PayableWorld) -> str:
    """The token of a card that the provider keeps for the owner."""
    owner, reference = people.owner.user, "HOLDER"
    assert owner is not None
    handle = {"merchant_id": MERCHANT_ID, "customer_id": ipg.kept(customer=reference)}

    def known() -> None:
        cards.add("payable", owner.id, reference)
        cards.keep("payable", reference, handle, now())

    people.in_app(in_transaction, known)
    return str(ipg.cards(handle["customer_id"])[0]["tokenId"])


@pytest.fixture
def document(app: Flask) -> Json:
    answer = app.test_client().get("/api/openapi.json")
    assert answer.content_type == "application/json"
    told: Json = json.loads(answer.data)
    return told


def test_it_is_a_document_of_openapi_3_1(document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"] == {"title": "Paychime", "version": __version__}
    OpenAPI.model_validate(document)
    for reference in references(document):
        assert reference.startswith("#/components/schemas/")
        assert reference.rsplit("/", 1)[1] in document["components"]["schemas"]
    assert "bearer" in document["components"]["securitySchemes"]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in references(value)]
    if isinstance(part, list):
        return [found for value in part for found in references(value)]
    return []


def test_every_call_there_is_is_told_and_every_call_told_is_there(app: Flask) -> None:
    def spoken(rule: str) -> str:
        return rule.replace("<", "{").replace(">", "}")

    routes = {
        (method.lower(), spoken(rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/") and rule.rule not in NOT_OURS_TO_CALL
    }
    assert {(one.method, one.path) for one in operations.OPERATIONS} == routes


def test_the_document_has_what_the_table_has(document: Json) -> None:
    told = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert told == {(one.method, one.path) for one in operations.OPERATIONS}
    for one in operations.OPERATIONS:
        operation = document["paths"][one.path][one.method]
        assert ("requestBody" in operation) is (one.body is not None)
        assert {str(status) for status in one.answers} | {"default"} == set(operation["responses"])
        in_path = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert in_path == {part[1:-1] for part in one.path.split("/") if part.startswith("{")}


def test_the_questions_of_the_lists_are_told(document: Json) -> None:
    def asked(path: str, place: str, method: str = "get") -> set[str]:
        parameters = document["paths"][path][method]["parameters"]
        return {one["name"] for one in parameters if one["in"] == place}

    assert asked("/api/v1/orders", "query") == {
        *("status", "customer_id", "search", "cursor", "limit"),
    }
    assert asked("/api/v1/orders/{order_id}/events", "query") == {"after"}
    for one in operations.OPERATIONS:
        keyed = one.method != "get" and one.path != "/api/v1/auth/token"
        told = asked(one.path, "header", one.method)
        assert told == ({"Idempotency-Key"} if keyed else set()), one.path


def test_signing_in_needs_no_token(document: Json) -> None:
    assert document["paths"]["/api/v1/auth/token"]["post"]["security"] == []
    assert "security" not in document["paths"]["/api/v1/orders"]["post"]


KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
}
TELLS_NOTHING = {"title", "description", "default"}


class Held:
    """Holds an answer against its schema. A keyword it does not know is a fault of this test."""

    def __init__(self, document: Json) -> None:
        self.schemas: Json = document["components"]["schemas"]

    def __call__(self, value: Any, schema: Json, at: str = "") -> None:
        schema = {key: one for key, one in schema.items() if key not in TELLS_NOTHING}
        if "$ref" in schema:
            assert set(schema) == {"$ref"}
            return self(value, self.schemas[schema["$ref"].rsplit("/", 1)[1]], at)
        if "anyOf" in schema:
            return self.any(value, schema["anyOf"], at)
        known = {"type", "properties", "required", "items", "enum", "const", "format"}
        assert set(schema) <= known | {"additionalProperties"}, (at, schema)
        if "enum" in schema:
            assert value in schema["enum"], at
        if "const" in schema:
            assert value == schema["const"], at
        if "type" in schema:
            right = isinstance(value, KINDS[schema["type"]])
            assert right, (at, value, schema["type"])
            assert not (schema["type"] == "integer" and isinstance(value, bool)), at
        if "properties" in schema:
            # What is answered and not told is as wrong as what is told and not answered.
            assert set(value) <= set(schema["properties"]), (at, set(value))
            assert set(schema.get("required", ())) <= set(value), (at, set(value))
            for name, part in value.items():
                self(part, schema["properties"][name], f"{at}.{name}")
        for number, part in enumerate(value if "items" in schema else ()):
            self(part, schema["items"], f"{at}[{number}]")
        return None

    def any(self, value: Any, schemas: list[Json], at: str) -> None:
        failures = []
        for schema in schemas:
            try:
                return self(value, schema, at)
            except AssertionError as failure:
                failures.append(failure)
        raise AssertionError(f"{at}: none of {len(schemas)}: {failures}")


def test_what_is_told_is_what_is_answered(
    app: Flask, people: People, document: Json, ipg: PayableWorld
) -> None:
    held, visited = Held(document), set()
    people.person("owner")
    callers = {
        "key": Caller(app, people.key()),
        "clerk": Caller(app, people.token(people.clerk)),
        "manager": Caller(app, people.token(people.manager)),
        "owner": Caller(app, people.token(people.owner)),
        "nobody": Caller(app),
    }

    def call(who: str, method: str, path: str, body: Json | None = None, **named: str) -> Json:
        real = path.format(**named)
        caller = callers[who]
        answer = caller.client.open(
            f"/api/v1{real}", method=method, json=body, headers=caller.headers
        )
        responses = document["paths"][f"/api/v1{path.split('?')[0]}"][method]["responses"]
        status = str(answer.status_code) if str(answer.status_code) in responses else "default"
        ((kind, content),) = responses[status]["content"].items()
        assert answer.content_type == kind
        told: Json = json.loads(answer.data)
        held(told, content["schema"], f"{method} {real}")
        visited.add((method, path.split("?")[0], status))
        return told

    full = {"return_url": "https://shop.test/", "metadata": {"a": 1}, "salon_id": "s"}
    plain = {"amount": 50_000, "currency": "VND", "description": "Tea"}
    sign_in = {"email": "owner@people.test", "password": PASSWORD}
    call("nobody", "post", "/auth/token", sign_in)
    call("nobody", "post", "/auth/token", {})
    first = call("key", "post", "/orders", {**plain, **full})["id"]
    second = call("key", "post", "/orders", {**plain, "amount": 60_000})["id"]
    call("key", "post", "/orders", {})
    call("key", "post", "/orders/{order_id}/payments", {"provider": "momo"}, order_id=first)
    call("key", "post", "/orders/{order_id}/payments", {}, order_id=first)
    call("key", "get", "/orders?limit=1")
    call("key", "get", "/orders?limit=0")
    staff_decide(call, first, second)
    for order_id in (first, "none"):
        call("key", "get", "/orders/{order_id}", order_id=order_id)
        call("key", "get", "/orders/{order_id}/events?after=0", order_id=order_id)
        back = {"amount": 1, "reason": "Broken"}
        call("key", "post", "/orders/{order_id}/refunds", back, order_id=order_id)
    third = call("key", "post", "/orders", plain)["id"]
    for _ in range(2):
        call("key", "post", "/orders/{order_id}/cancel", {}, order_id=third)
    call("nobody", "get", "/orders")
    deposit = {"amount": 50_000, "provider": "momo"}
    deposited = call("owner", "post", "/payment/deposit", deposit)["transactionId"]
    call("key", "post", "/payment/deposit", deposit)
    momo_calls(app, attempt_of(people, deposited))
    for path in ("/wallet", "/wallet/events?after=0", "/wallet/entries?limit=1"):
        assert call("owner", "get", path)
        call("key", "get", path)
    money_goes_out(call)
    token = kept_card(people, ipg)
    call("owner", "get", "/cards")
    call("key", "get", "/cards")
    for name in ({"nickname": "For the shop"}, {}):
        call("owner", "patch", "/cards/{token_id}", name, token_id=token)
    for _ in range(2):
        call("owner", "delete", "/cards/{token_id}", token_id=token)
    began = call("key", "get", "/orders/{order_id}", order_id=first)["created_at"]
    hook = {"url": "http://127.0.0.1:9/hooks", "events": ["order.paid"]}
    path = "/webhook-endpoints"
    own = call("key", "post", path, hook)["id"]
    one_hook = f"{path}/{{endpoint_id}}"
    call("key", "post", path, {})
    call("key", "get", f"{path}?limit=1")
    call("key", "get", f"{path}?limit=0")
    for since in (began, "then"):
        call("key", "post", f"{one_hook}/recover", {"since": since}, endpoint_id=own)
    path = "/webhook-deliveries"
    sent = call("key", "get", path)["data"][0]["id"]
    call("key", "get", f"{path}?limit=0")
    for delivery in (sent, "none"):
        call("key", "post", f"{path}/{{delivery_id}}/redeliver", {}, delivery_id=delivery)
    for endpoint in (own, "none"):
        call("key", "patch", one_hook, {"enabled": True}, endpoint_id=endpoint)
        call("key", "post", f"{one_hook}/rotate", {}, endpoint_id=endpoint)
        call("key", "delete", one_hook, endpoint_id=endpoint)
    told = {
        (one.method, one.path.removeprefix("/api/v1"), str(status))
        for one in operations.OPERATIONS
        for status in (*one.answers, "default")
    }
    assert visited == told


def staff_decide(call: Callable[..., Json], first: str, second: str) -> None:
    """One pays `first`; of two that wait, both for `second`, one is turned down."""
    seen = {"amount": 50_000, "reason": "I saw it", "evidence": "receipt 1"}
    path = "/orders/{order_id}/confirm"
    call("clerk", "post", path, seen, order_id=first)
    call("clerk", "post", path, seen, order_id=first)
    for number, decision in enumerate(({"reason": "Not seen"}, {}), 2):
        more = seen | {"amount": 60_000, "evidence": f"receipt {number}"}
        held_id = call("clerk", "post", path, more, order_id=second)["confirmation_id"]
        verb = "decline" if decision else "approve"
        for _ in range(2):
            one = f"/confirmations/{{confirmation_id}}/{verb}"
            call("manager", "post", one, decision, confirmation_id=held_id)


def money_goes_out(call: Callable[..., Json]) -> None:
    """Deposits that people confirm, and withdrawals: each with each of its answers."""
    deposit = {"provider": "momo"}
    for amount in (50_000, 60_000):
        name = call("owner", "post", "/payment/deposit", {**deposit, "amount": amount})
        say = {"transactionId": name["transactionId"]}
        call("clerk", "post", "/payment/confirm-deposit", say)
        call("owner", "post", "/payment/confirm-deposit", say)
    out = {"amount": 10_000, "currency": "VND", "destination": "0912345678"}
    call("key", "post", "/payment/withdraw", out)
    settle, fail = "/withdrawals/{withdrawal_id}/settle", "/withdrawals/{withdrawal_id}/fail"
    for paths in ((settle, fail), (fail, settle)):
        name = call("owner", "post", "/payment/withdraw", out)["transactionId"]
        for path in paths:
            end = {"evidence": f"FT {name}", "reason": "No such account"}
            call("manager", "post", path, end, withdrawal_id=name)
    call("owner", "get", "/withdrawals?limit=1")
    call("key", "get", "/withdrawals")


def test_the_page_to_read_it_names_every_call_and_no_outside_host(app: Flask) -> None:
    page = page_of(app.test_client().get("/api/docs"))
    for one in operations.OPERATIONS:
        assert f"{one.method.upper()} {one.path}" in page.text
    for element in page.elements:
        for name in ("src", "href"):
            assert "//" not in (element.get(name) or ""), element
