"""What staff see and do: an order opened at the counter, its timeline, what waits, what is kept."""

from __future__ import annotations

import pytest

from payments.domain.order import Order
from payments.services import checkout
from payments.store import inbox, orders
from tests.outside import (
    ON_SQLITE,
    SCRIPT,
    SQL,
    Page,
    attempt_of,
    begin,
    count,
    momo_calls,
    page_of,
    seen,
    submit,
)
from tests.people import People
from tests.sandbox.world import World
from tests.signing import shop_webhook

pytestmark = ON_SQLITE

TEA = {"amount": "12 500", "currency": "VND", "description": "Tea"}


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo", "CONFIRM_LIMIT": "VND:100000"}


def value(page: Page, name: str) -> str:
    (field,) = [one for one in page.elements if one.get("name") == name and one.name != "meta"]
    if field.name == "select":
        return next((one.text for one in field.fields if "selected" in one.attributes), "")
    return field["value"]


class TestANewOrder:
    def test_it_is_shown_with_a_link_and_a_code_for_the_customer(self, people: People) -> None:
        clerk = people.signed_in(people.clerk)
        answer = submit(clerk, "/staff/new", **TEA)
        assert answer.status_code == 303
        page = page_of(clerk.get(answer.headers["Location"]))
        (link,) = [one["href"] for one in page.all("a") if "access=" in (one.get("href") or "")]
        assert page.all("svg", **{"class": "segno"}) or page.all("svg")
        entered = people.browser().get(link.removeprefix("http://localhost"))
        assert entered.status_code == 302
        made = people.in_app(orders.page)
        assert [(one.amount, one.currency, one.description) for one in made] == [
            (12_500, "VND", "Tea")
        ]
        assert made[0].created_by == people.clerk.actor

    @pytest.mark.parametrize(
        "wrong",
        [
            *(
                {"amount": one}
                for one in ("", "0", "-5", "1.5", "1,000", "abc", "1e3", "٣", "9" * 30)
            ),
            *({"currency": one} for one in ("", "XXX", "vnd", "DOGE")),
            *({"description": one} for one in ("", "   ", "x" * 501)),
            {"amount": "x", "description": ""},
            {"amount": SCRIPT, "currency": SQL, "description": ""},
        ],
    )
    def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
        self, people: People, wrong: dict[str, str]
    ) -> None:
        clerk = people.signed_in(people.clerk)
        page = page_of(submit(clerk, "/staff/new", **{**TEA, **wrong}), 422)
        assert page.all("strong", **{"class": "error"})
        typed = {**TEA, **wrong}
        for name in ("amount", "description"):
            (field,) = [one for one in page.all("input") if one.get("name") == name]
            assert field["value"] == typed[name].strip()
            assert (field.get("aria-invalid") == "true") is bool(
                field.get(
                    "aria-describedby",
                )
                and "error" in field["aria-describedby"]
            )
        assert count(people, "orders") == 0

    def test_an_amount_is_typed_in_the_major_unit(self, people: People) -> None:
        clerk = people.signed_in(people.clerk)
        for typed, amount in (("150000", 150_000), ("1 250 000", 1_250_000)):
            submit(clerk, "/staff/new", **{**TEA, "amount": typed})
            assert people.in_app(orders.page)[0].amount == amount


