"""What every provider's callbacks have to bear, whoever wrote the adapter.

`test_contract.py` runs it over each row of `PROVIDERS` that takes callbacks; a provider of your own
passes it by a class that inherits from `Contract` and has a fixture `case`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import TypeVar

import pytest

from payments.domain.errors import BadCallback, ProviderRefused, ProviderUnavailable
from payments.domain.states import Kind
from payments.services.reconcile import reconcile_once
from payments.store import inbox
from payments.store.db import now
from tests.outside import ON_SQLITE, at_once, count, everything
from tests.people import People
from tests.providers.bench import Bench, Desk, opened
from tests.providers.case import Call, Case
from tests.providers.nonsense import NO_CALLBACKS, SAMPLES, fits, nonsense, recorded, touched

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
MOST_PLACES = 1_500
MOST_BELIEVED = 60
CALLERS = 20

Thing = TypeVar("Thing")
Told = tuple[Kind, int, int]
"""An outcome, the share of the price as a divisor, the number of the transaction."""


class Contract:
    """Inherit, and give a fixture `case`."""

    samples = True
    """A recorded callback of the provider's is demanded."""

    @pytest.fixture
    def desk(self, case: Case) -> Iterator[Desk]:
        with opened(case) as desk:
            yield desk

    @pytest.fixture
    def environment(self, case: Case, desk: Desk) -> dict[str, str]:
        return dict(case.settings(desk.url))

    @pytest.fixture
    def bench(self, people: People, case: Case, desk: Desk) -> Bench:
        return Bench(people, case, desk)

    def test_a_good_callback_pays_once(self, bench: Bench) -> None:
        said = bench.order()
        answer = bench.tell(said)
        assert (answer.status_code, answer.data) == (
            bench.rail.answer.status,
            bench.rail.answer.body,
        )
        assert bench.paid(said)
        assert count(bench.people, "postings") == 1
        (attempt,) = bench.attempts(said)
        assert attempt.transaction_id, "the transaction can be found again"

    @ON_SQLITE
    def test_what_it_says_is_what_happens(self, bench: Bench) -> None:
        """Failed is not paid, pending is neither; after both the order can still be paid."""
        for outcome in bench.case.outcomes:
            said = replace(bench.order(), outcome=outcome)
            assert bench.tell(said).status_code == bench.rail.answer.status
            if outcome is Kind.SUCCEEDED:
                assert bench.paid(said)
                continue
            assert bench.found(said).open
            (attempt,) = bench.attempts(said)
            failed = outcome is Kind.FAILED
            assert (attempt.status.value, attempt.failure_code is not None) == (
                "failed" if failed else "pending",
                failed,
            )
            bench.tell(replace(said, outcome=Kind.SUCCEEDED))
            assert bench.paid(said)

    @ON_SQLITE
    def test_a_callback_that_comes_again_changes_nothing(self, bench: Bench) -> None:
        said = bench.order()
        bench.tell(said)
        version, before = bench.found(said).version, everything(bench.people)
        for _ in range(3):
            assert bench.tell(said).status_code == bench.rail.answer.status
        assert bench.paid(said)
        assert bench.found(said).version == version
        # A doorbell may be kept each time; nothing else may leave a trace.
        after = everything(bench.people)
        kept = {"inbox", "audit"} if bench.case.doorbell else set()
        assert {k: n for k, n in after.items() if k not in kept} == {
            k: n for k, n in before.items() if k not in kept
        }
        assert bench.people.in_app(inbox.unresolved) == []

    @ON_SQLITE
    def test_each_changed_byte_is_refused_or_changes_nothing(self, bench: Bench) -> None:
        said = bench.order()
        call = bench.case.call(said)
        believed = []
        for place in spread(range(len(call.body)), MOST_PLACES):
            changed = call.body[:place] + bytes([call.body[place] ^ 1]) + call.body[place + 1 :]
            if self.believes(bench, replace(call, body=changed)):
                believed.append(changed)
        if bench.case.covers_body and not bench.case.doorbell:
            for changed in believed:
                assert touched(call.body, changed) <= bench.case.unsigned, changed
        for changed in spread(believed, MOST_BELIEVED):
            assert bench.send(replace(call, body=changed)).status_code < 500
            bench.ask()
        if bench.case.doorbell:
            assert bench.untouched(said), "the provider, when asked, has said that it waits"
        elif bench.case.covers_body:
            assert bench.untouched(said) or bench.paid(said)
        bench.books()

    @ON_SQLITE
    def test_each_changed_bit_of_the_signature_is_refused(self, bench: Bench) -> None:
        said, proof = bench.order(), bench.case.proof
        call = bench.case.call(said)
        given = proof.of(call)
        for bit in range(len(given) * 8):
            changed = bytearray(given)
            changed[bit // 8] ^= 1 << bit % 8
            if proof.form == "text" and changed[bit // 8] in b"\r\n\0":
                continue  # no header can carry it
            assert not self.believes(bench, proof.altered(call, bytes(changed))), bit
        assert self.believes(bench, proof.altered(call, given)), "the test itself alters nothing"

    @ON_SQLITE
    @pytest.mark.parametrize("text", [None, "", " ", "0", "x" * 5_000, "é", "=,=;", "Bearer "])
    def test_without_its_signature_it_leaves_no_trace(self, bench: Bench, text: str | None) -> None:
        said = bench.order()
        call = bench.case.proof.put(bench.case.call(said), text)
        before = everything(bench.people)
        assert bench.send(call).status_code == 401
        bench.ask()
        assert everything(bench.people) == before
        assert bench.untouched(said)

    @ON_SQLITE
    def test_a_signature_that_stands_twice_does_not_help_a_forger(self, bench: Bench) -> None:
        said, proof = bench.order(), bench.case.proof
        call = bench.case.call(said)
        forged = proof.altered(call, bytes(len(proof.of(call))) if proof.form != "text" else b"0")
        if proof.header:
            for first, second in ((forged, call), (call, forged)):
                twice = (proof.header, second.headers[proof.header])
                answer = bench.send(replace(forged, headers=first.headers), twice)
                assert answer.status_code == 401
        else:
            name = json.dumps(proof.field)
            first_one = f"{{{name}: {json.dumps(proof.text(forged))}, ".encode()
            doubled = replace(call, body=first_one + call.body.lstrip()[1:])
            assert bench.send(doubled).status_code in {400, 401}
        bench.ask()
        assert bench.untouched(said)

    @ON_SQLITE
    def test_another_amount(self, bench: Bench) -> None:
        """Where we set it, it pays nothing and waits for staff; where the payer does, it counts."""
        less, more = bench.order(), bench.order()
        for said, change in ((less, -1), (more, 1)):
            answer = bench.tell(replace(said, amount=said.amount + change))
            assert answer.status_code == bench.rail.answer.status
        bench.books()
        if bench.case.payer_sets_amount:
            assert bench.found(less).status.value == "partially_paid"
            assert bench.found(less).amount_paid == less.amount - 1
            assert bench.found(more).status.value == "paid"
            assert bench.found(more).amount_excess == 1
        else:
            assert bench.untouched(less)
            assert bench.untouched(more)
            reasons = {one.reason for one in bench.people.in_app(inbox.unresolved)}
            assert reasons == {"another_amount"}

    @ON_SQLITE
    def test_another_currency_pays_nothing(self, bench: Bench) -> None:
        other = "USD" if bench.case.currency != "USD" else "EUR"
        elsewhere = bench.order(currency=other)
        told = [elsewhere]
        if bench.case.names_currency:
            told.append(replace(bench.order(), currency=other))
        for said in told:
            assert bench.tell(said).status_code == bench.rail.answer.status
            assert bench.untouched(said)
        reasons = [one.reason for one in bench.people.in_app(inbox.unresolved)]
        assert reasons == ["another_currency"] * len(told)

    @ON_SQLITE
    def test_what_names_no_order_of_ours_is_kept_for_staff(self, bench: Bench) -> None:
        ours = bench.order()
        unknown = replace(ours, order_id="NOBODYS-ORDER", reference="PZZZZZZZZZZZZZZ", number=9)
        assert bench.tell(unknown).status_code == bench.rail.answer.status
        (kept,) = bench.people.in_app(inbox.unresolved)
        assert kept.reason in {"unknown_order", "unknown_payment"}
        assert bench.untouched(ours)

    @ON_POSTGRESQL
    def test_twenty_at_once_make_one_posting(self, bench: Bench) -> None:
        said = bench.order()
        bench.desk.truth[said.reference] = said
        call = bench.case.call(said)
        answers = at_once(CALLERS, lambda _number: bench.send(call).status_code)
        assert set(answers) == {bench.rail.answer.status}
        if bench.case.doorbell and bench.case.rail:
            rails, rail, soon = bench.people.house.rails, bench.case.rail, now()
            at_once(5, lambda _number: bench.people.in_app(reconcile_once, rails, rail, soon))
            assert len(bench.desk.asked) <= 5
        assert bench.paid(said)
        assert count(bench.people, "postings") == 1
        assert len(bench.attempts(said)) == 1

    @ON_SQLITE
    @pytest.mark.parametrize("longest", [2, pytest.param(3, marks=pytest.mark.long)])
    def test_whoever_comes_first_the_end_is_the_same(self, bench: Bench, longest: int) -> None:
        """All orders of up to so many notices, repeats included."""
        ends: dict[frozenset[Told], dict[tuple[object, ...], tuple[Told, ...]]] = {}
        for length in range(1, longest + 1):
            for sequence in product(statements(bench.case), repeat=length):
                said = bench.order()
                for outcome, share, number in sequence:
                    amount = said.amount // share
                    bench.tell(replace(said, outcome=outcome, amount=amount, number=number))
                ends.setdefault(frozenset(sequence), {})[bench.state(said)] = sequence
        assert {told: seen for told, seen in ends.items() if len(seen) != 1} == {}
        bench.books()

    @ON_SQLITE
    def test_what_is_no_callback_is_refused(self, bench: Bench) -> None:
        call = bench.case.call(bench.order())
        before = everything(bench.people)
        for body in NO_CALLBACKS:
            assert bench.send(replace(call, body=body)).status_code in {400, 401}, body[:40]
        assert (
            bench.send(replace(call, body=b'{"a": "' + b"x" * 300_000 + b'"}')).status_code == 413
        )
        typed = replace(call, headers=call.headers | {"Content-Type": "image/png"})
        assert bench.send(typed).status_code == 415
        assert everything(bench.people) == before

    @ON_SQLITE
    def test_nonsense_is_refused_in_words_whoever_signed_it(self, bench: Bench) -> None:
        """Each field of the message, replaced by what it never is: no adapter stumbles."""
        said = bench.order()
        calls = [bench.case.call(replace(said, outcome=one)) for one in bench.case.outcomes]
        for call in [*calls, *recorded(bench.case.key)]:
            for body in nonsense(call.body):
                self.believes(bench, replace(call, body=body))
                try:
                    notices = bench.rail.read(call.headers, body)
                except BadCallback:
                    continue
                for notice in notices:
                    assert fits(notice), body[:500]

    @ON_SQLITE
    def test_nonsense_is_refused_in_words_when_it_is_an_answer(self, bench: Bench) -> None:
        """What a doorbell's provider says when it is asked, field by field."""
        if bench.case.answers is None:
            return
        said = bench.order()
        (payment,) = bench.attempts(said)
        assert bench.rail.fetch(payment).notices
        _, answer = bench.case.answers(f"/{bench.desk.asked[-1]}", bench.desk.truth)
        for body in (*nonsense(json.dumps(answer).encode()), *NO_CALLBACKS):
            bench.desk.instead = body
            try:
                notices = bench.rail.fetch(payment).notices
            except (ProviderRefused, ProviderUnavailable, BadCallback):
                continue
            for notice in notices:
                assert notice.kind is Kind.PROCESSING or fits(notice), body[:500]

    @ON_SQLITE
    def test_the_recorded_callbacks_are_read(self, bench: Bench) -> None:
        calls = list(recorded(bench.case.key))
        assert calls or not self.samples, f"there is none in {SAMPLES / bench.case.key}"
        for call in calls:
            for notice in bench.rail.read(call.headers, call.body):
                assert notice.provider == bench.case.key

    def believes(self, bench: Bench, call: Call) -> bool:
        """Whether the adapter takes it for the provider's. It may refuse, and nothing else."""
        try:
            bench.rail.verify(call.headers, call.body)
            bench.rail.read(call.headers, call.body)
        except BadCallback:
            return False
        return True


def statements(case: Case) -> list[Told]:
    """What may be said of one order: every outcome, and other money where payers set the amount."""
    told: list[Told] = [(outcome, 1, 1) for outcome in case.outcomes]
    if case.payer_sets_amount:
        told += [(Kind.SUCCEEDED, 2, 2), (Kind.SUCCEEDED, 1, 3)]
    return told


def spread(things: Sequence[Thing], most: int) -> Sequence[Thing]:
    """All of them, or so many at even distances."""
    return things[:: max(1, -(-len(things) // most))]
