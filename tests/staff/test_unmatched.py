"""The page of money without a home: all staff see it, those who may deal with it, no script."""

from __future__ import annotations

import pytest
from werkzeug.test import TestResponse

from payments.domain.order import Order
from payments.services import unmatched
from payments.services.access import Identity
from payments.store import bank_lines, ledger, orders
from payments.store.bank_lines import BankLine
from tests.feeds import SETTINGS, Transfer, pay2s
from tests.outside import ON_SQLITE, SCRIPT, SQL, Page, everything, page_of, submit
from tests.people import People

pytestmark = ON_SQLITE

PRICE = 50_000
WHY = "She named it on the phone"


@pytest.fixture
def environment() -> dict[str, str]:
    return {**SETTINGS}


@pytest.fixture
def order(people: People) -> Order:
    return people.order(PRICE, customer_name="Nguyen Thi Dao")


@pytest.fixture
def line(people: People, order: Order) -> BankLine:
    return came(people, "NGUYEN THI DAO chuyen tien")


def came(people: People, text: str, amount: int = PRICE, id: int = 1) -> BankLine:
    pay2s(Transfer(text, amount, id, f"FT2630511223{id}")).to(people.app)
    (found,) = [one for one in people.in_app(bank_lines.waiting) if one.event_id == str(id)]
    return found


def status(people: People, order: Order) -> str:
    found = people.in_app(orders.find, order.id)
    assert found is not None
    return found.status.value


def press(people: People, who: Identity, line: BankLine, deed: str, **fields: str) -> TestResponse:
    return submit(people.signed_in(who), f"/staff/unmatched/{line.id}/{deed}", **fields)


def test_today_says_that_money_waits_and_leads_to_it(
    people: People, order: Order, line: BankLine
) -> None:
    clerk = people.signed_in(people.clerk)
    for path in ("/staff/", "/staff/orders"):
        page = page_of(clerk.get(path))
        assert "1 transfer fits no order" in page.text
        assert "/staff/unmatched" in {one.get("href") for one in page.all("a")}
    people.in_app(unmatched.assign, people.clerk, line.id, order.id, WHY)
    assert "transfer fits no order" not in page_of(clerk.get("/staff/")).text


def test_each_line_says_what_came_why_it_waits_and_whose_it_may_be(
    people: People, order: Order, line: BankLine
) -> None:
    other = came(people, "no memo", 7_000, 2)
    page = page_of(people.signed_in(people.clerk).get("/staff/unmatched"))
    cards = [one["id"] for one in page.all("li") if (one.get("id") or "").startswith("line-")]
    assert cards == [f"line-{line.id}", f"line-{other.id}"], "the oldest is first"
    said = page.id(f"line-{line.id}").text
    for words in (
        *("₫50,000", "NGUYEN THI DAO chuyen tien", "FT26305112231", "Pay2S", "No such order"),
        *(order.id, "the same amount", "the customer's name", "made less than an hour before"),
    ):
        assert words in said, words
    assert list(page.inline()) == []


def test_the_clerk_gives_it_to_the_order_that_she_chose(
    people: People, order: Order, line: BankLine
) -> None:
    answer = press(people, people.clerk, line, "assign", order_id=order.id, reason=WHY)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/staff/orders/{order.id}")
    assert status(people, order) == "paid"
    page = page_of(people.signed_in(people.clerk).get(f"/staff/orders/{order.id}"))
    (timeline,) = page.all("ol", **{"class": "timeline"})
    assert "Unmatched money assigned: " in timeline.text
    assert WHY in timeline.text
    page = page_of(people.signed_in(people.clerk).get("/staff/unmatched"))
    assert "all money has found its order" in page.text


