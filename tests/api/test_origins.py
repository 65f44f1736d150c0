"""Other origins: writes that rest on a cookie, and what a separate frontend may read."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payments.domain.order import Order
from tests.outside import ON_SQLITE, ORDER, attempt_of, count, done, momo_notice, problem, seen
from tests.people import People

pytestmark = ON_SQLITE

LISTED = "https://shop.example"
FOREIGN = [None, "null", "https://evil.example", "http://shop.example", "https://shop.example:8443"]
FOREIGN += ["http://localhost:5000", "https://localhost", "https://shop.example.evil.test", ""]


@pytest.fixture
def environment() -> dict[str, str]:
    return {"CORS_ORIGINS": f"{LISTED}, http://other.example:3000"}


@pytest.fixture
def order(people: People) -> Order:
    return people.order()


def pays(browser: FlaskClient, order: Order, origin: str | None) -> TestResponse:
    return browser.post(
        f"/api/v1/orders/{order.id}/payments",
        json={"provider": "no such rail"},
        headers={} if origin is None else {"Origin": origin},
    )


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_write_by_a_cookie_from_elsewhere_is_refused(
    people: People, order: Order, origin: str | None
) -> None:
    payer, manager = people.browser(order), people.signed_in(people.manager)
    problem(pays(payer, order, origin), 403, "forbidden")
    headers = {} if origin is None else {"Origin": origin}
    for path, body in (
        ("orders", ORDER),
        (f"orders/{order.id}/cancel", {}),
        (f"orders/{order.id}/confirm", {"amount": 1, "reason": "seen", "evidence": "receipt"}),
    ):
        problem(manager.post(f"/api/v1/{path}", json=body, headers=headers), 403, "forbidden")
    assert count(people, "orders") == 1
    assert done(manager.get(f"/api/v1/orders/{order.id}"))["version"] == 1


@pytest.mark.parametrize(
    "origin", ["http://localhost", "HTTP://LOCALHOST", LISTED, "http://other.example:3000"]
)
def test_our_pages_and_listed_frontends_may_write_by_a_cookie(
    people: People, order: Order, origin: str
) -> None:
    problem(pays(people.browser(order), order, origin), 400, "provider_not_offered", "provider")
    manager = people.signed_in(people.manager)
    done(manager.post("/api/v1/orders", json=ORDER, headers={"Origin": origin}), 201)


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_token_may_write_from_anywhere(people: People, app: Flask, origin: str | None) -> None:
    headers = people.key() | ({} if origin is None else {"Origin": origin})
    done(app.test_client().post("/api/v1/orders", json=ORDER, headers=headers), 201)


def test_a_provider_has_no_origin_and_needs_none(people: People, order: Order, app: Flask) -> None:
    seen(people, order.id, 50_000)
    notice = momo_notice(attempt_of(people, order.id))
    browser = people.browser(order)
    for path in ("/api/v1/payment/momo/callback", "/callbacks/momo"):
        assert browser.post(path, json=notice).status_code == 204


def cors(answer: TestResponse) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name.lower().startswith("access-control-")
    }


@pytest.mark.parametrize("path", ["/api/v1/orders", "/api/v1/auth/token", "/api/openapi.json"])
def test_a_listed_frontend_is_told_what_it_may(app: Flask, path: str) -> None:
    answer = app.test_client().options(
        path, headers={"Origin": LISTED, "Access-Control-Request-Method": "POST"}
    )
    assert answer.status_code == 204
    told = cors(answer)
    assert told["Access-Control-Allow-Origin"] == LISTED
    assert told["Access-Control-Allow-Credentials"] == "true"
    assert {"GET", "POST", "PATCH", "DELETE"} <= set(
        told["Access-Control-Allow-Methods"].split(", ")
    )
    assert {"Authorization", "Content-Type", "Idempotency-Key"} <= set(
        told["Access-Control-Allow-Headers"].split(", ")
    )
    assert "Origin" in answer.headers["Vary"]


def test_a_listed_frontend_reads_answers_and_refusals(app: Flask, people: People) -> None:
    for headers in (people.key(), {}):
        answer = app.test_client().get("/api/v1/orders", headers={**headers, "Origin": LISTED})
        assert cors(answer) == {
            "Access-Control-Allow-Origin": LISTED,
            "Access-Control-Allow-Credentials": "true",
        }
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize("origin", [*filter(None, FOREIGN), "*"])
def test_an_unlisted_origin_is_told_nothing(app: Flask, people: People, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert cors(app.test_client().options("/api/v1/orders", headers=asked)) == {}
    answer = app.test_client().get("/api/v1/orders", headers={**people.key(), "Origin": origin})
    assert cors(answer) == {}
    assert "Origin" in answer.headers["Vary"]


def test_no_path_but_the_api_answers_other_origins(app: Flask, people: People) -> None:
    order = people.order()
    browser = people.browser(order)
    for path in (
        *("/", "/login", f"/checkout/{order.id}", "/healthz", "/metrics", "/callbacks/momo"),
        *("/apix", "/staff/", "/static/css/paychime.css", "/webhook/payment"),
    ):
        for method in ("GET", "POST", "OPTIONS"):
            answer = browser.open(
                path,
                method=method,
                headers={"Origin": LISTED, "Access-Control-Request-Method": "POST"},
            )
            answer.close()
            assert cors(answer) == {}, (method, path)


class TestInDevelopment:
    """`localhost` and `127.0.0.1` are both ours there, and nowhere else."""

    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"APP_ENV": "development", "SANDBOX": "0", "PUBLIC_URL": "http://127.0.0.1:5000"}

    def test_the_host_that_the_request_names_is_ours(self, people: People, order: Order) -> None:
        browser = people.browser(order)
        for origin, status in (
            ("http://localhost", 400),
            ("http://127.0.0.1:5000", 400),
            ("https://localhost", 403),
            ("http://evil.example", 403),
        ):
            assert pays(browser, order, origin).status_code == status, origin

    @pytest.mark.parametrize("host", ["localhost:x", "[", "a@b", "a b", "\xff", "localhost:99999"])
    def test_a_host_that_is_none_is_nobodys_origin(
        self, people: People, order: Order, host: str
    ) -> None:
        browser = people.browser(order)
        answer = browser.post(
            f"/api/v1/orders/{order.id}/payments",
            json={"provider": "momo"},
            headers={"Host": host, "Origin": f"http://{host}"},
        )
        assert answer.status_code in {400, 401, 403}, answer.get_data(as_text=True)
