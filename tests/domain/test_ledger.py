"""Every posting sums to zero, whatever it is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain import ledger
from payments.domain.ledger import Leg, Posting, Unbalanced
from payments.domain.money import MAX_AMOUNT, Money

amounts = st.integers(min_value=1, max_value=MAX_AMOUNT)


def legs(posting: Posting) -> dict[str, int]:
    return {leg.account: leg.money.amount for leg in posting.legs}


def test_a_posting_that_does_not_sum_to_zero_cannot_be_made() -> None:
    with pytest.raises(Unbalanced):
        Posting("x", (Leg("a", Money(1, "VND")), Leg("b", Money(-2, "VND"))))


def test_currencies_do_not_balance_each_other() -> None:
    with pytest.raises(Unbalanced):
        Posting("x", (Leg("a", Money(1, "VND")), Leg("b", Money(-1, "INR"))))


@given(received=amounts, due=st.integers(min_value=-MAX_AMOUNT, max_value=MAX_AMOUNT))
def test_what_is_received_is_earned_up_to_what_was_due_and_held_above(
    received: int, due: int
) -> None:
    made = legs(ledger.received("c", "momo", Money(received, "VND"), due))
    assert made["clearing:momo"] == received
    assert -made.get("revenue", 0) == min(received, max(due, 0))
    assert sum(made.values()) == 0


@given(amount=amounts, share=st.floats(min_value=0, max_value=1))
def test_a_refund_that_fails_leaves_no_trace_in_any_balance(amount: int, share: float) -> None:
    held = int(amount * share)
    money = Money(amount, "VND")
    promised = legs(ledger.refund_promised("a", money, held))
    failed = legs(ledger.refund_failed("b", money, held))
    assert {k: v + failed[k] for k, v in promised.items()} == dict.fromkeys(promised, 0)


def test_a_sale_confirmed_by_hand_and_then_by_the_provider_is_one_sale() -> None:
    money = Money(50_000, "VND")
    by_hand = legs(ledger.received("a", ledger.BY_HAND, money, 50_000))
    moved = legs(ledger.reclassified("b", "momo", money))
    assert by_hand == {"clearing:manual": 50_000, "revenue": -50_000}
    assert moved == {"clearing:momo": 50_000, "clearing:manual": -50_000}