def test_another_order_than_those_shown_may_be_named(
    people: People, order: Order, line: BankLine
) -> None:
    named = people.order(9_000)
    fields = {"order_id": order.id, "other": f"  {named.id} ", "reason": WHY}
    assert press(people, people.clerk, line, "assign", **fields).status_code == 303
    assert (status(people, named), status(people, order)) == ("paid", "pending")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": ""}, "Say why"),
        ({"other": "nothing-of-ours"}, "No such order"),
        ({"other": "", "order_id": ""}, "No such order"),
        ({"other": SCRIPT}, "No such order"),
        ({"other": SQL}, "No such order"),
        ({"other": "x" * 5_000}, "No such order"),
    ],
)
def test_what_is_wrong_is_said_in_the_form_and_what_was_typed_is_kept(
    people: People, order: Order, line: BankLine, fields: dict[str, str], words: str
) -> None:
    other = came(people, "no memo", 7_000, 2)
    typed = {"order_id": order.id, "reason": WHY, **fields}
    page = page_of(press(people, people.clerk, line, "assign", **typed), 400)
    (refusal,) = [one for one in page.all("p", role="alert") if "main" in one.inside]
    assert words in refusal.text
    form = page.form(f"/staff/unmatched/{line.id}/assign")
    shown = {one["name"]: one.get("value") for one in form.fields if one.get("type") == "text"}
    assert shown == {"other": fields.get("other", ""), "reason": typed["reason"]}
    chosen = [one["value"] for one in form.fields if "checked" in one.attributes]
    assert chosen == ([order.id] if typed["order_id"] else [])
    untouched = page.form(f"/staff/unmatched/{other.id}/assign")
    assert not any("checked" in one.attributes for one in untouched.fields)
    assert status(people, order) == "pending"


