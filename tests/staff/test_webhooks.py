"""An admin sees who is told, what was not taken and why, and has it sent again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from payments.domain.webhooks import DISABLED_BY_STAFF, DISABLED_FAILING, DISABLED_GONE
from payments.providers.outgoing import FAULTS
from payments.staff import hooks
from payments.store.webhook_deliveries import STATUSES
from tests.outside import ON_SQLITE, SCRIPT, page_of, submit
from tests.people import People
from tests.receivers import Receiver, listening
from tests.services.test_webhook_delivery import Post, endpoint_now, only, paid
from tests.services.test_webhooks import deliveries, listens

pytestmark = ON_SQLITE


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


def test_a_message_that_was_not_taken_is_seen_and_sent_again(
    people: People, receiver: Receiver
) -> None:
    receiver.answers = [(500, {}, SCRIPT.encode())]
    endpoint = listens(people, "order.paid", url=receiver.url)
    order_id = paid(people)
    Post(people).round()
    admin = people.signed_in(people.person("admin", "admin"))
    page = page_of(admin.get("/staff/hooks"))
    for words in (receiver.url, order_id, "Answer 500", SCRIPT, "order.paid", "1 try"):
        assert words in page.text, words
    assert list(page.inline()) == []
    assert endpoint.secret not in page.text
    action = f"/staff/hooks/deliveries/{only(people).id}/redeliver"
    assert action in page.actions()
    assert submit(admin, action).status_code == 303
    Post(people).round()
    assert len(receiver.heard) == 2
    assert "Delivered" in page_of(admin.get("/staff/hooks?status=delivered")).text
    assert "Nothing was sent yet" in page_of(admin.get("/staff/hooks?status=failed")).text


def test_a_receiver_is_switched_off_and_on(people: People, receiver: Receiver) -> None:
    endpoint = listens(people, "order.paid", url=receiver.url)
    paid(people)
    admin = people.signed_in(people.person("admin", "admin"))
    path = f"/staff/hooks/{endpoint.id}/switch"
    submit(admin, path, on="0")
    assert "Switched off by hand" in page_of(admin.get("/staff/hooks")).text
    Post(people).round()
    assert receiver.heard == []
    again = submit(admin, f"/staff/hooks/deliveries/{only(people).id}/redeliver")
    assert "switch it on first" in page_of(again, 409).text
    submit(admin, path, on="1")
    Post(people).round()
    assert len(receiver.heard) == 1


def test_whoever_is_gone_or_fails_is_shown(people: People, receiver: Receiver) -> None:
    listens(people, "order.paid", url=receiver.url)
    receiver.answers = [(500, {}, b"")]
    paid(people)
    Post(people).round()
    admin = people.signed_in(people.person("admin", "admin"))
    assert "It has taken nothing since" in page_of(admin.get("/staff/hooks")).text
    receiver.answers = [(410, {}, b"")]
    paid(people)
    Post(people).round()
    assert "it answered that it is gone" in page_of(admin.get("/staff/hooks")).text


def test_the_rest_of_staff_finds_no_link_and_no_page(people: People, receiver: Receiver) -> None:
    endpoint = listens(people, url=receiver.url)
    paid(people)
    sent = deliveries(people)
    for role in ("clerk", "manager", "accountant"):
        browser = people.signed_in(people.person(role, role))
        links = {one.get("href") for one in page_of(browser.get("/staff/")).all("a")}
        assert "/staff/hooks" not in links
        assert browser.get("/staff/hooks").status_code == 403
        assert submit(browser, f"/staff/hooks/{endpoint.id}/switch", on="0").status_code == 403
        deed = f"/staff/hooks/deliveries/{sent[0].id}/redeliver"
        assert submit(browser, deed).status_code == 403
    admin = people.signed_in(people.person("admin", "admin"))
    assert "/staff/hooks" in {one.get("href") for one in page_of(admin.get("/staff/")).all("a")}
    assert endpoint_now(people, endpoint).enabled
    assert len(deliveries(people)) == len(sent)


def test_nobody_is_sent_to_sign_in_and_a_customer_finds_nothing(people: People) -> None:
    assert people.browser().get("/staff/hooks").status_code == 302
    assert people.signed_in(people.owner).get("/staff/hooks").status_code == 404


def test_a_long_list_goes_on_on_the_next_page(
    people: People, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "LISTED", 2)
    listens(people, "order.paid", url=receiver.url)
    for _ in range(3):
        paid(people)
    admin = people.signed_in(people.person("admin", "admin"))
    first = page_of(admin.get("/staff/hooks"))
    (older,) = first.all("a", rel="next")
    second = page_of(admin.get(older["href"]))
    found = {
        one.get("id") for page in (first, second) for one in page.all("li", **{"class": "card"})
    }
    assert {f"delivery-{one.id}" for one in deliveries(people)} <= found
    assert second.all("a", rel="next") == []


def test_every_way_to_fail_has_words(people: People) -> None:
    assert set(hooks.FAULTS) == {*FAULTS, "forgotten"}
    assert set(hooks.DISABLED) == {DISABLED_BY_STAFF, DISABLED_GONE, DISABLED_FAILING}
    assert set(hooks.STATUS) == set(STATUSES)
    with people.app.test_request_context():
        assert all(str(words) for words in (*hooks.FAULTS.values(), *hooks.DISABLED.values()))


def test_a_form_without_its_token_switches_nothing(people: People, receiver: Receiver) -> None:
    endpoint = listens(people, url=receiver.url)
    admin = people.signed_in(people.person("admin", "admin"))
    page_of(admin.post(f"/staff/hooks/{endpoint.id}/switch", data={"on": "0"}), 400)
    assert endpoint_now(people, endpoint) == endpoint
