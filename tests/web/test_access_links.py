"""The access link makes an order this browser's own; a stranger finds nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payments.domain.order import Order
from payments.services import access, checkout
from payments.services.tokens import Tokens
from payments.settings import load
from payments.store import audit
from payments.store.db import now
from tests.conftest import ENVIRONMENT
from tests.outside import ON_SQLITE, attempt_of, begin, count, csrf, everything, page_of, submit
from tests.people import People
from tests.sandbox.world import World

pytestmark = ON_SQLITE


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo"}


@pytest.fixture
def order(people: People) -> Order:
    return people.order()


@pytest.fixture
def waiting(people: People, order: Order) -> Order:
    """With a code to scan."""
    begin(people, order.id)
    return order


def opened(browser: FlaskClient, order_id: str, link: str, **more: str) -> TestResponse:
    return browser.get(f"/checkout/{order_id}", query_string={"access": link, **more})


def test_it_opens_the_page_under_its_clean_address(people: People, order: Order) -> None:
    link = people.house.tokens.link(order.id)
    for browser in (people.browser(), people.browser(), people.browser()):
        answer = opened(browser, order.id, link)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/checkout/{order.id}")
        assert link not in str(answer.headers["Location"])
        page = page_of(browser.get(answer.headers["Location"]))
        assert page.id("payment")["data-order-id"] == order.id
        assert link not in browser.get(f"/checkout/{order.id}").get_data(as_text=True)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    people: People, order: Order
) -> None:
    answer = opened(people.browser(), order.id, people.house.tokens.link(order.id))
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if "paychime_orders" in one]
    parts = {part.strip() for part in cookie.split(";")}
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= parts
    assert "Secure" not in parts
    assert order.id not in cookie.split(";")[0].split(".")[0], "signed, and not plain text"


def strangers(people: People, order: Order) -> dict[str, FlaskClient]:
    return {
        "nobody": people.browser(),
        "the payer of another order": people.browser(people.order()),
        "another customer": people.signed_in(people.stranger),
    }


def addresses(people: People, order: Order) -> list[str]:
    reference = attempt_of(people, order.id).reference
    names = ("", "/fragment", f"/{reference}.svg", f"/{reference}.png")
    return [f"/checkout/{order.id}{name}" for name in names]


def test_a_stranger_gets_404_on_every_page_of_an_order(people: People, waiting: Order) -> None:
    payer = people.browser(waiting)
    for path in addresses(people, waiting):
        assert payer.get(path).status_code == 200, path
        missing = path.replace(waiting.id, "none")
        for who, browser in strangers(people, waiting).items():
            for method in ("GET", "HEAD"):
                answer = browser.open(path, method=method)
                assert answer.status_code == 404, (who, method, path)
            words = [page_of(browser.get(one), 404).text for one in (path, missing)]
            assert words[0] == words[1], "not yours and not there are the same words"


def test_a_stranger_pays_and_claims_nothing(people: People, waiting: Order) -> None:
    others = strangers(people, waiting)
    before = everything(people)
    for who, browser in others.items():
        for deed in ("pay", "claim"):
            answer = submit(
                browser,
                f"/checkout/{waiting.id}/{deed}",
                provider="momo",
                reference="receipt 1",
                note="I paid",
            )
            assert answer.status_code == 404, (who, deed)
    assert everything(people) == before


def test_a_code_is_shown_under_its_own_order_alone(people: People, waiting: Order) -> None:
    other = people.order()
    browser = people.browser(other)
    reference = attempt_of(people, waiting.id).reference
    assert browser.get(f"/checkout/{other.id}/{reference}.svg").status_code == 404


def test_a_link_that_was_tampered_with_opens_nothing(people: People, order: Order) -> None:
    link, browser = people.house.tokens.link(order.id), people.browser()
    other = people.house.tokens.link(people.order().id)
    watch = people.house.tokens.watch(order.id)
    wrong = [link[:-4] + "AAAA", "x" + link, link.split(".")[0], "", ".", other, watch]
    wrong += [watch.removeprefix("wt_"), order.id, "\x00", "é", "a" * 5_000]
    for one in wrong:
        answer = opened(browser, order.id, one)
        assert answer.status_code in {400, 404}, one
        assert "Set-Cookie" not in answer.headers
    assert browser.get(f"/checkout/{order.id}").status_code == 404


def test_a_link_of_an_order_that_is_not_there_opens_nothing(people: People) -> None:
    answer = opened(people.browser(), "none", people.house.tokens.link("none"))
    assert answer.status_code == 404


def test_a_forged_cookie_owns_nothing(people: People, order: Order) -> None:
    tokens = people.house.tokens
    for forged in (
        order.id,
        f'["{order.id}"]',
        tokens.link(order.id),
        tokens.watch(order.id).removeprefix("wt_"),
        tokens.browser([order.id])[:-4] + "AAAA",
    ):
        browser = people.browser()
        browser.set_cookie("paychime_orders", forged)
        assert browser.get(f"/checkout/{order.id}").status_code == 404, forged


def test_a_link_runs_out_thirty_days_after_the_end(
    people: People, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = people.house.tokens.link(order.id)
    early = people.browser(order)
    people.in_app(checkout.cancel, people.shop, order.id, "Sold out")
    for days, status in ((29, 302), (31, 410)):
        at = now() + timedelta(days=days)
        monkeypatch.setattr(access, "now", lambda at=at: at)
        assert opened(people.browser(), order.id, link).status_code == status
    gone = page_of(opened(people.browser(), order.id, link), 410)
    assert "Ask the shop for a new link" in gone.text
    assert early.get(f"/checkout/{order.id}").status_code == 200


def test_a_browser_keeps_its_orders_and_the_oldest_give_way(people: People) -> None:
    browser, made = people.browser(), [people.order() for _ in range(42)]
    for order in made:
        answer = opened(browser, order.id, people.house.tokens.link(order.id))
        assert max(map(len, answer.headers.getlist("Set-Cookie"))) < 4_096
    kept = [browser.get(f"/checkout/{order.id}").status_code for order in made]
    assert kept == [404, 404] + [200] * 40


def test_opening_the_link_again_keeps_the_other_orders(people: People) -> None:
    one, other = people.order(), people.order()
    browser = people.browser(one)
    for order in (other, one, one):
        opened(browser, order.id, people.house.tokens.link(order.id))
    for order in (one, other):
        assert browser.get(f"/checkout/{order.id}").status_code == 200


def test_a_preview_of_the_link_changes_nothing(people: People, order: Order) -> None:
    before = everything(people)
    for method in ("HEAD", "GET", "OPTIONS"):
        answer = people.browser().open(
            f"/checkout/{order.id}",
            method=method,
            query_string={"access": people.house.tokens.link(order.id)},
        )
        assert answer.status_code in {200, 302}
    assert everything(people) == before


def test_a_head_is_a_get_without_its_words(people: People, order: Order) -> None:
    browser = people.browser(order)
    for path in (f"/checkout/{order.id}", f"/checkout/{order.id}/fragment", "/login", "/healthz"):
        get, head = browser.get(path), browser.head(path)
        assert (head.status_code, head.content_type) == (get.status_code, get.content_type)
        assert head.data == b""


def test_the_language_asked_for_stays_in_the_clean_address(people: People, order: Order) -> None:
    link = people.house.tokens.link(order.id)
    answer = opened(people.browser(), order.id, link, lang="vi", next="//evil.test", utm="x")
    assert answer.headers["Location"] == f"/checkout/{order.id}?lang=vi"


def test_a_link_made_with_another_secret_opens_nothing(people: People, order: Order) -> None:
    old = Tokens(load({**ENVIRONMENT, "SECRET_KEY": "the former secret of the tests"}))
    browser = people.browser()
    assert opened(browser, order.id, old.link(order.id)).status_code == 404


class TestWhileTheSecretIsRotated:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"SECRET_KEY": "the new secret of the tests,the former secret of the tests"}

    def test_links_cookies_and_logins_of_the_old_one_stay_good(
        self, people: People, app: Flask, order: Order
    ) -> None:
        old = Tokens(load({**ENVIRONMENT, "SECRET_KEY": "the former secret of the tests"}))
        assert opened(people.browser(), order.id, old.link(order.id)).status_code == 302
        browser = people.browser()
        browser.set_cookie("paychime_orders", old.browser([order.id]))
        assert browser.get(f"/checkout/{order.id}").status_code == 200
        clerk = people.clerk
        app.secret_key, app.config["SECRET_KEY_FALLBACKS"] = "the former secret of the tests", []
        early = people.signed_in(clerk)
        app.secret_key = "the new secret of the tests"
        app.config["SECRET_KEY_FALLBACKS"] = ["the former secret of the tests"]
        assert early.get("/staff/").status_code == 200


def test_staff_and_the_owner_need_no_link(people: People) -> None:
    owner = people.owner.user
    assert owner is not None
    order = people.order(customer_id=owner.id)
    for who in (people.owner, people.clerk, people.accountant):
        assert people.signed_in(who).get(f"/checkout/{order.id}").status_code == 200


def test_a_claim_is_a_note_to_staff_and_moves_nothing(people: People, order: Order) -> None:
    people.in_app(checkout.cancel, people.shop, order.id, "Sold out")
    browser = people.browser(order)
    before = count(people, "outbox")
    answer = submit(browser, f"/checkout/{order.id}/claim", reference="receipt 77", note="At noon")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/checkout/{order.id}")
    assert count(people, "outbox") == before
    (line,) = [
        line
        for line in people.in_app(audit.of_order, order.id)
        if line.action == "customer.claimed_paid"
    ]
    assert (line.actor, line.reason, line.detail) == (
        *("customer", "At noon", {"reference": "receipt 77"}),
    )
    page = page_of(browser.get(f"/checkout/{order.id}"))
    assert page.id("payment")["data-status"] == "cancelled"
    assert "Your note has reached the shop" in page.text


@pytest.mark.parametrize("reference", ["", "   ", "x" * 101])
def test_a_claim_names_the_payment(people: People, order: Order, reference: str) -> None:
    people.in_app(checkout.cancel, people.shop, order.id, "Sold out")
    browser = people.browser(order)
    before = everything(people)
    answer = submit(browser, f"/checkout/{order.id}/claim", reference=reference, note="At noon")
    assert 400 <= answer.status_code < 500
    assert everything(people) == before


def test_a_claim_said_many_times_is_written_a_few_times(people: People, order: Order) -> None:
    people.in_app(checkout.cancel, people.shop, order.id, "Sold out")
    browser = people.browser(order)
    token = csrf(browser)
    before = count(people, "audit")
    for number in range(30):
        browser.post(
            f"/checkout/{order.id}/claim",
            data={"csrf_token": token, "reference": f"receipt {number}", "note": ""},
        )
    assert 1 <= count(people, "audit") - before <= 10
