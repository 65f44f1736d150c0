"""The page of withdrawals: what waits for a person, and what a provider has not ended yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from payments.domain.withdrawals import Withdrawal
from payments.services.access import Identity
from tests.outside import ON_SQLITE, SCRIPT, Page, page_of, submit
from tests.people import People
from tests.purse import BANK, Purse, campay_settings, loses_answers
from tests.sandbox.campay import CampayWorld, opened_campay

pytestmark = ON_SQLITE


@pytest.fixture
def world() -> Iterator[CampayWorld]:
    with opened_campay() as one:
        yield one


@pytest.fixture
def environment(world: CampayWorld) -> dict[str, str]:
    return {**campay_settings(world), "FEES": "withdrawal:*:VND=3300"}


@pytest.fixture
def purse(people: People) -> Purse:
    return Purse(people)


@pytest.fixture
def one(purse: Purse) -> Withdrawal:
    purse.filled(100_000, "VND")
    return purse.withdraw(50_000, BANK, "VND")


def press(people: People, who: Identity, one: Withdrawal, deed: str, **fields: str) -> TestResponse:
    return submit(people.signed_in(who), f"/staff/withdrawals/{one.id}/{deed}", **fields)


def refusal_of(page: Page) -> str:
    """The one that stands in a form."""
    (found,) = [part for part in page.all("p", role="alert") if "form" in part.inside]
    return found.text


def test_today_says_that_one_waits_and_leads_to_it(people: People, one: Withdrawal) -> None:
    clerk = people.signed_in(people.clerk)
    for path in ("/staff/", "/staff/orders"):
        page = page_of(clerk.get(path))
        assert "1 withdrawal has to be sent by hand" in page.text
        assert "/staff/withdrawals" in {link.get("href") for link in page.all("a")}


def test_the_page_says_who_how_much_and_where_to(people: People, one: Withdrawal) -> None:
    page = page_of(people.signed_in(people.accountant).get("/staff/withdrawals"))
    said = page.id(f"withdrawal-{one.id}").text
    for words in ("₫50,000", "₫3,300", *BANK.values(), "owner", one.id):
        assert words in said, words
    assert list(page.inline()) == []
    assert not any(one.id in action for action in page.actions()), "an accountant only looks"


def test_a_manager_has_sent_it(people: People, purse: Purse, one: Withdrawal) -> None:
    answer = press(people, people.manager, one, "settle", evidence="FT 0001")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/withdrawals")
    done = purse.now(one)
    assert (done.status, done.evidence) == ("settled", "FT 0001")
    page = page_of(people.signed_in(people.manager).get("/staff/withdrawals"))
    assert "Nothing waits for you." in page.text
    assert press(people, people.manager, one, "settle", evidence="FT 0001").status_code == 303
    refused = page_of(press(people, people.manager, one, "settle", evidence="FT 0002"), 409)
    assert "This withdrawal has ended." in refused.text
    purse.stands()


def test_a_manager_gives_it_back(people: People, purse: Purse, one: Withdrawal) -> None:
    answer = press(people, people.manager, one, "fail", reason="No such account")
    assert answer.status_code == 303
    assert (purse.now(one).status, purse.balance("VND")) == ("returned", 100_000)


@pytest.mark.parametrize(
    ("deed", "field", "words"),
    [("settle", "evidence", "Evidence takes 3"), ("fail", "reason", "Say why")],
)
@pytest.mark.parametrize("typed", ["", "x", "x" * 5_000])
def test_what_is_wrong_is_said_in_its_form_and_kept(
    people: People, purse: Purse, one: Withdrawal, deed: str, field: str, words: str, typed: str
) -> None:
    page = page_of(press(people, people.manager, one, deed, **{field: typed}), 400)
    assert words in refusal_of(page)
    form = page.form(f"/staff/withdrawals/{one.id}/{deed}")
    (kept,) = [part for part in form.fields if part.get("name") == field]
    assert kept.get("value") == typed
    assert purse.now(one).status == "held"


def test_what_customers_typed_is_text_and_no_page(people: People, purse: Purse) -> None:
    purse.filled(100_000, "VND")
    one = purse.withdraw(50_000, {"account": "0011", "name": "O'Neil, Mai-Anh"}, "VND")
    page = page_of(people.signed_in(people.manager).get("/staff/withdrawals"))
    assert "O'Neil, Mai-Anh" in page.id(f"withdrawal-{one.id}").text
    refused = page_of(press(people, people.manager, one, "fail", reason=SCRIPT * 20), 400)
    assert list(refused.inline()) == []


def test_evidence_of_another_is_said_beside_the_form(
    people: People, purse: Purse, one: Withdrawal
) -> None:
    press(people, people.manager, one, "settle", evidence="FT 0001")
    second = purse.withdraw(20_000, BANK, "VND")
    page = page_of(press(people, people.manager, second, "settle", evidence="FT 0001"), 409)
    assert "has settled another withdrawal" in refusal_of(page)


def test_clerks_and_customers_end_nothing(people: People, purse: Purse, one: Withdrawal) -> None:
    for who, status in ((people.clerk, 403), (people.accountant, 403), (people.owner, 404)):
        assert press(people, who, one, "settle", evidence="FT 0001").status_code == status
        assert press(people, who, one, "fail", reason="Because").status_code == status
    assert purse.now(one).status == "held"


def test_what_a_provider_may_have_sent_is_given_back_only_with_the_tick(
    people: People, purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse.filled(20_000)
    with monkeypatch.context() as lost:
        loses_answers(world, lost)
        one = purse.withdraw(5_000)
    page = page_of(people.signed_in(people.manager).get("/staff/withdrawals"))
    assert "its answer was lost" in page.id(f"withdrawal-{one.id}").text
    page = page_of(press(people, people.manager, one, "fail", reason="Not in its list"), 409)
    assert "Look it up there" in refusal_of(page)
    fields = {"reason": "Not in its list", "not_sent": "1"}
    assert press(people, people.manager, one, "fail", **fields).status_code == 303
    assert purse.balance() == 20_000


def test_nobody_ends_their_own(people: People, purse: Purse) -> None:
    purse.filled(100_000, "VND", who=people.manager)
    own = purse.withdraw(50_000, BANK, "VND", who=people.manager)
    page = page_of(people.signed_in(people.manager).get("/staff/withdrawals"))
    assert "another person has to end it" in page.text
    assert press(people, people.manager, own, "settle", evidence="FT 0001").status_code == 403
