"""Every posting sums to zero, whatever it is made of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain import ledger
from payments.domain.ledger import Leg, Posting, Unbalanced
from payments.domain.money import MAX_AMOUNT, Money
from payments.domain.states import Recipe

amounts = st.integers(min_value=1, max_value=MAX_AMOUNT)


def legs(posting: Posting) -> dict[str, int]:
    return {leg.account: leg.money.amount for leg in posting.legs}


def test_a_posting_that_does_not_sum_to_zero_cannot_be_made() -> None:
    with pytest.raises(Unbalanced):
        Posting("x", (Leg("a", Money(1, "VND")), Leg("b", Money(-2, "VND"))))


def test_currencies_do_not_balance_each_other() -> None:
    with pytest.raises(Unbalanced):
        Posting("x", (Leg("a", Money(1, "VND")), Leg("b", Money(-1, "INR"))))


dues = st.integers(min_value=-MAX_AMOUNT, max_value=MAX_AMOUNT)


def shared_out(recipe: Recipe, amount: int, due: int, *about: Any) -> dict[str, int]:
    owner, deposit = about
    parts = ledger.split(recipe, amount, due, owner, deposit=deposit)
    made = legs(ledger.received("c", "clearing:momo", "VND", parts))
    assert made["clearing:momo"] == amount
    assert sum(made.values()) == 0
    return {account: -figure for account, figure in made.items()}


@given(amount=amounts, due=dues)
def test_what_a_stranger_pays_is_earned_up_to_what_was_due_and_held_above(
    amount: int, due: int
) -> None:
    made = shared_out(Recipe.RECEIPT, amount, due, None, False)
    assert made.get("revenue", 0) == min(amount, max(due, 0))
    assert made.get("suspense", 0) == amount - min(amount, max(due, 0))


@given(amount=amounts, due=dues)
def test_what_a_customer_pays_too_much_is_in_their_wallet(amount: int, due: int) -> None:
    made = shared_out(Recipe.RECEIPT, amount, due, "U1", False)
    assert made.get("revenue", 0) == min(amount, max(due, 0))
    assert made.get("wallet:U1", 0) == amount - min(amount, max(due, 0))


@given(amount=amounts, due=dues)
def test_a_deposit_earns_the_shop_nothing(amount: int, due: int) -> None:
    made = shared_out(Recipe.RECEIPT, amount, due, "U1", True)
    assert made == {"clearing:momo": -amount, "wallet:U1": amount}


@given(amount=amounts)
def test_money_for_a_cancelled_order_waits_for_staff_whoever_sent_it(amount: int) -> None:
    for deposit in (False, True):
        made = shared_out(Recipe.SUSPENSE, amount, amount, "U1", deposit)
        assert made == {"clearing:momo": -amount, "suspense": amount}


@given(amount=amounts, fee=st.integers(min_value=0, max_value=MAX_AMOUNT))
def test_a_withdrawal_that_is_returned_leaves_no_trace_in_any_balance(
    amount: int, fee: int
) -> None:
    money = Money(amount, "XAF")
    held = legs(ledger.withdrawal_held("a", "U1", money, fee))
    back = legs(ledger.withdrawal_returned("b", "U1", money, fee))
    assert {k: v + back[k] for k, v in held.items()} == dict.fromkeys(held, 0)
    gone = legs(ledger.withdrawal_settled("c", "clearing:campay", money, fee))
    assert gone["clearing:campay"] == -amount
    assert gone.get("fees", 0) == -fee


@given(amount=amounts, share=st.floats(min_value=0, max_value=1))
def test_a_refund_that_fails_leaves_no_trace_in_any_balance(amount: int, share: float) -> None:
    held = int(amount * share)
    money = Money(amount, "VND")
    promised = legs(ledger.refund_promised("a", money, held))
    failed = legs(ledger.refund_failed("b", money, held))
    assert {k: v + failed[k] for k, v in promised.items()} == dict.fromkeys(promised, 0)


def test_a_sale_confirmed_by_hand_and_then_by_the_provider_is_one_sale() -> None:
    money = Money(50_000, "VND")
    due = ledger.Receipt(earned=50_000)
    by_hand = legs(ledger.received("a", ledger.clearing(ledger.BY_HAND), "VND", due))
    moved = legs(ledger.reclassified("b", "momo", money))
    assert by_hand == {"clearing:manual": 50_000, "revenue": -50_000}
    assert moved == {"clearing:momo": 50_000, "clearing:manual": -50_000}
