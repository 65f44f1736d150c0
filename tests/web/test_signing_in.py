"""People sign in and out by the page, and are led nowhere else by it."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payments.services import accounts
from tests.outside import ON_SQLITE, page_of, submit
from tests.people import PASSWORD, People

pytestmark = ON_SQLITE

RIGHT = {"email": "clerk@people.test", "password": PASSWORD}


def signs_in(browser: FlaskClient, **changes: str) -> TestResponse:
    return submit(browser, "/login", **{**RIGHT, **changes})


def test_staff_come_to_their_desk_and_customers_to_their_wallet(people: People) -> None:
    people.person("clerk", "clerk")
    people.person("owner")
    for email, home in (("clerk@people.test", "/staff/"), ("  OWNER@people.TEST ", "/wallet")):
        answer = signs_in(people.browser(), email=email)
        assert (answer.status_code, answer.headers["Location"]) == (303, home)


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong"},
        {"password": ""},
        {"password": PASSWORD.upper()},
        {"password": "x" * 5_000},
        {"email": "nobody@people.test"},
        {"email": ""},
        {"email": "' OR '1'='1"},
        {"email": "é" * 300},
    ],
)
def test_what_is_wrong_is_told_to_nobody(people: People, wrong: dict[str, str]) -> None:
    people.person("clerk", "clerk")
    browser = people.browser()
    page = page_of(signs_in(browser, **wrong), 401)
    assert "The e-mail or the password is wrong." in page.text
    assert page.form("/login")
    assert browser.get("/staff/").status_code == 302


def test_a_nul_in_a_field_is_refused(people: People) -> None:
    for field in RIGHT:
        assert signs_in(people.browser(), **{field: "a\x00b"}).status_code == 400


def test_whoever_was_sent_to_sign_in_comes_back_to_where_they_were(people: People) -> None:
    people.person("clerk", "clerk")
    browser, order = people.browser(), people.order()
    sent = browser.get(f"/staff/orders/{order.id}")
    assert sent.status_code == 302
    page = page_of(browser.get(sent.headers["Location"]))
    (kept,) = page.all("input", type="hidden", name="next")
    assert kept["value"] == f"/staff/orders/{order.id}"
    answer = signs_in(browser, next=kept["value"])
    assert answer.headers["Location"] == f"/staff/orders/{order.id}"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.test/",
        "HTTPS://evil.test",
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        "\t//evil.test",
        " //evil.test",
        "/x\\..\\\\evil.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.test",
        "http:evil.test",
        "@evil.test",
        "/staff/\r\nSet-Cookie: a=b",
        "/\u2028/evil.test",
        "",
    ],
)
def test_the_way_back_leads_nowhere_else(people: People, elsewhere: str) -> None:
    people.person("clerk", "clerk")
    answer = signs_in(people.browser(), next=elsewhere)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/staff/"
    assert "a=b" not in str(answer.headers)


def test_the_way_back_is_kept_over_a_mistyped_password(people: People) -> None:
    people.person("clerk", "clerk")
    page = page_of(signs_in(people.browser(), password="wrong", next="/staff/parked"), 401)
    (kept,) = page.all("input", type="hidden", name="next")
    assert kept["value"] == "/staff/parked"


def test_signing_out_ends_that_login_wherever_its_cookie_is(people: People) -> None:
    clerk = people.clerk
    here, there = people.signed_in(clerk), people.signed_in(clerk)
    stolen = here.get_cookie("session")
    assert stolen is not None
    answer = submit(here, "/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    replayed = people.browser()
    replayed.set_cookie("session", stolen.value)
    for browser in (here, replayed):
        assert browser.get("/staff/").status_code == 302
    assert there.get("/staff/").status_code == 200
    assert people.signed_in(clerk).get("/staff/").status_code == 200


def test_signing_out_twice_is_no_fault(people: People) -> None:
    assert submit(people.browser(), "/logout").status_code == 303


def test_nobody_is_signed_out_by_a_link(people: People) -> None:
    clerk = people.signed_in(people.clerk)
    assert clerk.get("/logout").status_code == 405
    assert clerk.get("/staff/").status_code == 200


def test_only_a_form_that_was_sent_tries_a_password(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password costs the server time: what only looks at the page costs none."""
    tried: list[str] = []

    def sign_in(_offload: object, email: str, _password: str) -> None:
        tried.append(email)
        raise AssertionError

    monkeypatch.setattr(accounts, "sign_in", sign_in)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert people.browser().open("/login", method=method).status_code == 200
    assert tried == []


def test_the_eleventh_try_of_a_minute_is_told_to_wait(people: People, app: Flask) -> None:
    people.person("clerk", "clerk")
    browser = people.browser()
    for _ in range(10):
        assert signs_in(browser, password="wrong").status_code == 401
    answer = signs_in(browser)
    page = page_of(answer, 429)
    assert "Too many tries" in page.text
    assert answer.headers["Retry-After"] == "60"
    assert browser.get("/login").status_code == 200
