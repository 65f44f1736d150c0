"""`TRANSITIONS` is whole: a cell is a move or impossible, and promises hold over all of it."""

from __future__ import annotations

from itertools import product

import pytest

from payments.domain.states import (
    FACTS,
    OPEN,
    TRANSITIONS,
    UNSETTLED,
    Kind,
    OrderStatus,
    PaymentStatus,
    Recipe,
)

MONEY_CAME = {Kind.PART_RECEIVED, Kind.FULL_RECEIVED, Kind.EXCESS_RECEIVED}
MOVES = list(TRANSITIONS.items())


@pytest.mark.parametrize(("cell", "move"), MOVES, ids=[f"{s}-{k.name}" for (s, k), _ in MOVES])
def test_a_move_stays_within_its_kind_of_thing(cell, move) -> None:  # type: ignore[no-untyped-def]
    status, kind = cell
    assert type(move.to) is type(status)
    if kind in MONEY_CAME:
        assert move.posting is not None
        assert move.fact is not None


def test_success_is_never_left() -> None:
    left = [move for (status, _), move in MOVES if status is PaymentStatus.SUCCEEDED]
    assert {move.to for move in left} == {PaymentStatus.SUCCEEDED}


def test_money_can_come_to_an_attempt_in_every_state_but_success() -> None:
    for status in set(PaymentStatus) - {PaymentStatus.SUCCEEDED}:
        assert TRANSITIONS[status, Kind.SUCCEEDED].to is PaymentStatus.SUCCEEDED


def test_a_second_success_of_another_transaction_is_impossible() -> None:
    assert (PaymentStatus.SUCCEEDED, Kind.SUCCEEDED) not in TRANSITIONS


def test_a_late_failure_never_lowers_paid() -> None:
    assert (PaymentStatus.SUCCEEDED, Kind.FAILED) not in TRANSITIONS
    move = TRANSITIONS[OrderStatus.PAID, Kind.ATTEMPT_FAILED]
    assert (move.to, move.fact) == (OrderStatus.PAID, None)


def test_money_has_a_home_in_every_state_of_an_order() -> None:
    for status in OrderStatus:
        assert (status, Kind.EXCESS_RECEIVED) in TRANSITIONS


def test_only_an_open_or_expired_order_can_be_owed_something() -> None:
    owed = {s for s, k in TRANSITIONS if k in {Kind.PART_RECEIVED, Kind.FULL_RECEIVED}}
    assert owed == OPEN | {OrderStatus.EXPIRED}


def test_money_after_expiry_is_late_and_only_then() -> None:
    late = {status for (status, _), move in MOVES if move.late}
    assert late == {OrderStatus.EXPIRED}


def test_money_after_cancellation_is_held() -> None:
    move = TRANSITIONS[OrderStatus.CANCELLED, Kind.EXCESS_RECEIVED]
    assert (move.to, move.posting) == (OrderStatus.CANCELLED, Recipe.SUSPENSE)


def test_an_unsettled_attempt_ends_with_its_order() -> None:
    for status, kind in product(UNSETTLED, (Kind.LAPSED, Kind.WITHDRAWN)):
        assert TRANSITIONS[status, kind].to not in UNSETTLED


def test_facts_are_named_in_the_past_tense() -> None:
    assert {fact.split(".")[0] for fact in FACTS} == {"order", "payment"}
    assert all(fact.endswith(("ed", "paid", "held")) and fact.count(".") == 1 for fact in FACTS)