def test_a_manager_says_that_it_was_sent_back(people: People, line: BankLine) -> None:
    refused = press(people, people.manager, line, "return", reason="", evidence="receipt x1y")
    page = page_of(refused, 400)
    (around,) = [one for one in page.all("details") if "open" in one.attributes]
    assert "Say why" in around.text
    kept = page.form(f"/staff/unmatched/{line.id}/return").fields
    assert "receipt x1y" in {one.get("value") for one in kept}
    fields = {"reason": "Sent to us by mistake", "evidence": "FT back 1"}
    answer = press(people, people.manager, line, "return", **fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/unmatched")
    assert people.in_app(bank_lines.count_waiting) == 0
    assert {name: n for name, n in people.in_app(ledger.balances).items() if n} == {}


def test_what_another_has_done_already_is_said(
    people: People, order: Order, line: BankLine
) -> None:
    people.in_app(unmatched.assign, people.clerk, line.id, order.id, WHY)
    page = page_of(
        press(people, people.manager, line, "assign", order_id=order.id, reason=WHY), 409
    )
    assert "Somebody has dealt with this already" in page.text
    again = press(people, people.clerk, line, "assign", order_id=order.id, reason=WHY)
    assert again.status_code == 303, "the same person pressed twice"


def test_the_banks_number_finds_the_order_that_it_has_paid(
    people: People, order: Order, line: BankLine
) -> None:
    people.in_app(unmatched.assign, people.clerk, line.id, order.id, WHY)
    people.order(PRICE)
    clerk = people.signed_in(people.clerk)
    for typed in ("FT26305112231", "ft26305112231", " FT26305112231 "):
        page = page_of(clerk.get("/staff/", query_string={"q": typed}))
        found = [row["id"] for row in page.all("tr") if "data-status" in row.attributes]
        assert found == [f"order-{order.id}"], typed


class TestRights:
    def test_nobody_is_sent_to_sign_in_and_a_customer_finds_nothing(
        self, people: People, order: Order, line: BankLine
    ) -> None:
        answer = people.browser().get("/staff/unmatched")
        assert (answer.status_code, answer.headers["Location"]) == (
            *(302, "/login?next=/staff/unmatched"),
        )
        assert people.signed_in(people.owner).get("/staff/unmatched").status_code == 404
        before = everything(people)
        fields = {"order_id": order.id, "reason": WHY, "evidence": "FT back"}
        for browser in (people.browser(), people.browser(order), people.signed_in(people.owner)):
            for deed in ("assign", "return"):
                path = f"/staff/unmatched/{line.id}/{deed}"
                assert submit(browser, path, **fields).status_code == 404
        assert everything(people) == before

    @pytest.mark.parametrize(
        ("role", "may"),
        [
            ("clerk", {"assign"}),
            ("manager", {"assign", "return"}),
            ("admin", {"assign", "return"}),
            ("accountant", set[str]()),
        ],
    )
    def test_whoever_lacks_a_right_sees_no_button_and_is_refused(
        self, people: People, order: Order, line: BankLine, role: str, may: set[str]
    ) -> None:
        who = people.person(role, role)
        page = page_of(people.signed_in(who).get("/staff/unmatched"))
        shown = {one.rpartition("/")[2] for one in page.actions() if "unmatched" in one}
        assert shown == may
        fields = {"order_id": order.id, "reason": WHY, "evidence": "FT back"}
        for deed in {"assign", "return"} - may:
            before = everything(people)
            page_of(press(people, who, line, deed, **fields), 403)
            assert everything(people) == before

    def test_a_form_without_its_token_is_refused(
        self, people: People, order: Order, line: BankLine
    ) -> None:
        clerk = people.signed_in(people.clerk)
        answer = clerk.post(
            f"/staff/unmatched/{line.id}/assign", data={"order_id": order.id, "reason": WHY}
        )
        assert answer.status_code == 400
        assert status(people, order) == "pending"

    @pytest.mark.parametrize("entry", ["0", "99999", str(2**63 - 1), str(2**63), "-1", "x"])
    def test_a_line_that_is_none_is_not_found(
        self, people: People, order: Order, line: BankLine, entry: str
    ) -> None:
        answer = submit(
            people.signed_in(people.clerk),
            f"/staff/unmatched/{entry}/assign",
            order_id=order.id,
            reason=WHY,
        )
        assert answer.status_code == 404


def test_the_raw_callback_leads_to_the_money_instead_of_away_from_it(
    people: People, order: Order, line: BankLine
) -> None:
    clerk = people.signed_in(people.clerk)
    path = f"/staff/callbacks/{line.id}"
    page = page_of(clerk.get(path))
    assert not any("resolve" in action for action in page.actions())
    assert f"/staff/unmatched#line-{line.id}" in {one.get("href") for one in page.all("a")}
    refused = page_of(submit(clerk, f"{path}/resolve", reason="Nothing to do"), 409)
    assert "This money has come already" in refused.text
    people.in_app(unmatched.assign, people.clerk, line.id, order.id, WHY)
    assert "Its money waits" not in page_of(clerk.get(path)).text


def test_evidence_of_money_that_waits_is_refused_in_the_form_with_the_way_out(
    people: People, order: Order, line: BankLine
) -> None:
    answer = submit(
        people.signed_in(people.clerk),
        f"/staff/orders/{order.id}/confirm",
        amount="50000",
        evidence=line.number or "",
        reason=WHY,
    )
    page = page_of(answer, 409)
    (refusal,) = [one for one in page.all("p", role="alert") if "form" in one.inside]
    assert "assign it under Unmatched money" in refusal.text
    assert status(people, order) == "pending"


def test_everything_that_a_payer_wrote_is_shown_as_text(people: People, order: Order) -> None:
    people.order(PRICE, description=SCRIPT, customer_name=SCRIPT)
    line = came(people, SCRIPT + SQL)
    answer = people.signed_in(people.manager).get("/staff/unmatched")
    assert SCRIPT not in answer.get_data(as_text=True)
    page = Page(answer.get_data(as_text=True))
    assert list(page.inline()) == []
    assert page.id(f"line-{line.id}").text.count("<script>") >= 2


def test_of_many_the_oldest_are_shown_and_the_others_counted(people: People) -> None:
    told = pay2s(*(Transfer(f"strange {n}", n, n) for n in range(1, 26)))
    told.to(people.app)
    page = page_of(people.signed_in(people.clerk).get("/staff/unmatched"))
    assert "20 of 25 are shown" in page.text


@pytest.mark.parametrize("language", ["en", "vi", "fr", "hi", "si"])
def test_it_is_there_in_every_language(
    people: People, order: Order, line: BankLine, language: str
) -> None:
    page = page_of(people.signed_in(people.clerk).get(f"/staff/unmatched?lang={language}"))
    assert page.all("html")[0]["lang"] == language
    assert order.id in page.text
