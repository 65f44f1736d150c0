"""What a withdrawal costs: whole minor units, never a fraction, never more than what moves."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.errors import UnknownCurrency
from payments.domain.fees import RAILS, ROUNDING, WITHDRAWAL, Fees, Rounding, Rule, read_fees
from payments.domain.ledger import BY_HAND
from payments.domain.money import MAX_AMOUNT, Money, exponent
from payments.providers.registry import PAYOUT, PROVIDERS

DIGITS = {"XAF": 0, "VND": 0, "INR": 2, "CHF": 2, "KWD": 3}
currencies = st.sampled_from(sorted(DIGITS))
amounts = st.integers(1, MAX_AMOUNT)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    least = draw(st.integers(0, 10_000))
    most = draw(st.none() | st.integers(least, 1_000_000))
    return Rule(draw(st.integers(0, 10_000)), draw(st.integers(0, 100_000)), least, most)


@pytest.mark.parametrize(
    ("rates", "money", "fee"),
    [
        ("withdrawal:campay:XAF=1.5%+50", Money(10_000, "XAF"), 200),
        ("withdrawal:campay:XAF=1.5%+50", Money(10_033, "XAF"), 200),
        ("withdrawal:campay:XAF=1.5%+50", Money(10_034, "XAF"), 201),
        ("withdrawal:*:VND=3300", Money(50_000, "VND"), 3_300),
        ("withdrawal:*:INR=0.25%", Money(2_00, "INR"), 1),
        ("withdrawal:*:INR=0.25%", Money(1_99, "INR"), 0),
        ("withdrawal:*:KWD=0.1%+100", Money(12_500, "KWD"), 113),
        ("withdrawal:*:CHF=1%", Money(12_34, "CHF"), 10),
        ("withdrawal:*:CHF=1%", Money(12_50, "CHF"), 15),
        ("withdrawal:*:XAF=1% min 100", Money(1_000, "XAF"), 100),
        ("withdrawal:*:XAF=1% min 100 max 500", Money(1_000_000, "XAF"), 500),
        ("withdrawal:*:XAF=3300", Money(1_000, "XAF"), 1_000),
        ("withdrawal:campay:XAF=0,withdrawal:*:XAF=100", Money(1_000, "XAF"), 0),
        ("withdrawal:campay:VND=100", Money(1_000, "XAF"), 0),
        ("", Money(1_000, "XAF"), 0),
    ],
)
def test_the_fee_of_a_withdrawal_by_campay(rates: str, money: Money, fee: int) -> None:
    assert read_fees(rates).of(WITHDRAWAL, "campay", money) == fee


def test_a_rule_of_the_rail_comes_before_one_of_any() -> None:
    fees = read_fees("withdrawal:*:XAF=100,withdrawal:campay:XAF=1%")
    assert fees.of(WITHDRAWAL, "campay", Money(20_000, "XAF")) == 200
    assert fees.of(WITHDRAWAL, BY_HAND, Money(20_000, "XAF")) == 100


@given(rules(), amounts, currencies)
def test_the_fee_and_what_is_left_of_an_amount_are_the_amount(
    rule: Rule, amount: int, currency: str
) -> None:
    assert exponent(currency) == DIGITS[currency]
    fee = rule.of(Money(amount, currency))
    assert type(fee) is int
    assert 0 <= fee <= amount
    assert rule.most is None or fee <= rule.most
    assert fee >= min(rule.least, amount)


@given(rules(), amounts, st.integers(0, 10**9), currencies)
def test_more_money_never_costs_less(rule: Rule, amount: int, more: int, currency: str) -> None:
    assert rule.of(Money(amount, currency)) <= rule.of(Money(amount + more, currency))


@given(
    st.integers(0, 10**15),
    st.integers(1, 10**6),
    st.sampled_from([1, 5, 100]),
    st.sampled_from(["half", "up", "down"]),
)
def test_rounding_is_to_a_step_and_by_less_than_one(
    top: int, bottom: int, step: int, mode: str
) -> None:
    rounded, exact = Rounding(step, mode).of(top, bottom), Fraction(top, bottom)
    assert rounded % step == 0
    if mode == "up":
        assert 0 <= rounded - exact < step
    elif mode == "down":
        assert 0 <= exact - rounded < step
    else:
        assert 2 * abs(rounded - exact) <= step
        assert 2 * (exact - rounded) != step, "a half goes up"


def test_every_rounding_is_of_a_currency_and_every_rail_can_send() -> None:
    assert all(exponent(currency) >= 0 for currency in ROUNDING)
    able = {
        key
        for key, spec in PROVIDERS.items()
        if any(PAYOUT in adapter.abilities for adapter in spec.adapters)
    }
    assert {*able, BY_HAND} == RAILS
    assert able == {key for key, spec in PROVIDERS.items() if spec.payouts}


@pytest.mark.parametrize(
    "rates",
    [
        "deposit:momo:VND=1%",
        "withdrawal:momo:VND=1%",
        "withdrawal:*:VND=-1",
        "withdrawal:*:VND=1.234%",
        "withdrawal:*:VND=101%",
        "withdrawal:*:VND=1%+",
        "withdrawal:*:VND=",
        "withdrawal:*:VND",
        "withdrawal:*:VND=1% max 5 min 1",
        "withdrawal:*:VND=1% min 6 max 5",
        "withdrawal:*:VND=1,withdrawal:*:VND=2",
        "withdrawal:*:VND=٣",
        "nonsense",
    ],
)
def test_rates_that_cannot_be_are_refused(rates: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (its words are the setting's)
        read_fees(rates)


def test_a_currency_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownCurrency):
        read_fees("withdrawal:*:XXQ=1")


def test_no_rules_cost_nothing() -> None:
    assert Fees({}).of(WITHDRAWAL, "campay", Money(10**9, "XAF")) == 0
