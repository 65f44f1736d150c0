"""What is read at the moment when Prometheus asks."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from payments.providers.circuit import FAILURES_TO_OPEN
from payments.services import refunds
from payments.store.db import db, now
from tests.outside import ON_SQLITE, attempt_of, momo_calls, seen
from tests.people import People


@pytest.fixture
def environment() -> dict[str, str]:
    return {"CONFIRM_LIMIT": "VND:100000"}


def read(app: Flask) -> dict[str, float]:
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    return {
        ",".join([sample.name, *(sample.labels[name] for name in sorted(sample.labels))]): (
            sample.value
        )
        for family in text_string_to_metric_families(answer.get_data(as_text=True))
        for sample in family.samples
    }


def waiting(app: Flask) -> dict[str, float]:
    kinds = ("callbacks", "refunds", "confirmations")
    told = read(app)
    return {kind: told[f"paychime_waiting_for_staff,{kind}"] for kind in kinds}


def test_what_waits_for_people_is_counted_until_they_have_done_it(
    app: Flask, people: People
) -> None:
    assert waiting(app) == {"callbacks": 0, "refunds": 0, "confirmations": 0}
    order = people.order(150_000)
    held = seen(people, order.id, 150_000)
    assert held.held
    assert waiting(app)["confirmations"] == 1
    paid = people.order()
    seen(people, paid.id, 50_000, "receipt 2")
    momo_calls(app, attempt_of(people, paid.id), orderId="M00000000000000")
    (promised,) = people.in_app(
        refunds.refund, people.house.rails, people.manager, paid.id, None, "sent back"
    )
    assert waiting(app) == {"callbacks": 1, "refunds": 1, "confirmations": 1}
    people.in_app(refunds.settle_by_hand, people.manager, promised.id, "cash, receipt 3")
    assert waiting(app)["refunds"] == 0


def test_the_oldest_fact_that_nobody_told_has_an_age(app: Flask, people: People) -> None:
    assert read(app)["paychime_outbox_lag_seconds"] == 0
    people.order()
    time.sleep(0.3)
    assert 0.3 <= read(app)["paychime_outbox_lag_seconds"] < 60


@ON_SQLITE
def test_a_rail_that_does_not_answer_is_seen_to_be_left_in_peace(
    app: Flask, people: People
) -> None:
    figure = "paychime_provider_circuit_open,momo"
    assert read(app)[figure] == 0
    for _ in range(FAILURES_TO_OPEN):
        people.house.rails.circuits.failed("momo", now())
    assert read(app)[figure] == 1
    people.house.rails.circuits.worked("momo")
    assert read(app)[figure] == 0


@ON_SQLITE
def test_answers_are_counted_by_who_gave_them_not_by_what_a_stranger_asked_for(
    app: Flask,
) -> None:
    browser, before = app.test_client(), read(app)
    for path in ("/healthz", "/never-heard-of", "/nor-of-this", "/callbacks/nobody"):
        browser.get(path)
    browser.post("/callbacks/momo", json={})
    after = read(app)

    def more(name: str) -> float:
        return after[f"paychime_responses_total,{name}"] - before.get(
            f"paychime_responses_total,{name}", 0
        )

    assert more("web.healthz,200") == 1
    assert more("none,404") == 2
    assert more("web.callback,401") == 1
    assert not any("heard" in name for name in after)


@ON_SQLITE
def test_while_the_database_is_away_the_other_figures_are_told(app: Flask, people: People) -> None:
    people.order()
    assert read(app)["paychime_database_up"] == 1
    with app.app_context():
        db.session.execute(text("ALTER TABLE outbox RENAME TO gone"))
        db.session.commit()
    told = read(app)
    assert told["paychime_database_up"] == 0
    assert told["paychime_queue_healthy"] == 1
    assert "paychime_open_sockets" in told


@ON_SQLITE
class TestWithARedisThatIsAway:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"REDIS_URL": "redis://127.0.0.1:9/0"}

    def test_the_queue_is_not_healthy(self, app: Flask) -> None:
        assert read(app)["paychime_queue_healthy"] == 0
