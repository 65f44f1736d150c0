"""An attempt to pay is begun; where the provider refuses or is away, the order stays payable."""

from __future__ import annotations

import pytest
from flask import Flask

from payments.services import expire
from payments.store.db import now
from tests.outside import ON_SQLITE, Caller, Json, attempt_of, done, everything, momo_calls, problem
from tests.people import People
from tests.sandbox.world import World
from tests.servers import free_port

MOMO = {"provider": "momo"}


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo"}


@pytest.fixture
def shop(app: Flask, people: People) -> Caller:
    return Caller(app, people.key())


def test_an_attempt_says_what_the_payer_has_to_do(shop: Caller, people: People) -> None:
    order = people.order()
    told = done(shop.post(f"/orders/{order.id}/payments", MOMO), 201)
    assert (told["provider"], told["status"], told["amount"]) == ("momo", "pending", 50_000)
    assert told["action"]["type"] == "qr"
    assert told["action"]["qr"]
    assert told["action"]["url"].startswith("http")
    read = done(shop.get(f"/orders/{order.id}"))
    assert read["payment"] == told
    assert (read["status"], read["display"], read["version"]) == ("pending", "pending", 2)


def test_the_callback_pays_what_was_begun(app: Flask, shop: Caller, people: People) -> None:
    order = people.order()
    reference = done(shop.post(f"/orders/{order.id}/payments", MOMO), 201)["reference"]
    attempt = attempt_of(people, order.id)
    assert attempt.reference == reference
    for _ in range(2):
        assert momo_calls(app, attempt).status_code == 204
    read = done(shop.get(f"/orders/{order.id}"))
    assert (read["status"], read["amount_paid"], read["amount_due"]) == ("paid", 50_000, 0)
    assert (read["payment"]["status"], read["payment"]["action"]) == ("succeeded", None)


def test_whose_order_it_is_may_pay_it(app: Flask, people: People) -> None:
    owner = people.owner.user
    assert owner is not None
    order = people.order(customer_id=owner.id)
    done(Caller(app, people.token(people.owner)).post(f"/orders/{order.id}/payments", MOMO), 201)
    browser = people.browser(order)
    answer = browser.post(
        f"/api/v1/orders/{order.id}/payments", json=MOMO, headers={"Origin": "http://localhost"}
    )
    done(answer, 201)


REFUSED: list[tuple[Json, str, str]] = [
    ({}, "invalid_provider", "provider"),
    ({"provider": None}, "invalid_provider", "provider"),
    ({"provider": 7}, "invalid_provider", "provider"),
    ({"provider": "m" * 33}, "invalid_provider", "provider"),
    *(
        ({"provider": one}, "provider_not_offered", "provider")
        for one in ("", "none", "generic", "manual", "MOMO", "../momo")
    ),
    *(({**MOMO, "phone": one}, "invalid_phone", "phone") for one in (7, "9" * 33)),
    ({**MOMO, "email": "e" * 255}, "invalid_email", "email"),
    ({**MOMO, "return_url": "javascript:alert(1)"}, "invalid_return_url", "return_url"),
]


def test_what_is_no_way_to_pay_is_refused_and_begins_nothing(shop: Caller, people: People) -> None:
    order = people.order()
    before = everything(people)
    for body, code, about in REFUSED:
        problem(shop.post(f"/orders/{order.id}/payments", body), 400, code, about)
    assert everything(people) == before


def test_a_wallet_pays_for_a_person_alone_and_no_more_than_it_holds(
    app: Flask, shop: Caller, people: People
) -> None:
    order = people.order()
    clerk = Caller(app, people.token(people.clerk))
    before, path = everything(people), f"/orders/{order.id}/payments"
    from_wallet = {"provider": "wallet"}
    problem(shop.post(path, from_wallet), 403, "forbidden")
    problem(clerk.post(path, from_wallet), 400, "insufficient_funds", "amount")
    browser = people.browser(order)
    answer = browser.post(
        f"/api/v1{path}", json=from_wallet, headers={"Origin": "http://localhost"}
    )
    problem(answer, 401, "unauthorized")
    problem(Caller(app).post(path, from_wallet), 401, "unauthorized")
    assert everything(people) == before


@ON_SQLITE
@pytest.mark.parametrize(
    ("amount", "currency", "code", "about"),
    [
        (999, "VND", "amount_outside_limits", "amount"),
        (50_000_001, "VND", "amount_outside_limits", "amount"),
        (50_000, "INR", "currency_not_taken", "currency"),
    ],
)
def test_what_the_rail_does_not_take_is_refused_before_it_is_asked(
    shop: Caller, people: People, amount: int, currency: str, code: str, about: str
) -> None:
    order = people.order(amount, currency)
    before = everything(people)
    problem(shop.post(f"/orders/{order.id}/payments", MOMO), 400, code, about)
    assert everything(people) == before


def test_an_order_that_has_ended_is_not_paid(shop: Caller, people: People) -> None:
    paid, cancelled, expired = (people.order() for _ in range(3))
    clerk = Caller(shop.client.application, people.token(people.clerk))
    seen = {"amount": 50_000, "reason": "seen it", "evidence": "receipt 1"}
    done(clerk.post(f"/orders/{paid.id}/confirm", seen))
    done(shop.post(f"/orders/{cancelled.id}/cancel"))
    people.in_app(expire.expire_once, expired.expires_at)
    for order in (paid, cancelled, expired):
        before = done(shop.get(f"/orders/{order.id}"))
        assert before["status"] != "pending"
        problem(shop.post(f"/orders/{order.id}/payments", MOMO), 409, "order_not_payable")
        assert done(shop.get(f"/orders/{order.id}")) == before


def test_an_order_whose_time_has_run_out_is_not_paid_before_the_sweep_either(
    shop: Caller, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = people.order()
    monkeypatch.setattr("payments.services.attempts.now", lambda: order.expires_at)
    assert now() < order.expires_at
    problem(shop.post(f"/orders/{order.id}/payments", MOMO), 409, "order_not_payable")


class TestWhenTheProviderIsAway:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"MOMO_API_URL": f"http://127.0.0.1:{free_port()}"}

    def test_the_attempt_fails_and_the_order_stays_payable(
        self, shop: Caller, people: People
    ) -> None:
        order = people.order()
        for attempt in (1, 2):
            answer = shop.post(f"/orders/{order.id}/payments", MOMO)
            problem(answer, 502, "provider_unavailable")
            read = done(shop.get(f"/orders/{order.id}"))
            assert (read["status"], read["display"]) == ("pending", "failed")
            assert read["payment"]["status"] == "failed"
            assert read["payment"]["failure_code"] == "provider_unavailable"
            assert everything(people)["payments"] == attempt


class TestWhenTheProviderRefuses:
    @pytest.fixture
    def environment(self, phone: World) -> dict[str, str]:
        # Another shop's secret: the provider does not believe our signature.
        return {"MOMO_API_URL": f"{phone.url}/momo", "MOMO_SECRET_KEY": "a secret of another shop"}

    def test_its_reason_is_told_and_the_order_stays_payable(
        self, shop: Caller, people: People
    ) -> None:
        order = people.order()
        answer = shop.post(f"/orders/{order.id}/payments", MOMO)
        assert answer.status_code in {422, 502}
        problem(answer, answer.status_code, answer.get_json(force=True)["code"])
        assert "a secret of another shop" not in answer.get_data(as_text=True)
        read = done(shop.get(f"/orders/{order.id}"))
        assert (read["status"], read["payment"]["status"]) == ("pending", "failed")