class TestAnOrder:
    @pytest.fixture
    def order(self, people: People) -> Order:
        return people.order(200_000)

    def acts(self, people: People, order: Order, deed: str, status: int, **fields: str) -> Page:
        browser = people.signed_in(people.manager)
        answer = submit(browser, f"/staff/orders/{order.id}/{deed}", **fields)
        assert answer.status_code == status, answer.get_data(as_text=True)[:3000]
        if status == 303:
            answer = browser.get(answer.headers["Location"])
        return Page(answer.get_data(as_text=True))

    def test_its_timeline_tells_the_deeds_in_order(self, people: People, order: Order) -> None:
        begin(people, order.id)
        attempt = attempt_of(people, order.id)
        momo_calls(people.app, attempt, amount=1, transId=1)
        submit(
            people.browser(order),
            f"/checkout/{order.id}/claim",
            reference="receipt 77",
            note="At noon",
        )
        self.acts(
            people, order, "confirm", 303, amount="50000", reason="I saw it", evidence="receipt 1"
        )
        momo_calls(people.app, attempt, transId=2)
        page = self.acts(people, order, "refund", 303, amount="10000", reason="It was broken")
        (timeline,) = page.all("ol", **{"class": "timeline"})
        kinds = [one["data-kind"] for one in page.all("li") if one.get("data-kind")]
        assert kinds[:6] == [
            *("order.created", "payment.created", "payment.accepted", "callback.parked"),
            *("customer.claimed_paid", "payment.confirmed"),
        ]
        assert "refund.requested" in kinds
        for words in ("At noon", "receipt 77", "I saw it", "It was broken", "customer"):
            assert words in timeline.text, words
        for line in page.all("li"):
            if line.get("data-kind"):
                assert line.text.split("\n")[0].strip() or line.text.strip()
        raw = [one["href"] for one in page.all("a") if "/callbacks/" in (one.get("href") or "")]
        assert raw
        assert people.signed_in(people.manager).get(raw[0]).status_code == 200

    def test_a_confirmation_pays_it_and_the_page_says_so(self, people: People) -> None:
        order = people.order(90_000)
        page = self.acts(
            people, order, "confirm", 303, amount="40000", reason="I saw it", evidence="receipt 1"
        )
        assert page.id("order")["data-status"] == "partially_paid"
        page = self.acts(
            people, order, "confirm", 303, amount="50000", reason="I saw it", evidence="receipt 2"
        )
        assert page.id("order")["data-status"] == "paid"

    def test_above_the_limit_it_waits_and_another_person_approves(
        self, people: People, order: Order
    ) -> None:
        seen(people, order.id, 150_000)
        manager = people.signed_in(people.manager)
        today = page_of(manager.get("/staff/"))
        (action,) = [one for one in today.actions() if "approve" in one]
        assert "receipt 1" in today.text
        assert submit(manager, action).headers["Location"] == f"/staff/orders/{order.id}"
        page = page_of(manager.get(f"/staff/orders/{order.id}"))
        assert page.id("order")["data-status"] == "partially_paid"
        assert not any("approve" in one for one in page.actions())
        page_of(submit(manager, action), 409)
        page_of(submit(manager, "/staff/confirmations/none/approve"), 404)

    def test_above_the_limit_another_person_may_turn_it_down(
        self, people: People, order: Order
    ) -> None:
        seen(people, order.id, 150_000)
        manager = people.signed_in(people.manager)
        today = page_of(manager.get("/staff/"))
        (action,) = [one for one in today.actions() if "decline" in one]
        page_of(submit(manager, action, reason=" "), 400)
        answer = submit(manager, action, reason="No such transfer")
        assert answer.headers["Location"] == f"/staff/orders/{order.id}"
        page = page_of(manager.get(f"/staff/orders/{order.id}"))
        assert "Confirmation turned down" in page.text
        assert "No such transfer" in page.text
        assert not any("approve" in one or "decline" in one for one in page.actions())
        page_of(submit(manager, action, reason="No such transfer"), 404)

    @pytest.mark.parametrize(
        ("deed", "fields", "status", "words"),
        [
            ("confirm", {"amount": "x"}, 400, "Type the amount in digits"),
            ("confirm", {"amount": "0"}, 400, "The amount is from"),
            ("confirm", {"amount": "1.5"}, 400, "0 decimals"),
            ("confirm", {"evidence": ""}, 400, "3 to 100 characters"),
            ("confirm", {"reason": ""}, 400, "3 to 500 characters"),
            ("confirm", {"evidence": "used before"}, 409, "has confirmed a payment already"),
            ("cancel", {"reason": ""}, 400, "3 to 500 characters"),
            ("refund", {"amount": "50001"}, 400, "to ₫50,000"),
            ("refund", {"amount": "x"}, 400, "Type the amount in digits"),
            ("refund", {"reason": ""}, 400, "3 to 500 characters"),
        ],
    )
    def test_what_is_wrong_is_said_in_the_form_and_what_was_typed_is_kept(
        self,
        people: People,
        order: Order,
        deed: str,
        fields: dict[str, str],
        status: int,
        words: str,
    ) -> None:
        seen(people, order.id, 50_000, "used before")
        typed = {"amount": "1000", "reason": "A good reason", "evidence": "receipt 2", **fields}
        if deed == "cancel":
            typed = {"reason": typed["reason"]}
        page = self.acts(people, order, deed, status, **typed)
        form = page.form(f"/staff/orders/{order.id}/{deed}")
        (refusal,) = [one for one in page.all("p", role="alert") if "form" in one.inside]
        assert words in refusal.text
        shown = {one["name"]: one.get("value") for one in form.fields if one.get("name") in typed}
        assert shown == {name: text for name, text in typed.items() if name in shown}
        (around,) = [one for one in page.all("details") if one.get("id") == deed]
        assert "open" in around.attributes

    def test_what_can_no_longer_be_done_is_said(self, people: People, order: Order) -> None:
        page = self.acts(people, order, "cancel", 303, reason="Sold out")
        assert page.id("order")["data-status"] == "cancelled"
        page = self.acts(people, order, "cancel", 409, reason="Sold out")
        assert "This order " in page.text.split("This did not work")[1]
        page = self.acts(
            people, order, "confirm", 409, amount="1", reason="I saw it", evidence="receipt 1"
        )
        assert "This order " in page.text.split("This did not work")[1]

    def test_a_refund_of_everything_needs_no_amount(self, people: People, order: Order) -> None:
        seen(people, order.id, 50_000)
        page = self.acts(people, order, "refund", 303, reason="It was broken", amount="")
        assert "50,000" in page.text

    def test_money_given_back_by_hand_is_written_down_once(
        self, people: People, order: Order
    ) -> None:
        seen(people, order.id, 50_000)
        page = self.acts(people, order, "refund", 303, reason="It was broken", amount="20000")
        (action,) = [one for one in page.actions() if "/refunds/" in one]
        manager = people.signed_in(people.manager)
        page_of(submit(people.signed_in(people.clerk), action, evidence="cash 7"), 403)
        assert submit(manager, action, evidence="cash 7").status_code == 303
        assert submit(manager, action, evidence="cash 7").status_code == 409
        found = people.in_app(orders.find, order.id)
        assert found is not None
        assert found.amount_refunded == 20_000

    def test_everything_typed_is_shown_as_text(self, people: People, order: Order) -> None:
        hostile = people.order(
            50_000,
            description=SCRIPT + SQL,
            customer_name=SCRIPT,
            customer_email=SCRIPT,
            salon_id=SCRIPT,
            metadata={SCRIPT: SQL},
        )
        browser = people.browser(hostile)
        submit(browser, f"/checkout/{hostile.id}/claim", reference=SCRIPT, note=SCRIPT + SQL)
        self.acts(
            people, hostile, "confirm", 303, amount="50000", reason=SCRIPT, evidence=SCRIPT + SQL
        )
        page = self.acts(people, hostile, "refund", 303, amount="", reason=SCRIPT)
        manager = people.signed_in(people.manager)
        for path in ("", "/fragment", "/show"):
            answer = manager.get(f"/staff/orders/{hostile.id}{path}")
            assert SCRIPT not in answer.get_data(as_text=True)
            assert list(Page(answer.get_data(as_text=True)).inline()) == []
        assert SCRIPT in page_of(manager.get("/staff/")).text
        assert page.text.count("<script>") >= 3
        assert count(people, "orders") == 2


