"""Money enters once, in any order, however often it is told; what cannot enter is parked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import permutations, product
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from payments.domain.order import Order, Payment, begun
from payments.domain.states import OrderStatus, PaymentStatus
from payments.services import checkout, expire
from payments.services.ids import new_reference
from payments.store import inbox, ledger, orders, outbox, payments
from payments.store.db import db, in_transaction, now
from payments.store.tables import entries, postings
from tests.people import People
from tests.signing import JSON, momo_ipn, shop_webhook


def attempt(people: People, order: Order, provider: str = "momo") -> Payment:
    """A MoMo payment that MoMo has taken, as `start_payment` leaves it."""
    payment = replace(
        begun(new_reference(), order, provider, order.amount_due, now()),
        status=PaymentStatus.PENDING,
        action={"type": "qr", "qr": "000201"},
    )
    people.in_app(in_transaction, lambda: payments.add(payment))
    return payment


def tell_momo(client: FlaskClient, body: bytes) -> int:
    return client.post("/callbacks/momo", data=body, headers=JSON).status_code


def tell_shop(client: FlaskClient, *args: Any, **kwargs: Any) -> int:
    body, headers = shop_webhook(*args, **kwargs)
    return client.post("/webhook/payment", data=body, headers=headers).status_code


def order_now(people: People, order: Order) -> Order:
    found = people.in_app(orders.find, order.id)
    assert found is not None
    return found


def balances(people: People) -> dict[str, int]:
    found = people.in_app(ledger.balances)
    return {account: amount for (account, _), amount in found.items() if amount}


def sound(people: People) -> bool:
    return people.in_app(lambda: list(ledger.faults())) == []


def parked(people: People) -> list[str | None]:
    return [entry.reason for entry in people.in_app(inbox.unresolved)]


def test_a_paid_order_is_paid_posted_and_told(people: People, client: FlaskClient) -> None:
    order = people.order(50_000)
    payment = attempt(people, order)
    assert tell_momo(client, momo_ipn(payment.reference, 50_000)) == 204
    paid = order_now(people, order)
    assert (paid.status, paid.amount_paid, paid.version) == (OrderStatus.PAID, 50_000, 2)
    assert balances(people) == {"clearing:momo": 50_000, "revenue": -50_000}
    facts = people.in_app(outbox.of_topic, f"order:{order.id}", 0)
    assert [fact.event for fact in facts] == ["order.created", "order.paid"]
    assert facts[-1].snapshot["payment"]["provider_transaction_id"] == "4088878653"
    assert sound(people)


def test_the_addresses_of_an_existing_backend_answer_the_same(
    people: People, client: FlaskClient
) -> None:
    order = people.order()
    body = momo_ipn(attempt(people, order).reference, 50_000)
    answer = client.post("/api/v1/payment/momo/callback", data=body, headers=JSON)
    assert (answer.status_code, answer.data) == (204, b"")
    assert order_now(people, order).status is OrderStatus.PAID


def test_a_hundred_identical_ipns_at_once_make_one_posting(app: Flask, people: People) -> None:
    order = people.order()
    body = momo_ipn(attempt(people, order).reference, 50_000)
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(lambda _: tell_momo(app.test_client(), body), range(100)))
    assert set(answers) == {204}
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(postings)) == 1
        assert db.session.scalar(select(func.count()).select_from(entries)) == 2
    assert order_now(people, order).version == 2
    assert sound(people)


def test_a_late_failure_never_lowers_paid(people: People, client: FlaskClient) -> None:
    order = people.order()
    payment = attempt(people, order)
    tell_momo(client, momo_ipn(payment.reference, 50_000))
    assert tell_momo(client, momo_ipn(payment.reference, 50_000, code=1006, trans_id=9)) == 204
    assert order_now(people, order).status is OrderStatus.PAID
    assert parked(people) == ["impossible_move"]


def test_a_failed_attempt_leaves_the_order_payable(people: People, client: FlaskClient) -> None:
    order = people.order()
    first = attempt(people, order)
    tell_momo(client, momo_ipn(first.reference, 50_000, code=1001, trans_id=0))
    failed = people.in_app(payments.find, first.reference)
    assert failed is not None
    assert (failed.status, failed.failure_code) == (PaymentStatus.FAILED, "no_funds")
    assert order_now(people, order).status is OrderStatus.PENDING
    second = attempt(people, order)
    tell_momo(client, momo_ipn(second.reference, 50_000, trans_id=77))
    assert order_now(people, order).status is OrderStatus.PAID


def test_every_order_and_repetition_of_the_same_notices_ends_in_the_same_state(
    people: People, client: FlaskClient
) -> None:
    def ends(story: tuple[int, ...]) -> tuple[Any, ...]:
        order = people.order()
        payment = attempt(people, order)
        transaction = hash(order.id) % 10**9 + 1
        for code in story:
            body = momo_ipn(payment.reference, 50_000, code=code, trans_id=transaction)
            assert tell_momo(client, body) == 204
        end = order_now(people, order)
        settled = people.in_app(payments.find, payment.reference)
        assert settled is not None
        return end.status, end.amount_paid, settled.status, settled.amount_received

    notices = (0, 1000, 7000, 1006)
    stories = {*permutations(notices), *product(notices, repeat=2), *product((0, 1006), repeat=4)}
    with_success = {ends(story) for story in stories if 0 in story}
    assert with_success == {(OrderStatus.PAID, 50_000, PaymentStatus.SUCCEEDED, 50_000)}
    assert sound(people)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": 49_000}, "another_amount"),
        ({"amount": 51_000}, "another_amount"),
        ({"reference": "PNOBODYKNOWS"}, "unknown_order"),
    ],
)
def test_what_does_not_fit_is_kept_for_staff_and_pays_nothing(
    people: People, client: FlaskClient, change: dict[str, Any], reason: str
) -> None:
    order = people.order()
    said = {"reference": attempt(people, order).reference, "amount": 50_000, **change}
    assert tell_momo(client, momo_ipn(**said)) == 204
    assert order_now(people, order).status is OrderStatus.PENDING
    assert parked(people) == [reason]
    assert balances(people) == {}


def test_the_same_event_in_other_words_is_kept_and_flagged(
    people: People, client: FlaskClient
) -> None:
    order = people.order()
    payment = attempt(people, order)
    tell_momo(client, momo_ipn(payment.reference, 50_000))
    assert tell_momo(client, momo_ipn(payment.reference, 90_000)) == 204
    assert parked(people) == ["same_event_other_body"]
    assert order_now(people, order).amount_paid == 50_000


def test_a_strangers_unsigned_field_on_a_replayed_callback_changes_nothing(
    people: People, client: FlaskClient
) -> None:
    order = people.order()
    body = momo_ipn(attempt(people, order).reference, 50_000)
    tell_momo(client, body)
    assert tell_momo(client, body.replace(b"{", b'{"note": "x", ', 1)) == 204
    assert parked(people) == []


def test_one_transaction_of_the_providers_pays_one_order(
    people: People, client: FlaskClient
) -> None:
    first, second = people.order(), people.order()
    tell_momo(client, momo_ipn(attempt(people, first).reference, 50_000, trans_id=5))
    assert tell_momo(client, momo_ipn(attempt(people, second).reference, 50_000, trans_id=5)) == 204
    assert order_now(people, second).status is OrderStatus.PENDING
    assert parked(people) == ["transaction_used"]
    assert sound(people)


def test_a_shop_that_pays_in_parts_sees_each_part(people: People, client: FlaskClient) -> None:
    order = people.order(100)
    assert tell_shop(client, order.id, 40, transaction="A", event="a") == 200
    part = order_now(people, order)
    assert (part.status, part.amount_due) == (OrderStatus.PARTIALLY_PAID, 60)
    tell_shop(client, order.id, 60, transaction="B", event="b")
    assert order_now(people, order).status is OrderStatus.PAID
    assert balances(people) == {"clearing:generic": 100, "revenue": -100}


def test_what_is_paid_too_much_is_held(people: People, client: FlaskClient) -> None:
    order = people.order(100)
    tell_shop(client, order.id, 130)
    over = order_now(people, order)
    assert (over.status, over.amount_paid, over.amount_excess) == (OrderStatus.PAID, 130, 30)
    assert balances(people) == {"clearing:generic": 130, "revenue": -100, "suspense": -30}


def test_a_second_payment_of_a_paid_order_is_all_excess(
    people: People, client: FlaskClient
) -> None:
    order = people.order(100)
    tell_shop(client, order.id, 100, transaction="A", event="a")
    tell_shop(client, order.id, 100, transaction="B", event="b")
    over = order_now(people, order)
    assert (over.status, over.amount_paid, over.amount_excess) == (OrderStatus.PAID, 200, 100)
    assert balances(people)["suspense"] == -100


def test_the_same_transaction_under_another_event_is_the_same_money(
    people: People, client: FlaskClient
) -> None:
    order = people.order(100)
    for event in ("a", "b", "c"):
        assert tell_shop(client, order.id, 100, transaction="A", event=event) == 200
    assert order_now(people, order).amount_paid == 100
    assert sound(people)


def test_a_shop_may_say_pending_then_success(people: People, client: FlaskClient) -> None:
    order = people.order(100)
    tell_shop(client, order.id, 100, status="pending", event="a")
    assert order_now(people, order).status is OrderStatus.PENDING
    tell_shop(client, order.id, 100, status="success", event="b")
    assert order_now(people, order).status is OrderStatus.PAID
    assert len(people.in_app(payments.of_order, order.id)) == 1


def test_a_shop_that_says_pending_changes_the_page_by_one_version(
    people: People, client: FlaskClient
) -> None:
    order = people.order(100)
    tell_shop(client, order.id, 100, status="pending", event="a")
    assert order_now(people, order).version == 2
    tell_shop(client, order.id, 100, status="pending", event="b")
    assert order_now(people, order).version == 2, "nothing new was said"


def test_another_currency_pays_nothing(people: People, client: FlaskClient) -> None:
    order = people.order(100)
    assert tell_shop(client, order.id, 100, currency="INR") == 200
    assert order_now(people, order).status is OrderStatus.PENDING
    assert parked(people) == ["another_currency"]


def test_an_order_whose_time_ran_out_says_so_and_late_money_is_taken(
    people: People, client: FlaskClient
) -> None:
    order = people.order(expires_in=timedelta(seconds=60))
    payment = attempt(people, order)
    assert people.in_app(expire.expire_once, now() + timedelta(seconds=61)) == 1
    assert order_now(people, order).status is OrderStatus.EXPIRED
    tell_momo(client, momo_ipn(payment.reference, 50_000))
    late = order_now(people, order)
    assert (late.status, late.late) == (OrderStatus.PAID, True)


def test_an_order_with_time_left_does_not_expire(people: People) -> None:
    people.order(expires_in=timedelta(seconds=60))
    assert people.in_app(expire.expire_once, now() + timedelta(seconds=59)) == 0


def test_money_for_a_cancelled_order_is_held_and_the_order_stays_cancelled(
    people: People, client: FlaskClient
) -> None:
    order = people.order()
    payment = attempt(people, order)
    people.in_app(checkout.cancel, people.shop, order.id, "The customer left")
    tell_momo(client, momo_ipn(payment.reference, 50_000))
    assert order_now(people, order).status is OrderStatus.CANCELLED
    assert balances(people) == {"clearing:momo": 50_000, "suspense": -50_000}


def test_twenty_different_payments_at_once_all_count(app: Flask, people: People) -> None:
    order = people.order(1_000)

    def pay(number: int) -> int:
        return tell_shop(
            app.test_client(), order.id, 50, transaction=f"T{number}", event=f"e{number}"
        )

    with ThreadPoolExecutor(20) as crowd:
        assert set(crowd.map(pay, range(20))) == {200}
    paid = order_now(people, order)
    assert (paid.status, paid.amount_paid, paid.version) == (OrderStatus.PAID, 1_000, 21)
    assert sound(people)
