"""What is true of every page: its headers, nothing inline, nothing from elsewhere, a way out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from payments.domain.order import Order
from payments.services import checkout, expire
from tests.outside import (
    ON_SQLITE,
    ORDER,
    SCRIPT,
    SQL,
    Caller,
    Page,
    attempt_of,
    begin,
    count,
    done,
    momo_calls,
    page_of,
    seen,
    submit,
)
from tests.people import People
from tests.sandbox.world import World

pytestmark = ON_SQLITE

CSP = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo", "CONFIRM_LIMIT": "VND:100000"}


@pytest.fixture
def shown(people: People) -> dict[str, Order]:
    """An order in each state that a page can show, with everything hostile that can be typed."""
    hostile = {"description": SCRIPT + SQL, "return_url": "https://shop.test/?a='\"><b>"}
    names = ("pending", "waiting", "failed", "partly", "paid", "cancelled", "held")
    orders = {name: people.order(200_000, **hostile) for name in names}
    begin(people, orders["waiting"].id)
    begin(people, orders["failed"].id)
    momo_calls(people.app, attempt_of(people, orders["failed"].id), resultCode=1006)
    seen(people, orders["partly"].id, 50_000, SQL, reason=SCRIPT)
    begin(people, orders["paid"].id)
    momo_calls(people.app, attempt_of(people, orders["paid"].id))
    people.in_app(checkout.cancel, people.shop, orders["cancelled"].id, SCRIPT)
    momo_calls(people.app, attempt_of(people, orders["waiting"].id), amount=7, message=SCRIPT)
    seen(people, orders["held"].id, 200_000, SCRIPT, reason=SCRIPT)
    late = people.order(200_000, **hostile)
    people.in_app(expire._expire, late.id, late.expires_at)
    return {**orders, "expired": late}


def pages(people: People, shown: dict[str, Order]) -> Iterator[tuple[str, Page]]:
    manager = people.signed_in(people.manager)
    for name, order in shown.items():
        payer = people.browser(order)
        for path in ("", "/fragment", "?claim=1", "?returned=1"):
            yield f"{name}{path}", page_of(payer.get(f"/checkout/{order.id}{path}"))
        for path in ("", "/fragment", "/show"):
            yield f"{name} staff{path}", page_of(manager.get(f"/staff/orders/{order.id}{path}"))
    for path in ("", "new", "orders", "parked", "callbacks/1", f"?q={shown['paid'].id}"):
        yield f"staff {path}", page_of(manager.get(f"/staff/{path}"))
    for path in ("/login?next=/staff/", "/api/docs"):
        yield path, page_of(people.browser().get(path))
    yield "404", page_of(manager.get("/nothing"), 404)


def test_no_page_runs_or_loads_what_was_typed(people: People, shown: dict[str, Order]) -> None:
    for name, page in pages(people, shown):
        assert list(page.inline()) == [], name
        assert page.all("img", src="x") == [], name
        for one in page.elements:
            for attribute in ("src", "href", "action", "data", "poster", "srcset"):
                address = urlsplit(one.get(attribute) or "")
                loads = one.name not in {"a", "form"}
                if loads or one.name == "form":
                    assert not address.netloc, (name, one)
                assert address.scheme in {"", "http", "https", "momo", "tel", "data"}, (name, one)


def test_what_was_typed_is_shown_as_text(people: People, shown: dict[str, Order]) -> None:
    for name, page in pages(people, shown):
        if name.startswith(tuple(shown)) and "fragment" not in name:
            assert SCRIPT in page.text or SCRIPT in page.text.replace("  ", " "), name
    assert count(people, "orders") == len(shown)


def test_every_page_says_what_may_run_on_it(people: People, shown: dict[str, Order]) -> None:
    manager, payer = people.signed_in(people.manager), people.browser(shown["waiting"])
    order = shown["waiting"].id
    answers = [
        *(payer.get(path) for path in (f"/checkout/{order}", f"/checkout/{order}/fragment")),
        *(payer.get(path) for path in ("/login", "/", "/nothing", "/api/docs", "/healthz")),
        *(manager.get(path) for path in ("/staff/", f"/staff/orders/{order}", "/staff/parked")),
        payer.post("/login"),
        payer.put("/login"),
        payer.get(f"/checkout/{order}/{attempt_of(people, order).reference}.svg"),
    ]
    for answer in answers:
        told = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["Content-Security-Policy"].split(";")
        )
        assert CSP.items() <= told.items(), answer.request.path
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Strict-Transport-Security" not in answer.headers
        answer.close()


def test_pages_of_a_person_are_kept_by_nobody(people: People, shown: dict[str, Order]) -> None:
    payer = people.browser(shown["paid"])
    for path in ("", "/fragment"):
        answer = payer.get(f"/checkout/{shown['paid'].id}{path}")
        assert answer.headers["Cache-Control"] == "no-store"


def test_whoever_is_signed_in_can_leave_from_every_page(
    people: People, shown: dict[str, Order]
) -> None:
    owner = people.signed_in(people.manager)
    for path, status in (
        *((path, 200) for path in ("/staff/", "/staff/new", "/staff/parked", "/login")),
        *((path, 200) for path in ("/api/docs", f"/checkout/{shown['paid'].id}")),
        *((path, 404) for path in ("/nothing", "/checkout/none", "/staff/orders/none")),
    ):
        page = page_of(owner.get(path), status)
        assert "/logout" in page.actions(), path
    assert "/logout" not in page_of(people.browser().get("/login")).actions()


def test_every_form_carries_a_token(people: People, shown: dict[str, Order]) -> None:
    for name, page in pages(people, shown):
        for form in page.all("form"):
            if (form.get("method") or "get").lower() == "post":
                tokens = [one["value"] for one in form.fields if one.get("name") == "csrf_token"]
                assert len(tokens) == 1, (name, form)
                assert tokens[0]


def test_the_element_that_flips_says_all_of_it(people: People, shown: dict[str, Order]) -> None:
    words = {
        **{name: name for name in ("pending", "failed", "paid", "expired", "cancelled")},
        **{"waiting": "pending", "held": "pending", "partly": "partially_paid"},
    }
    for name, order in shown.items():
        for path in ("", "/fragment"):
            page = page_of(people.browser(order).get(f"/checkout/{order.id}{path}"))
            element = page.id("payment")
            assert element["data-order-id"] == order.id
            assert element["data-status"] == words[name]
            assert int(element["data-version"]) >= 1
            assert element["data-connection"] == "connecting"
            assert element["aria-live"] == "polite"


def test_a_waiting_page_looks_again_by_itself_without_scripts(
    people: People, shown: dict[str, Order]
) -> None:
    for name in ("pending", "waiting", "failed", "partly", "expired", "cancelled"):
        page = page_of(people.browser(shown[name]).get(f"/checkout/{shown[name].id}"))
        (again,) = [one for one in page.all("meta") if one.get("http-equiv") == "refresh"]
        assert "noscript" in again.inside
        assert int(again["content"].split(";")[0]) <= 10, name
    paid = page_of(people.browser(shown["paid"]).get(f"/checkout/{shown['paid'].id}"))
    assert [one for one in paid.all("meta") if one.get("http-equiv")] == []


def forms(people: People, shown: dict[str, Order]) -> list[tuple[FlaskClient, str, dict[str, str]]]:
    order = shown["pending"].id
    manager, payer = people.signed_in(people.manager), people.browser(shown["pending"])
    seen_it = {"amount": "1000", "reason": "I saw it", "evidence": "receipt of the form"}
    return [
        (payer, f"/checkout/{order}/pay", {"provider": "momo"}),
        (payer, f"/checkout/{order}/claim", {"reference": "receipt 1"}),
        (manager, f"/staff/orders/{order}/confirm", seen_it),
        (manager, f"/staff/orders/{order}/cancel", {"reason": "Sold out"}),
        (manager, f"/staff/orders/{shown['paid'].id}/refund", {"reason": "Broken"}),
        (manager, "/staff/new", {"amount": "1000", "currency": "VND", "description": "Tea"}),
        (manager, "/logout", {}),
        (people.browser(), "/login", {"email": "manager@people.test", "password": "x"}),
    ]


@pytest.mark.parametrize("token", [None, "", "x", "another browser's"])
def test_a_form_without_its_token_changes_nothing(
    people: People, shown: dict[str, Order], token: str | None
) -> None:
    if token == "another browser's":
        page = page_of(people.browser().get("/login"))
        token = page.all("input", name="csrf_token")[0]["value"]
    made = forms(people, shown)
    tables = ("orders", "payments", "postings", "outbox", "audit", "refunds")
    before = {name: count(people, name) for name in tables}
    for browser, path, fields in made:
        answer = browser.post(
            path, data=fields if token is None else {**fields, "csrf_token": token}
        )
        page = page_of(answer, 400)
        assert page.all("html"), path
    assert {name: count(people, name) for name in tables} == before
    assert made[2][0].get("/staff/").status_code == 200, "still signed in"


def test_the_same_forms_with_their_token_do_what_they_say(
    people: People, shown: dict[str, Order]
) -> None:
    """The premise of the test above: nothing but the token was wrong with them."""
    for browser, path, fields in forms(people, shown):
        if path != "/login" and "claim" not in path:
            assert submit(browser, path, **fields).status_code == 303, path


class TestBehindATlsProxy:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"PUBLIC_URL": "https://pay.shop.test", "TRUSTED_PROXIES": "1"}

    def test_every_cookie_is_for_https_alone(self, app: Flask, people: People) -> None:
        order, browser = people.order(), app.test_client()
        link = people.house.tokens.link(order.id)
        proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "pay.shop.test"}
        answers = [
            browser.get(f"/checkout/{order.id}?access={link}", headers=proxied),
            browser.get("/login?lang=vi", headers=proxied),
        ]
        cookies = [one for answer in answers for one in answer.headers.getlist("Set-Cookie")]
        assert len(cookies) == 3
        for cookie in cookies:
            parts = {part.strip() for part in cookie.split(";")}
            assert {"Secure", "HttpOnly", "SameSite=Lax"} <= parts, cookie
        for answer in answers:
            assert answer.headers["Strict-Transport-Security"].startswith("max-age=")

    def test_the_link_leads_to_the_public_address(self, app: Flask, people: People) -> None:
        told = done(Caller(app, people.key()).post("/orders", ORDER), 201)
        assert told["checkout_url"].startswith(f"https://pay.shop.test/checkout/{told['id']}?")


def test_a_page_may_open_sockets_to_us_alone(client: FlaskClient) -> None:
    told = client.get("/login").headers["Content-Security-Policy"]
    assert "connect-src 'self' ws://localhost;" in told


@pytest.mark.parametrize("host", ["evil.test; script-src *", "evil.test 'unsafe-inline'"])
def test_a_strangers_host_name_is_not_believed_in_a_header(client: FlaskClient, host: str) -> None:
    told = client.get("/login", headers={"Host": host}).headers["Content-Security-Policy"]
    assert "evil" not in told
    assert "unsafe" not in told