class TestToday:
    def test_what_is_looked_for_is_found(self, people: People) -> None:
        one, other = people.order(), people.order()
        begin(people, other.id)
        attempt = attempt_of(people, other.id)
        momo_calls(people.app, attempt)
        clerk = people.signed_in(people.clerk)
        for asked, found in (
            (one.id, [one.id]),
            (f"  {one.id} ", [one.id]),
            (attempt.reference, [other.id]),
            ("4088878653", [other.id]),
            ("nothing of ours", []),
            (SCRIPT, []),
            (SQL, []),
            ("%", []),
            ("", [other.id, one.id]),
        ):
            for path in ("/staff/", "/staff/orders"):
                page = page_of(clerk.get(path, query_string={"q": asked}))
                rows = [row["id"] for row in page.all("tr") if "data-status" in row.attributes]
                assert rows == [f"order-{order_id}" for order_id in found], asked

    def test_orders_are_filtered_by_their_state(self, people: People) -> None:
        one, other = people.order(), people.order()
        seen(people, other.id, 50_000)
        clerk = people.signed_in(people.clerk)
        page = page_of(clerk.get("/staff/?status=paid"))
        rows = [row["id"] for row in page.all("tr") if "data-status" in row.attributes]
        assert rows == [f"order-{other.id}"]
        whole = page_of(clerk.get("/staff/?status=none"))
        assert whole.has(f"order-{one.id}")
        assert all(link.text.strip() for link in whole.all("a")), "a link says where it leads"

    @pytest.mark.parametrize(
        "query", ["endpoint=x", "_external=1", "_anchor=x", "_scheme=x", "_method=POST", "values=1"]
    )
    def test_a_strange_question_is_no_fault(self, people: People, query: str) -> None:
        clerk = people.signed_in(people.clerk)
        for path in ("/staff/", "/staff/orders"):
            answer = clerk.get(f"{path}?{query}")
            assert answer.status_code == 200
            page = Page(answer.get_data(as_text=True))
            assert page.id("today")["data-fragment"].startswith("/staff/orders")

    def test_older_orders_are_a_press_away(self, people: People) -> None:
        made = [people.order().id for _ in range(61)]
        clerk = people.signed_in(people.clerk)
        path, found = "/staff/", set[str]()
        for _ in range(3):
            page = page_of(clerk.get(path))
            found |= {row["id"] for row in page.all("tr") if "data-status" in row.attributes}
            older = [one["href"] for one in page.all("a") if one.get("rel") == "next"]
            if not older:
                break
            path = older[0]
        assert found == {f"order-{order_id}" for order_id in made}


