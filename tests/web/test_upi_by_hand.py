"""Paid to the shop's own UPI address: the customer gives the UTR, and staff confirm with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payments.domain.errors import Conflict
from payments.domain.order import Order, Payment
from payments.domain.ports import Payer
from payments.services import checkout
from payments.store import audit, orders
from sandbox.upi.link import read_link
from tests.outside import ON_SQLITE, Page, attempt_of, everything, page_of, seen, submit
from tests.people import People

PRICE = 649_00
UTR = "632504992744"

pytestmark = ON_SQLITE


@pytest.fixture
def environment() -> dict[str, str]:
    return {"UPI_VPA": "spices@okbank", "UPI_PAYEE_NAME": "Spice Shop"}


@pytest.fixture
def order(people: People) -> Order:
    return people.order(PRICE, "INR", description="Box of spices")


@pytest.fixture
def mai(people: People, order: Order) -> FlaskClient:
    """Mai has opened the order and chosen UPI."""
    browser = people.browser(order)
    answer = submit(browser, f"/checkout/{order.id}/pay", provider="upi")
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return browser


@pytest.fixture
def says(mai: FlaskClient, order: Order) -> Callable[[str], TestResponse]:
    """Mai says that she has paid, with this number."""
    return lambda utr: submit(mai, f"/checkout/{order.id}/claim?claim=1", reference=utr)


def page(browser: FlaskClient, order: Order, query: str = "") -> Page:
    return page_of(browser.get(f"/checkout/{order.id}{query}"))


def claims(people: People, order: Order) -> list[str]:
    lines = people.in_app(audit.claims, [order.id])
    return [line.detail["reference"] for line in lines]


def test_the_page_shows_the_code_the_link_and_what_to_type(
    people: People, mai: FlaskClient, order: Order
) -> None:
    attempt = attempt_of(people, order.id)
    action = attempt.action or {}
    asked = read_link(action["qr"])
    assert (asked.vpa, asked.payee, asked.paise) == ("spices@okbank", "Spice Shop", PRICE)
    assert asked.reference == attempt.reference
    shown = page(mai, order)
    assert shown.id("open")["href"] == action["deeplink"] == action["qr"]
    copied = {one.get("data-copy") for one in shown.all("button")}
    assert {"spices@okbank", "649.00", attempt.reference} <= copied
    assert "confirms it by hand" in shown.text


def test_the_utr_is_a_note_to_staff_and_pays_nothing(
    people: People, order: Order, mai: FlaskClient, says: Callable[[str], TestResponse]
) -> None:
    assert page(mai, order).id("claim-link")["href"].endswith("?claim=1#claim")
    assert says(UTR).status_code == 303
    assert claims(people, order) == [UTR]
    assert "reached the shop" in page(mai, order).text
    now = people.in_app(orders.find, order.id)
    assert now is not None
    assert (now.status.value, now.version, now.amount_paid) == ("pending", 2, 0)


def test_a_utr_may_be_typed_with_spaces(
    people: People, order: Order, says: Callable[[str], TestResponse]
) -> None:
    assert says(" 6325 0499 2744 ").status_code == 303
    assert claims(people, order) == [UTR]


@pytest.mark.parametrize(
    "wrong",
    ["63250499274", "6325049927441", "T24112345678", "६३२५०४९९२७४४", "CICA0123456", "-63250499274"],
)
def test_what_is_no_utr_is_told_beside_the_field_and_not_kept(
    people: People, order: Order, says: Callable[[str], TestResponse], wrong: str
) -> None:
    before = everything(people)
    refused = page_of(says(wrong), 422)
    field = refused.id("claim-reference")
    assert (field["value"], field["aria-invalid"]) == (wrong, "true")
    assert "12 digits" in refused.id("claim-reference-error").text
    assert refused.id("payment")["data-status"] == "pending"
    assert everything(people) == before


def test_a_utr_that_has_paid_another_order_is_told_beside_the_field(
    people: People, order: Order, says: Callable[[str], TestResponse]
) -> None:
    other = people.order(PRICE, "INR")
    _chosen(people, other)
    seen(people, other.id, PRICE, UTR)
    before = everything(people)
    refused = page_of(says(UTR), 422)
    assert "counted already" in refused.id("claim-reference-error").text
    assert everything(people) == before


def test_a_typing_error_can_be_mended_and_the_last_word_counts(
    people: People, order: Order, mai: FlaskClient, says: Callable[[str], TestResponse]
) -> None:
    says("632504992740")
    assert "Send another number" in page(mai, order).text
    assert page(mai, order, "?claim=1").has("claim-reference")
    says(UTR)
    assert claims(people, order) == ["632504992740", UTR]
    staff = people.signed_in(people.clerk).get(f"/staff/orders/{order.id}")
    assert page_of(staff).id("confirm-evidence")["value"] == UTR


def test_staff_confirm_with_the_utr_that_was_given(
    people: People, order: Order, mai: FlaskClient, says: Callable[[str], TestResponse]
) -> None:
    says(UTR)
    clerk = people.signed_in(people.clerk)
    shown = page_of(clerk.get(f"/staff/orders/{order.id}"))
    assert "The customer says to have paid" in shown.text
    evidence = shown.id("confirm-evidence")["value"]
    answer = submit(
        clerk,
        f"/staff/orders/{order.id}/confirm",
        amount="649",
        evidence=evidence,
        reason="It is on the statement",
    )
    assert answer.status_code == 303
    assert page(mai, order).id("payment")["data-status"] == "paid"
    attempt = attempt_of(people, order.id)
    assert (attempt.status.value, attempt.amount_received) == ("succeeded", PRICE)


def test_one_utr_pays_one_order(people: People, order: Order, mai: FlaskClient) -> None:
    other = people.order(PRICE, "INR")
    _chosen(people, other)
    seen(people, order.id, PRICE, UTR)
    with pytest.raises(Conflict) as refused:
        seen(people, other.id, PRICE, UTR)
    assert refused.value.code == "evidence_used"


def test_the_rest_of_a_part_payment_has_a_note_of_its_own(
    people: People, order: Order, mai: FlaskClient, says: Callable[[str], TestResponse]
) -> None:
    says(UTR)
    seen(people, order.id, 400_00, UTR)
    assert submit(mai, f"/checkout/{order.id}/pay", provider="upi").status_code == 303
    rest = attempt_of(people, order.id)
    assert read_link((rest.action or {})["qr"]).paise == 249_00
    shown = page(mai, order)
    assert "reached the shop" not in shown.text
    assert shown.has("claim-link")


def test_nobody_is_asked_about_an_address_of_the_shops_own(people: People, order: Order) -> None:
    _chosen(people, order)
    assert "upi" not in people.house.rails.askable()


def test_without_a_script_a_half_written_note_is_not_swept_away(
    mai: FlaskClient, order: Order
) -> None:
    refreshes = "http-equiv"
    assert any(one.get(refreshes) for one in page(mai, order).all("meta"))
    assert not any(one.get(refreshes) for one in page(mai, order, "?claim=1").all("meta"))


def _chosen(people: People, order: Order) -> Payment:
    return people.in_app(
        checkout.start_payment,
        people.house.rails,
        people.shop,
        order.id,
        "upi",
        Payer(),
        return_url="http://localhost/back",
        locale="en",
    )
