"""Who finds the two test pages, and what stands on them."""

from __future__ import annotations

import json

import pytest

from payments.dialects import DIALECTS
from payments.domain.facts import live_topic
from payments.store import outbox
from tests.outside import ON_SQLITE, SCRIPT, page_of, submit
from tests.people import People

pytestmark = ON_SQLITE

PAGES = ("/websocket-test.html", "/payment-test")


class TestOutsideOfTheSandbox:
    @pytest.mark.parametrize("path", PAGES)
    def test_staff_find_it(self, people: People, path: str) -> None:
        page = page_of(people.signed_in(people.clerk).get(path))
        assert page.has("trial")
        assert page.has("test") is (path == "/websocket-test.html")
        assert not page.has("simulate"), "no money is pretended where it is real"
        assert page.all("button", data_simulate="SUCCESSFUL") == []

    @pytest.mark.parametrize("path", PAGES)
    def test_nobody_is_asked_to_sign_in(self, people: People, path: str) -> None:
        answer = people.browser().get(path)
        assert answer.status_code == 302
        assert answer.location == f"/login?next={path}"

    @pytest.mark.parametrize("path", PAGES)
    def test_a_customer_finds_nothing(self, people: People, path: str) -> None:
        page_of(people.signed_in(people.owner).get(path), 404)

    @pytest.mark.parametrize("path", PAGES)
    def test_it_takes_no_writing(self, people: People, path: str) -> None:
        assert people.signed_in(people.manager).put(path).status_code == 405

    def test_staff_ask_whether_anybody_hears(self, people: People) -> None:
        order, clerk = people.order(), people.signed_in(people.clerk)
        page = page_of(clerk.get("/websocket-test.html"))
        assert page.id("test")["method"] == "post"
        assert submit(clerk, "/websocket-test.html", order=order.id).status_code == 204
        told = people.in_app(outbox.of_topic, live_topic(order.id), 0)
        assert [fact.event for fact in told] == ["live.test"]
        page_of(submit(clerk, "/websocket-test.html", order="none"), 404)

    def test_nobody_else_does(self, people: People) -> None:
        order = people.order()
        for browser in (people.browser(order), people.signed_in(people.owner)):
            page_of(submit(browser, "/websocket-test.html", order=order.id), 404)
        assert people.in_app(outbox.of_topic, live_topic(order.id), 0) == []


class TestInTheSandbox:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"SANDBOX": "1"}

    @pytest.mark.parametrize("path", PAGES)
    def test_everybody_finds_it(self, people: People, path: str) -> None:
        for browser in (people.browser(), people.signed_in(people.owner)):
            page = page_of(browser.get(path))
            assert page.has("trial")
            assert list(page.inline()) == []
            assert not page.has("test")

    @pytest.mark.parametrize("path", PAGES)
    def test_every_field_has_its_label(self, people: People, path: str) -> None:
        page = page_of(people.browser().get(path))
        labelled = {one["for"] for one in page.all("label")}
        fields = [*page.all("input"), *page.all("select")]
        assert len(fields) >= 4
        assert {one["id"] for one in fields if one.get("type") != "hidden"} <= labelled

    def test_every_vocabulary_can_be_spoken(self, people: People) -> None:
        page = page_of(people.browser().get("/websocket-test.html"))
        options = [one for one in page.all("option") if one.get("data-namespace")]
        spoken = {one.text: (one["data-join"], one["data-namespace"]) for one in options}
        assert spoken == {one.name: (" ".join(one.subscribe), one.namespace) for one in DIALECTS}

    def test_what_stands_in_the_address_is_shown_as_text(self, people: People) -> None:
        page = page_of(people.browser().get("/payment-test", query_string={"order": SCRIPT}))
        assert list(page.inline()) == []
        assert page.id("field-order")["value"] == SCRIPT[:64]

    def test_the_words_of_the_script_are_in_the_readers_language(self, people: People) -> None:
        for path in PAGES:
            english, french = (
                json.loads(
                    page_of(people.browser().get(f"{path}?lang={code}")).id("trial")["data-words"]
                )
                for code in ("en", "fr")
            )
            assert set(english) == set(french)
            assert all(english.values())