class TestKeptCallbacks:
    @pytest.fixture
    def kept(self, people: People) -> Order:
        order = people.order(50_000)
        begin(people, order.id)
        attempt = attempt_of(people, order.id)
        assert momo_calls(people.app, attempt, amount=7, message=SCRIPT).status_code == 204
        return order

    def test_what_could_not_be_applied_is_counted_listed_and_shown(
        self, people: People, kept: Order
    ) -> None:
        clerk = people.signed_in(people.clerk)
        today = page_of(clerk.get("/staff/"))
        assert "1 callback could not be applied" in today.text
        (link,) = [
            one["href"]
            for one in today.id("attention").fields or today.all("a")
            if (one.get("href") or "").endswith("/staff/parked")
        ][:1]
        page = page_of(clerk.get(link))
        assert "Another amount than asked for" in page.text
        links = [one["href"] for one in page.all("a") if one.get("href")]
        assert f"/staff/orders/{kept.id}" in links
        (raw,) = [one for one in links if "/callbacks/" in one]
        shown = page_of(clerk.get(raw))
        assert "<script>alert('x')</script>" in shown.text
        assert list(shown.inline()) == []
        assert "4088878653" in shown.text

    def test_money_after_a_cancellation_is_found_from_the_desk(self, people: People) -> None:
        order = people.order(50_000)
        begin(people, order.id)
        attempt = attempt_of(people, order.id)
        people.in_app(checkout.cancel, people.shop, order.id, "Sold out")
        assert momo_calls(people.app, attempt).status_code == 204
        clerk = people.signed_in(people.clerk)
        page = page_of(clerk.get(f"/staff/orders/{order.id}"))
        assert page.id("order")["data-status"] == "cancelled"
        assert "4088878653" in page.text
        today = page_of(clerk.get("/staff/"))
        assert f"/staff/orders/{order.id}" in {one.get("href") for one in today.all("a")}

    def test_a_callback_that_is_not_there_is_not_shown(self, people: People, kept: Order) -> None:
        clerk = people.signed_in(people.clerk)
        assert people.in_app(inbox.count_unresolved) == 1
        for which in ("0", "99", "-1", "x", "9" * 30, "1.5"):
            assert clerk.get(f"/staff/callbacks/{which}").status_code == 404, which


def test_a_kept_callback_waits_until_a_clerk_has_dealt_with_it(people: People) -> None:
    body, headers = shop_webhook("nobodys-order", 100)
    people.app.test_client().post("/webhook/payment", data=body, headers=headers)
    clerk = people.signed_in(people.clerk)
    (waiting,) = people.in_app(inbox.unresolved)
    page = clerk.get(f"/staff/callbacks/{waiting.id}").get_data(as_text=True)
    form = {"csrf_token": page.split('name="csrf_token" value="')[1].split('"')[0]}
    path = f"/staff/callbacks/{waiting.id}/resolve"
    assert clerk.post(path, data={**form, "reason": ""}).status_code == 400
    assert len(people.in_app(inbox.unresolved)) == 1
    assert clerk.post(path, data={**form, "reason": "Sent back by hand"}).status_code == 303
    assert people.in_app(inbox.unresolved) == []
    assert clerk.post(path, data={**form, "reason": "Once more"}).status_code == 409
    again = clerk.get(f"/staff/callbacks/{waiting.id}").get_data(as_text=True)
    assert "/resolve" not in again
