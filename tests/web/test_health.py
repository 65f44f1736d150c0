"""What load balancers and Prometheus read, and the demo shop."""

from __future__ import annotations

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from payments import __version__
from payments.services.demo import GOODS
from tests.outside import ON_SQLITE, attempt_of, count, momo_calls, page_of, seen, submit
from tests.people import People

pytestmark = ON_SQLITE


def test_a_healthy_shop_says_so(app: Flask) -> None:
    browser = app.test_client()
    assert browser.get("/healthz").get_json() == {"status": "ok", "version": __version__}
    answer = browser.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ready",
        "database": "ok",
        "queue": "ok",
        "sandbox": False,
        "version": __version__,
    }


class TestWithoutRedis:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"REDIS_URL": "redis://127.0.0.1:9/0"}

    def test_pages_still_become_right_so_the_shop_is_ready(self, app: Flask) -> None:
        answer = app.test_client().get("/readyz")
        assert answer.status_code == 200
        assert answer.get_json()["queue"] == "degraded"


def test_prometheus_reads_the_figures(app: Flask, people: People) -> None:
    order = people.order()
    seen(people, order.id, 50_000)

    def told() -> dict[str, float]:
        answer = app.test_client().get("/metrics")
        assert answer.status_code == 200
        assert answer.content_type.startswith("text/plain")
        return {
            ",".join([sample.name, *sorted(sample.labels.values())]): sample.value
            for family in text_string_to_metric_families(answer.get_data(as_text=True))
            for sample in family.samples
        }

    before = told()
    momo_calls(app, attempt_of(people, order.id), signature="forged")
    assert app.test_client().post("/callbacks/momo", json={}).status_code == 401
    after = told()
    refused = "paychime_callbacks_total,momo,refused"
    assert after[refused] == before.get(refused, 0) + 1
    for name in ("callback_to_emit_seconds_count", "callback_to_seen_seconds_count"):
        assert f"paychime_{name}" in after
    assert after["paychime_outbox_lag_facts"] >= 1
    assert {"paychime_open_sockets", "paychime_queue_lag_facts"} <= after.keys()


class TestTheDemoShop:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"SANDBOX": "1"}

    def test_a_visitor_buys_a_good_and_is_at_its_checkout(self, app: Flask, people: People) -> None:
        browser = app.test_client()
        page = page_of(browser.get("/"))
        assert {f"/demo/{good}" for good in GOODS} <= page.actions()
        for good in GOODS:
            bought = submit(browser, f"/demo/{good}")
            assert bought.status_code == 303
            entered = browser.get(bought.headers["Location"])
            assert entered.status_code == 302
            checkout = page_of(browser.get(entered.headers["Location"]))
            assert checkout.id("payment")["data-status"] == "pending"
        assert count(people, "orders") == len(GOODS)

    def test_every_page_says_that_no_money_moves(self, app: Flask, people: People) -> None:
        order = people.order()
        browser = people.browser(order)
        for path in ("/", "/login", f"/checkout/{order.id}"):
            assert "TEST" in page_of(browser.get(path)).text
        assert "TEST" in page_of(browser.get("/nothing"), 404).text

    def test_what_is_not_sold_is_not_there(self, app: Flask, people: People) -> None:
        assert submit(app.test_client(), "/demo/nothing").status_code == 404
        assert count(people, "orders") == 0


def test_without_a_sandbox_there_is_no_demo_shop(app: Flask, people: People) -> None:
    browser = app.test_client()
    assert browser.get("/").headers["Location"] == "/login"
    assert submit(browser, "/demo/coffee").status_code == 404
    assert browser.get("/sandbox/momo/").status_code == 404
    assert count(people, "orders") == 0
    assert "TEST" not in page_of(browser.get("/login")).text
