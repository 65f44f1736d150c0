"""Saved cards in the wallet: listed for their person, removed with one press, nobody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

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


@pytest.fixture
def mai(app: Flask, people: People) -> Iterator[FlaskClient]:
    with served(app) as url:
        object.__setattr__(people.house.settings, "public_url", url)
        yield people.signed_in(people.owner)


def forget_the_list(people: People) -> None:
    """A page may show a list that is a minute old; the minute is over."""
    assert people.owner.user is not None
    holder = people.in_app(find_holder, "payable", people.owner.user.id)
    assert holder is not None
    people.in_app(lambda: in_transaction(lambda: changed(holder)))


def keep(people: People, ipg: PayableWorld, mai: FlaskClient) -> str:
    """Tops up by card and has it kept; its token."""
    top_up = {"currency": "LKR", "provider": "payable", "amount": "1000"}
    deposit = submit(mai, "/wallet/top-up", **top_up).headers["Location"]
    kept = submit(mai, f"{deposit}/pay", provider="payable", save_card="1", again="1")
    assert kept.status_code == 303
    reference = attempt_of(people, deposit.rsplit("/", 1)[1]).reference
    ipg.decide("pay", reference)
    ipg.settled(reference)
    forget_the_list(people)
    (button,) = buttons(page_of(mai.get("/wallet")))
    return button


def buttons(page: Page) -> list[str]:
    return [one["value"] for one in page.all("button", name="token_id", form="forget-card")]


def test_a_card_is_listed_without_its_number_and_removed_with_one_press(
    people: People, ipg: PayableWorld, mai: FlaskClient
) -> None:
    token = keep(people, ipg, mai)
    page = page_of(mai.get("/wallet"))
    assert "Visa ending in 1111" in page.text
    assert "411111" not in page.text
    assert page.id("forget-card")["action"] == "/wallet/cards/remove"
    for _ in range(2):
        answer = submit(mai, "/wallet/cards/remove", token_id=token)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/wallet")
    assert buttons(page_of(mai.get("/wallet"))) == []


def test_a_card_is_named_and_every_page_calls_it_so(
    people: People, ipg: PayableWorld, mai: FlaskClient
) -> None:
    token = keep(people, ipg, mai)
    (link,) = page_of(mai.get("/wallet")).all("a", **{"aria-label": "Name: Visa ending in 1111"})
    form = page_of(mai.get(link["href"]))
    assert form.id("name-card-nickname")["value"] == ""
    fields = {"token_id": token, "once": form.all("input", name="once")[0]["value"]}
    wrong = page_of(submit(mai, "/wallet/cards/name", nickname="4111111111111111", **fields), 422)
    assert "Do not type the card's number" in wrong.text
    answer = submit(mai, "/wallet/cards/name", nickname="For the shop", **fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/wallet#cards")
    assert "For the shop ending in 1111" in page_of(mai.get("/wallet")).text
    assert people.owner.user is not None
    order = people.order(235_000, "LKR", customer_id=people.owner.user.id)
    assert "For the shop ending in 1111" in page_of(mai.get(f"/checkout/{order.id}")).text
    assert page_of(mai.get(link["href"])).id("name-card-nickname")["value"]


def test_nobody_names_what_is_not_theirs(
    people: People, ipg: PayableWorld, mai: FlaskClient
) -> None:
    token = keep(people, ipg, mai)
    an = people.signed_in(people.stranger)
    assert not page_of(an.get(f"/wallet?do=name-card&token_id={token}")).has("name-card")
    assert submit(an, "/wallet/cards/name", token_id=token, nickname="Mine").status_code == 422
    assert (
        submit(people.browser(), "/wallet/cards/name", token_id=token, nickname="x").status_code
        == 401
    )
    forget_the_list(people)
    assert "Visa ending in 1111" in page_of(mai.get("/wallet")).text


def test_another_persons_card_is_neither_listed_nor_removed(
    people: People, ipg: PayableWorld, mai: FlaskClient
) -> None:
    token = keep(people, ipg, mai)
    an = people.signed_in(people.stranger)
    assert buttons(page_of(an.get("/wallet"))) == []
    submit(an, "/wallet/cards/remove", token_id=token)
    forget_the_list(people)
    assert buttons(page_of(mai.get("/wallet"))) == [token]


def test_a_payable_that_is_away_keeps_the_card_and_says_so(
    people: People, ipg: PayableWorld, mai: FlaskClient
) -> None:
    token = keep(people, ipg, mai)
    payable = people.house.settings.rails.payable
    object.__setattr__(payable, "api_url", "http://127.0.0.1:9")
    page = page_of(submit(mai, "/wallet/cards/remove", token_id=token), 422)
    assert "cannot be reached now" in page.text


def test_nobody_removes_nothing(people: People) -> None:
    assert submit(people.browser(), "/wallet/cards/remove", token_id="x").status_code == 401
