"""A refusal is a page of the house for people, and nobody ever sees a traceback."""

from __future__ import annotations

from io import BytesIO

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from payments.services import accounts
from payments.store import orders
from payments.store.db import Busy
from tests.outside import ON_SQLITE, Caller, count, csrf, page_of, problem, submit
from tests.people import People


@ON_SQLITE
def test_what_is_not_there_and_what_cannot_be_done_is_said_in_words(app: Flask) -> None:
    browser = app.test_client()
    assert "There is nothing here" in page_of(browser.get("/nothing"), 404).text
    refused = browser.delete("/login")
    assert page_of(refused, 405).id("main")
    assert {"GET", "POST"} <= set(refused.headers["Allow"].split(", "))
    assert browser.get("/staff").headers["Location"].endswith("/staff/")


@ON_SQLITE
def test_a_form_that_is_too_large_is_refused_in_words(app: Flask) -> None:
    browser = app.test_client()
    token = csrf(browser)
    form = {"csrf_token": token, "email": "x" * 300_000, "password": "x"}
    assert "That was too large" in page_of(browser.post("/login", data=form), 413).text
    for size in (70_000, 300_000):
        parts = {"csrf_token": token, "email": "x" * size, "file": (BytesIO(b"x"), "x.txt")}
        assert page_of(browser.post("/login", data=parts), 413).id("main")
    many = "&".join(f"a{n}=1" for n in range(20_000))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.post("/login", data=many, headers=kind).status_code in {400, 413}


STRANGE = ("%00", "a%00b", "%ff", "%0d%0aSet-Cookie:%20a=b", "%27--")


def test_a_strange_address_is_answered_with_404(app: Flask, people: People) -> None:
    manager = people.signed_in(people.manager)
    for strange in STRANGE:
        for path in (
            f"/{strange}",
            *(f"/checkout/{strange}{rest}" for rest in ("", "/fragment", "/x.svg")),
            *(f"/staff/orders/{strange}{rest}" for rest in ("", "/fragment", "/show")),
            f"/staff/callbacks/{strange}",
            f"/static/{strange}",
        ):
            answer = manager.get(path)
            assert answer.status_code == 404, path
            assert "a=b" not in str(answer.headers)
            answer.close()
        back = manager.get(f"/checkout/{strange}/return")
        assert back.status_code in {303, 404}
        assert "a=b" not in back.headers.getlist("Set-Cookie")


def test_a_nul_in_a_question_is_refused(people: People) -> None:
    order = people.order()
    manager = people.signed_in(people.manager)
    for query in ("q=%00", "status=%00", "lang=%00", "next=%00", "access=a%00b", "a=b&cursor=%00"):
        for path in ("/staff/", "/staff/orders", "/login", f"/checkout/{order.id}"):
            assert manager.get(f"{path}?{query}").status_code == 400, path


def test_a_nul_in_a_form_is_refused_and_changes_nothing(people: People) -> None:
    order = people.order()
    manager, payer = people.signed_in(people.manager), people.browser(order)
    before = count(people, "audit"), count(people, "orders")
    for browser, path, form in (
        (payer, f"/checkout/{order.id}/claim", {"reference": "a\x00b"}),
        (payer, f"/checkout/{order.id}/pay", {"provider": "momo\x00"}),
        (manager, f"/staff/orders/{order.id}/cancel", {"reason": "Sold \x00 out"}),
        (
            manager,
            f"/staff/orders/{order.id}/confirm",
            {"amount": "1000", "reason": "I saw it", "evidence": "receipt\x00"},
        ),
        (manager, "/staff/new", {"amount": "1", "currency": "VND", "description": "a\x00b"}),
    ):
        page_of(submit(browser, path, **form), 400)
    assert (count(people, "audit"), count(people, "orders")) == before


@ON_SQLITE
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (RuntimeError("a secret: hunter2"), 500),
        (KeyError("hunter2"), 500),
        (OperationalError("SELECT hunter2", {}, Exception("hunter2")), 503),
        (PoolTimeout("hunter2"), 503),
        (Busy("hunter2"), 503),
    ],
)
def test_a_fault_of_ours_tells_nothing_of_itself(
    app: Flask, people: People, monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int
) -> None:
    order = people.order()
    browser, key = people.browser(order), people.key()
    clerk = people.signed_in(people.clerk)
    app.config["TESTING"] = app.config["PROPAGATE_EXCEPTIONS"] = False

    def breaks(_order_id: str) -> None:
        raise fault

    monkeypatch.setattr(orders, "find", breaks)
    for visitor, path in ((browser, f"/checkout/{order.id}"), (clerk, f"/staff/orders/{order.id}")):
        answer = visitor.get(path)
        page = page_of(answer, status)
        assert "hunter2" not in answer.get_data(as_text=True)
        assert "Traceback" not in answer.get_data(as_text=True)
        assert page.id("main")
    codes = {500: "internal", 503: "busy" if isinstance(fault, Busy) else "database_away"}
    answer = Caller(app, key).get(f"/orders/{order.id}")
    problem(answer, status, codes[status])
    assert "hunter2" not in answer.get_data(as_text=True)
    if status == 503:
        assert int(answer.headers["Retry-After"]) >= 1


@ON_SQLITE
def test_a_fault_has_a_reference_that_the_log_has_too(
    app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app.config["TESTING"] = app.config["PROPAGATE_EXCEPTIONS"] = False
    browser = app.test_client()
    token = csrf(browser)

    def breaks(*_args: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(accounts, "sign_in", breaks)
    form = {"csrf_token": token, "email": "a@b.c", "password": "x"}
    page = page_of(browser.post("/login", data=form), 500)
    reference = page.all("code")[-1].text
    logged = capsys.readouterr().err
    assert reference in logged
    assert "on purpose" in logged


class TestWhileTheDatabaseIsAway:
    @pytest.fixture
    def database_url(self) -> str:
        return "postgresql://nobody@127.0.0.1:9/nothing"

    def test_pages_say_so_and_static_files_still_come(self, app: Flask) -> None:
        order = app.extensions["paychime"].tokens.link("O1")
        browser = app.test_client()
        page = page_of(browser.get(f"/checkout/O1?access={order}"), 503)
        assert "Nothing is lost" in page.text
        assert browser.get("/login").status_code == 200
        assert browser.get("/nothing").status_code == 404
        with browser.get("/static/css/paychime.css") as style:
            assert style.status_code == 200

    def test_calls_are_told_to_try_again(self, app: Flask) -> None:
        answer = Caller(app, {"Authorization": "Bearer pk_x"}).get("/orders")
        problem(answer, 503, "database_away")
        assert answer.headers["Retry-After"]

    def test_health_and_readiness_differ(self, app: Flask) -> None:
        browser = app.test_client()
        assert browser.get("/healthz").status_code == 200
        answer = browser.get("/readyz")
        assert answer.status_code == 503
        told = answer.get_json()
        assert (told["status"], told["database"]) == ("unavailable", "away")
        assert set(told) == {"status", "database", "queue", "sandbox", "version"}
        assert browser.get("/metrics").status_code in {200, 503}
