"""Who stands before the staff's pages: nobody is sent to sign in, a customer finds nothing."""

from __future__ import annotations

import pytest

from payments.domain.order import Order
from payments.services.access import Identity
from payments.store import confirmations, orders
from tests.outside import ON_SQLITE, count, csrf, done, everything, page_of, seen, submit
from tests.people import People

pytestmark = ON_SQLITE

PAGES = (
    *("/staff/", "/staff/orders", "/staff/new", "/staff/parked", "/staff/callbacks/1"),
    *("/staff/orders/{id}", "/staff/orders/{id}/fragment", "/staff/orders/{id}/show"),
)

DEEDS: dict[str, dict[str, str]] = {
    "/staff/new": {"amount": "1000", "currency": "VND", "description": "Tea"},
    "/staff/orders/{id}/confirm": {"amount": "1", "reason": "I saw it", "evidence": "receipt 9"},
    "/staff/orders/{id}/cancel": {"reason": "Sold out"},
    "/staff/orders/{id}/refund": {"amount": "1", "reason": "It was broken"},
    "/staff/confirmations/{held}/approve": {},
    "/staff/confirmations/{held}/decline": {"reason": "No such transfer"},
}

LACK = {
    "clerk": {
        *("/staff/orders/{id}/refund", "/staff/confirmations/{held}/approve"),
        "/staff/confirmations/{held}/decline",
    },
    "accountant": set(DEEDS),
    "manager": set[str](),
    "admin": set[str](),
}
"""What each may not do."""


@pytest.fixture
def environment() -> dict[str, str]:
    return {"CONFIRM_LIMIT": "VND:50000"}


@pytest.fixture
def order(people: People) -> Order:
    """Partly paid, with a confirmation that waits: every form is on its page."""
    made = people.order(200_000)
    seen(people, made.id, 10_000, "receipt 1", who=people.person("other", "clerk"))
    seen(people, made.id, 50_001, "receipt 2", who=people.person("other", "clerk"))
    found = people.in_app(orders.find, made.id)
    assert found is not None
    return found


def held_of(people: People) -> str:
    (one,) = people.in_app(confirmations.held)
    return one.id


def test_nobody_is_sent_to_sign_in(people: People, order: Order) -> None:
    for browser in (people.browser(), people.browser(order)):
        for page in PAGES:
            path = page.format(id=order.id)
            for method in ("GET", "HEAD"):
                answer = browser.open(path, method=method)
                assert answer.status_code == 302, (method, path)
                assert answer.headers["Location"].startswith("/login?next=/staff")


def test_nobody_and_a_customer_find_nothing_to_press(people: People, order: Order) -> None:
    held = held_of(people)
    visitors = [people.browser(), people.browser(order), people.signed_in(people.owner)]
    before = everything(people)
    for browser in visitors:
        for deed, fields in DEEDS.items():
            answer = submit(browser, deed.format(id=order.id, held=held), **fields)
            assert answer.status_code == 404, deed
    assert everything(people) == before


def test_a_customer_finds_no_page_of_staff(people: People, order: Order) -> None:
    customer = people.signed_in(people.owner)
    for page in (*PAGES, "/staff/nothing"):
        assert customer.get(page.format(id=order.id)).status_code == 404, page


def test_a_key_is_no_person_and_has_no_desk(people: People, order: Order) -> None:
    answer = people.browser().get("/staff/", headers=people.key())
    assert answer.status_code == 302


def desk(people: People, role: str) -> Identity:
    return people.person(role, role)


@pytest.mark.parametrize("role", LACK)
def test_whoever_lacks_a_right_does_not_see_the_button_and_is_refused(
    people: People, order: Order, role: str
) -> None:
    browser, held = people.signed_in(desk(people, role)), held_of(people)
    offered = page_of(browser.get(f"/staff/orders/{order.id}")).actions()
    today = page_of(browser.get("/staff/"))
    links = {one.get("href") for one in today.all("a")}
    assert ("/staff/new" in links) is ("/staff/new" not in LACK[role])
    for deed, fields in DEEDS.items():
        path = deed.format(id=order.id, held=held)
        if deed != "/staff/new":
            assert (path in offered) is (deed not in LACK[role]), deed
        if deed in LACK[role]:
            before = everything(people)
            page_of(submit(browser, path, **fields), 403)
            assert everything(people) == before
    if "/staff/new" in LACK[role]:
        assert browser.get("/staff/new").status_code == 403


def test_all_staff_may_look(people: People, order: Order) -> None:
    for role in LACK:
        browser = people.signed_in(desk(people, role))
        for page in PAGES:
            allowed = {200, 404} if "callbacks" in page else {200}
            allowed |= {403} if page == "/staff/new" and role == "accountant" else set()
            assert browser.get(page.format(id=order.id)).status_code in allowed, (role, page)


def test_whoever_asked_does_not_see_the_button_to_approve(people: People, order: Order) -> None:
    manager = people.manager
    other = people.order(200_000)
    seen(people, other.id, 50_001, "receipt 3", who=manager)
    browser = people.signed_in(manager)
    page = page_of(browser.get(f"/staff/orders/{other.id}"))
    assert not any("approve" in action for action in page.actions())
    assert "another person has to approve it" in page.text
    assert any("approve" in one for one in page_of(browser.get("/staff/")).actions())


def test_a_double_click_on_every_button_has_one_effect(people: People, order: Order) -> None:
    """One after the other here; at the same moment in the tests of the services."""
    browser, held = people.signed_in(people.manager), held_of(people)
    token = csrf(browser)
    page = page_of(browser.get(f"/staff/orders/{order.id}"))
    before = everything(people)
    effects = {
        f"/staff/orders/{order.id}/confirm": {"confirmations": 1, "postings": 1},
        f"/staff/orders/{order.id}/refund": {"refunds": 1, "postings": 1},
        f"/staff/confirmations/{held}/approve": {"confirmations": 0, "postings": 1},
    }
    shown = {one["action"]: one.fields for one in page.all("form") if one.get("action")}
    for deed, fields in DEEDS.items():
        path = deed.format(id=order.id, held=held)
        if path in effects:
            hidden = {
                one["name"]: one["value"]
                for one in shown[path]
                if one.get("type") == "hidden" and one.get("name") != "csrf_token"
            }
            for _ in range(5):
                answer = browser.post(path, data={"csrf_token": token, **hidden, **fields})
                assert answer.status_code in {303, 409}, path
    after = everything(people)
    for table in ("confirmations", "postings", "refunds"):
        expected = sum(one.get(table, 0) for one in effects.values())
        assert after[table] - before[table] == expected, table


def test_what_staff_do_by_call_needs_our_origin(people: People, order: Order) -> None:
    browser = people.signed_in(people.clerk)
    for origin, status in (("http://localhost", 200), ("https://evil.test", 403)):
        answer = browser.post(
            f"/api/v1/orders/{people.order().id}/cancel",
            json={"reason": "Sold out"},
            headers={"Origin": origin},
        )
        assert answer.status_code == status
        if status == 200:
            done(answer)
    assert count(people, "orders") == 3
