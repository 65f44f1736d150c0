"""Saved cards on the checkout: shown to their person, tapped, removed; nothing to others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from payments.domain.order import Order
from payments.services.access import Identity
from payments.store.cards import changed
from payments.store.cards import find as find_holder
from payments.store.db import in_transaction
from tests.outside import ON_SQLITE, Page, attempt_of, page_of, submit
from tests.people import People
from tests.sandbox.payable_world import ENVIRONMENT, PayableWorld, payable_world
from tests.sandbox.world import served

pytestmark = ON_SQLITE


@pytest.fixture
def ipg() -> Iterator[PayableWorld]:
    with payable_world() as one:
        yield one


@pytest.fixture
def environment(ipg: PayableWorld) -> dict[str, str]:
    return {**ENVIRONMENT, "PAYABLE_API_URL": f"{ipg.url}/payable"}


@pytest.fixture(autouse=True)
def reachable(app: Flask, people: People) -> Iterator[None]:
    with served(app) as url:
        object.__setattr__(people.house.settings, "public_url", url)
        yield


def order_of(people: People, who: Identity) -> Order:
    assert who.user is not None
    return people.order(235_000, "LKR", customer_id=who.user.id)


def checkout(browser: FlaskClient, order: Order) -> Page:
    return page_of(browser.get(f"/checkout/{order.id}"))


@pytest.fixture
def mai(people: People) -> FlaskClient:
    return people.signed_in(people.owner)


def keep(people: People, ipg: PayableWorld, browser: FlaskClient) -> str:
    """Ticks the box, pays on the hosted page; the token."""
    order = order_of(people, people.owner)
    fields = {"provider": "payable", "save_card": "1"}
    assert submit(browser, f"/checkout/{order.id}/pay", **fields).status_code == 303
    reference = attempt_of(people, order.id).reference
    ipg.decide("pay", reference)
    ipg.settled(reference)
    assert people.owner.user is not None
    holder = people.in_app(find_holder, "payable", people.owner.user.id)
    assert holder is not None
    people.in_app(lambda: in_transaction(lambda: changed(holder)))
    card = checkout(browser, order_of(people, people.owner)).all("button", name="token_id")
    return card[0]["value"]


def test_a_signed_in_person_may_tick_and_a_mere_browser_may_not(
    people: People, mai: FlaskClient
) -> None:
    order = order_of(people, people.owner)
    assert checkout(mai, order).has("save-payable")
    assert not checkout(people.browser(order), order).has("save-payable")
    assert not checkout(people.signed_in(people.clerk), order).has("save-payable")


def test_one_tap_pays_and_the_page_says_that_it_waits(
    people: People, ipg: PayableWorld, mai: FlaskClient
) -> None:
    token = keep(people, ipg, mai)
    order = order_of(people, people.owner)
    page = checkout(mai, order)
    assert "Visa ending in 1111" in page.text
    assert "411111" not in page.text
    ipg.post(f"/cards/{token}/next", {"late": 5})
    answer = submit(mai, f"/checkout/{order.id}/pay", provider="payable", token_id=token)
    assert answer.headers["Location"] == f"/checkout/{order.id}?returned=1"
    waiting = page_of(mai.get(answer.headers["Location"]))
    assert "Confirming your payment" in waiting.text
    assert not waiting.all("button", name="token_id"), "nothing to tap while one is charged"
    second = submit(mai, f"/checkout/{order.id}/pay", provider="payable", token_id=token)
    assert second.status_code == 303
    assert ipg.get("/?still=1").text.count("Paid with a kept card") == 1


def test_a_card_is_removed_with_one_press(
    people: People, ipg: PayableWorld, mai: FlaskClient
) -> None:
    token = keep(people, ipg, mai)
    order = order_of(people, people.owner)
    for _ in range(2):
        answer = submit(mai, f"/checkout/{order.id}/cards/remove", token_id=token)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"/checkout/{order.id}")
    assert not checkout(mai, order).all("button", name="token_id")
    gone = submit(mai, f"/checkout/{order.id}/pay", provider="payable", token_id=token)
    assert "This card is not kept any more." in page_of(gone, 422).text


def test_another_persons_card_is_neither_shown_nor_charged_nor_removed(
    people: People, ipg: PayableWorld, mai: FlaskClient
) -> None:
    token = keep(people, ipg, mai)
    an = people.signed_in(people.stranger)
    order = order_of(people, people.stranger)
    assert not checkout(an, order).all("button", name="token_id")
    fields = {"provider": "payable", "token_id": token}
    assert submit(an, f"/checkout/{order.id}/pay", **fields).status_code == 422
    submit(an, f"/checkout/{order.id}/cards/remove", token_id=token)
    assert checkout(mai, order_of(people, people.owner)).all("button", name="token_id")
    hers = order_of(people, people.owner)
    assert an.post(f"/checkout/{hers.id}/cards/remove").status_code in {400, 404}


def test_a_tick_beside_a_way_that_keeps_none_means_nothing(
    people: People, mai: FlaskClient
) -> None:
    assert people.owner.user is not None
    order = people.order(50_000, "VND", customer_id=people.owner.user.id)
    answer = submit(mai, f"/checkout/{order.id}/pay", provider="momo", save_card="1")
    assert "Sign in" not in answer.get_data(as_text=True)


def test_a_payable_that_is_away_costs_the_page_its_list_and_nothing_else(
    people: People, ipg: PayableWorld, mai: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = keep(people, ipg, mai)
    assert people.owner.user is not None
    holder = people.in_app(find_holder, "payable", people.owner.user.id)
    assert holder is not None
    people.in_app(lambda: in_transaction(lambda: changed(holder)))
    payable = people.house.settings.rails.payable
    object.__setattr__(payable, "api_url", "http://127.0.0.1:9")
    order = order_of(people, people.owner)
    page = checkout(mai, order)
    assert page.has("way-payable")
    assert not page.all("button", name="token_id")
    refused = submit(mai, f"/checkout/{order.id}/pay", provider="payable", token_id=token)
    assert "cannot be reached now" in page_of(refused, 422).text
