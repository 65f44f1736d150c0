"""A callback that proves nothing rings a bell: the provider is asked, and its answer counts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
import requests

from payments.domain.errors import ProviderUnavailable
from payments.domain.order import Payment
from payments.domain.ports import Payer
from payments.domain.questions import FIRST_QUESTION
from payments.domain.states import Kind
from payments.providers.campay import Campay
from payments.providers.circuit import FIRST_PAUSE
from payments.services.checkout import start_payment
from payments.services.reconcile import reconcile_once
from payments.store import inbox, payments
from payments.store.db import in_transaction, now
from tests.outside import at_once, attempt_of, begin, count, everything, momo_notice
from tests.people import People
from tests.providers.bench import Bench, Desk, opened
from tests.providers.case import Json, Said
from tests.providers.cases.campay import CASE, record
from tests.sandbox.world import World
from tests.servers import AppServer

SOON = timedelta(seconds=1)
AGAIN = timedelta(seconds=11.5)
"""A question that nobody answered is put again after 10 s, a tenth more or less."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    with opened(CASE) as desk:
        yield desk


@pytest.fixture
def environment(desk: Desk, phone: World) -> dict[str, str]:
    return {**CASE.settings(desk.url), "MOMO_API_URL": f"{phone.url}/momo"}


@pytest.fixture
def bench(people: People, desk: Desk) -> Bench:
    return Bench(people, CASE, desk)


@pytest.fixture
def said(bench: Bench) -> Said:
    return bench.order()


def rings(bench: Bench, said: Said) -> None:
    """They have paid, and CamPay calls in words of its own; nobody has asked yet."""
    bench.desk.truth[said.reference] = said
    assert bench.send(CASE.call(said)).status_code == 200


def ask(bench: Bench, after: timedelta = SOON, rail: str = "campay") -> int:
    at = now() + after
    return bench.people.in_app(reconcile_once, bench.people.house.rails, rail, at)


def verdicts(bench: Bench, said: Said) -> list[str]:
    return [entry.verdict for entry in bench.people.in_app(inbox.of_order, said.order_id)]


def test_nothing_of_it_is_believed_until_the_provider_has_said_so(bench: Bench, said: Said) -> None:
    bench.send(CASE.call(replace(said, number=2)))
    assert bench.untouched(said)
    assert verdicts(bench, said) == ["rung"]
    assert ask(bench) == 1
    assert bench.untouched(said), "CamPay, when asked, says that it is pending"
    rings(bench, said)
    assert ask(bench, timedelta(seconds=3)) == 1
    assert bench.paid(said)


def test_the_money_is_the_answers_whatever_the_callback_said(bench: Bench, said: Said) -> None:
    bench.desk.truth[said.reference] = said
    bench.send(CASE.call(replace(said, amount=1, outcome=Kind.FAILED)))
    ask(bench)
    assert bench.paid(said)


def test_it_is_asked_at_once_however_long_the_next_question_was_away(
    bench: Bench, said: Said
) -> None:
    tomorrow = now() + timedelta(days=1)

    def later() -> None:
        payment = payments.find(said.reference)
        assert payment is not None
        payments.move(payment, ask_at=tomorrow)

    bench.people.in_app(in_transaction, later)
    rings(bench, said)
    assert ask(bench) == 1
    assert bench.paid(said)


def test_who_rings_just_after_a_question_is_not_forgotten(bench: Bench, said: Said) -> None:
    """CamPay said "pending"; half a second later they paid, and it rang."""
    bench.send(CASE.call(replace(said, number=2)))
    assert ask(bench, timedelta()) == 1
    rings(bench, said)
    assert ask(bench, timedelta(seconds=0.5)) == 0, "once a second is often enough"
    assert ask(bench, timedelta(seconds=1.5)) == 1
    assert bench.paid(said)


def test_who_rings_while_the_question_is_out_is_not_forgotten(
    bench: Bench, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bench.rail.fetch

    def meanwhile(payment: object) -> object:
        answer = real(payment)  # type: ignore[arg-type]
        rings(bench, said)
        return answer

    bench.send(CASE.call(replace(said, number=2)))
    with monkeypatch.context() as changed:
        changed.setattr(bench.rail, "fetch", meanwhile)
        assert ask(bench, timedelta()) == 1
    assert bench.untouched(said)
    assert ask(bench, timedelta(seconds=1.5)) == 1
    assert bench.paid(said)


def test_a_hundred_rings_make_one_question(bench: Bench, said: Said) -> None:
    calls = [CASE.call(replace(said, number=number)) for number in range(100)]
    assert set(at_once(10, lambda n: bench.send(calls[n]).status_code)) == {200}
    for call in calls:
        bench.send(call)
    assert verdicts(bench, said) == ["rung"] * 100
    assert sum(ask(bench, timedelta(seconds=0.1)) for _ in range(5)) == 1
    assert len(bench.desk.asked) == 1


def test_a_ring_that_nobody_heard_out_is_heard_after_the_crash(
    bench: Bench, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the database before CamPay is thanked; the process that asked has died over it."""

    def crash(_payment: object) -> None:
        raise RuntimeError("power cut")

    rings(bench, said)
    with monkeypatch.context() as changed:
        changed.setattr(bench.rail, "fetch", crash)
        with pytest.raises(RuntimeError):
            ask(bench)
    assert ask(bench, SOON * 3) == 0, "not faster than after an answer"
    assert ask(bench, SOON + AGAIN) == 1
    assert bench.paid(said)


@pytest.mark.parametrize("age", [timedelta(minutes=1), timedelta(days=2)])
def test_while_the_provider_is_away_it_is_asked_again_and_again(
    bench: Bench, said: Said, monkeypatch: pytest.MonkeyPatch, age: timedelta
) -> None:
    """With longer and longer pauses, but soon enough, however old the attempt is."""

    def away(_payment: object) -> None:
        raise ProviderUnavailable("away")

    def older() -> None:
        payment = payments.find(said.reference)
        assert payment is not None
        payments.move(payment, created_at=now() - age)

    bench.people.in_app(in_transaction, older)
    rings(bench, said)
    at, asked = timedelta(seconds=1), []
    with monkeypatch.context() as changed:
        changed.setattr(bench.rail, "fetch", away)
        while at < timedelta(minutes=30):
            if ask(bench, at):
                asked.append(at)
            at += timedelta(seconds=1)
    assert 5 < len(asked) < 20
    pauses = [later - sooner for sooner, later in pairwise(asked)]
    assert max(pauses) <= timedelta(minutes=5, seconds=35)
    assert pauses[-1] > FIRST_PAUSE * 3
    while not ask(bench, at):
        at += timedelta(seconds=1)
    assert at < timedelta(minutes=36)
    assert bench.paid(said)


def test_a_failure_that_was_none_is_learned_of_though_the_provider_was_away(
    bench: Bench, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.tell(replace(said, outcome=Kind.FAILED))
    (attempt,) = bench.attempts(said)
    assert attempt.status.value == "failed"

    def away(_payment: object) -> None:
        raise ProviderUnavailable("away")

    rings(bench, said)
    with monkeypatch.context() as changed:
        changed.setattr(bench.rail, "fetch", away)
        assert ask(bench, timedelta(seconds=10)) == 1
    assert ask(bench, timedelta(seconds=12)) == 0
    assert ask(bench, timedelta(seconds=25)) == 1
    assert bench.paid(said)
    assert ask(bench, timedelta(days=3)) == 0


def test_an_answer_that_makes_no_sense_is_asked_for_again(
    bench: Bench, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = bench.order()
    for one in (said, other):
        rings(bench, one)
    monkeypatch.setitem(bench.desk.truth, said.reference, replace(said, currency="?" * 50))
    assert ask(bench) == 2, "it keeps nobody else waiting"
    assert bench.untouched(said)
    assert bench.paid(other)
    bench.desk.truth[said.reference] = said
    assert ask(bench, SOON + AGAIN) == 1
    assert bench.paid(said)


class TestCallbacksThatAreRefused:
    """Somebody, or something, says what it cannot prove. That may still be a hint."""

    def unsigned(self, bench: Bench, said: Said, provider: str = "campay") -> int:
        body = CASE.proof.put(CASE.call(said), None)
        client = bench.people.app.test_client()
        answer = client.post(f"/callbacks/{provider}", data=body.body, headers=body.headers)
        return answer.status_code

    def test_it_leaves_no_trace_and_makes_one_question_in_ten_seconds(
        self, bench: Bench, said: Said
    ) -> None:
        before = everything(bench.people)
        asked = 0
        for second in range(0, 40, 2):
            assert self.unsigned(bench, said) == 401
            asked += ask(bench, timedelta(seconds=second))
        assert 3 <= asked <= 5
        assert everything(bench.people) == before
        assert bench.untouched(said)

    def test_what_it_hints_at_is_found(self, bench: Bench, said: Said) -> None:
        bench.desk.truth[said.reference] = said
        assert self.unsigned(bench, said, "pay2s") == 404, "not set up here"
        assert self.unsigned(bench, said, "generic") == 401
        assert ask(bench) == 1
        assert bench.paid(said)

    def test_a_flood_of_them_makes_one_question(self, bench: Bench, said: Said) -> None:
        at_once(20, lambda _n: self.unsigned(bench, said))
        assert sum(ask(bench, timedelta(seconds=0.5)) for _ in range(3)) == 1
        assert len(bench.desk.asked) == 1

    def test_one_that_names_nothing_of_ours_makes_none(self, bench: Bench, said: Said) -> None:
        others = replace(said, reference="PZZZZZZZZZZZZZZ")
        assert self.unsigned(bench, others) == 401
        assert ask(bench) == 0


def test_a_signed_callback_that_cannot_be_true_makes_one_question(
    people: People, bench: Bench, phone: World
) -> None:
    """MoMo's signature, and another amount: it pays nothing, and MoMo is asked what is so."""
    order = people.order()
    begin(people, order.id)
    attempt = attempt_of(people, order.id)
    paid = phone.decide("pay", attempt.reference, silent=True)["transId"]
    for number in range(5):
        lie = momo_notice(attempt, transId=paid, amount=attempt.amount - 1 - number, resultCode=0)
        assert people.app.test_client().post("/callbacks/momo", json=lie).status_code == 204
    assert count(people, "postings") == 0
    assert [ask(bench, timedelta(seconds=n), "momo") for n in (1, 2, 3)] == [1, 0, 0]
    assert attempt_of(people, order.id).status.value == "succeeded"
    assert count(people, "postings") == 1


THEIRS = "5d1c7b3e-1f2a-4f0e-9b1d-000000000001"
"""CamPay's own reference of the one attempt that it has taken."""


def takes_one(path: str, truth: Mapping[str, Said]) -> tuple[int, Json]:
    if path == "/collect/":
        return 200, {"reference": THEIRS, "ussd_code": "*126#", "operator": "mtn"}
    (said,) = truth.values()
    return 200, record(said) | {"reference": THEIRS}


class TestARealServer:
    @pytest.fixture
    def desk(self) -> Iterator[Desk]:
        with opened(replace(CASE, answers=takes_one)) as desk:
            yield desk

    @pytest.fixture
    def server(self, desk: Desk) -> Iterator[AppServer]:
        with AppServer(CASE.settings(desk.url)) as server:
            yield server

    def test_it_asks_within_a_second(self, server: AppServer, desk: Desk) -> None:
        key = server.flask("api-key", "create", "shop").split()[0]
        shop = requests.Session()
        shop.headers["Authorization"] = f"Bearer {key}"
        new = {"amount": CASE.price, "currency": "XAF", "description": "Coffee"}
        order = f"{server.url}/api/v1/orders"
        order += "/" + shop.post(order, json=new, timeout=10).json()["id"]
        by_phone = {"provider": "campay", "phone": "670000001"}
        began = shop.post(f"{order}/payments", json=by_phone, timeout=10).json()
        said = Said(order.rpartition("/")[2], began["reference"], CASE.price, "XAF")
        desk.truth[said.reference] = said
        call = CASE.call(replace(said, outcome=Kind.FAILED))
        address = f"{server.url}/callbacks/campay"
        rung = time.monotonic()
        answer = requests.post(address, data=call.body, headers=call.headers, timeout=10)
        assert answer.status_code == 200
        while f"transaction/{THEIRS}/" not in desk.asked:
            assert time.monotonic() - rung < FIRST_QUESTION.total_seconds() / 2, server.log()
            time.sleep(0.01)
        while shop.get(order, timeout=10).json()["status"] != "paid":
            assert time.monotonic() - rung < 20, server.log()
            time.sleep(0.05)


def test_who_rings_before_our_prompt_is_answered_is_asked_although_that_answer_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, order = bench.people, bench.people.order(CASE.price, CASE.currency)

    def lost(_rail: Campay, payment: Payment, *_asked: object) -> None:
        rings(bench, Said(order.id, payment.reference, order.amount, order.currency))
        raise ProviderUnavailable("They have paid, and we shall never hear of it.")

    monkeypatch.setattr(Campay, "start", lost)
    asked = (people.house.rails, people.shop, order.id, "campay", Payer(phone="+237670000001"))
    with pytest.raises(ProviderUnavailable):
        people.in_app(start_payment, *asked, "http://localhost/back", "en")
    assert attempt_of(people, order.id).status.value == "failed"
    assert ask(bench) == 1
    assert attempt_of(people, order.id).status.value == "succeeded"
