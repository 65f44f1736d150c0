"""Money is whole minor units of a currency of ISO 4217."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.errors import InvalidAmount, UnknownCurrency
from payments.domain.money import MAX_AMOUNT, Money, exponent, from_major, price, to_major


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("VND", 0), ("XAF", 0), ("INR", 2), ("LKR", 2), ("KWD", 3), ("MMK", 2), ("IQD", 3)],
)
def test_a_currency_has_the_digits_of_iso_4217(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize("currency", ["", "XXX", "vnd", "DOGE", "XAU", "ZZZ", "\x00", "₫"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(UnknownCurrency):
        exponent(currency)


@pytest.mark.parametrize("amount", [0, -1, 1.5, 100.0, "100", True, None, MAX_AMOUNT + 1, [1]])
def test_a_price_is_a_positive_whole_number_within_reason(amount: object) -> None:
    with pytest.raises(InvalidAmount):
        price(amount, "VND")


@pytest.mark.parametrize("currency", [None, 704, ["VND"]])
def test_a_currency_is_a_text(currency: object) -> None:
    with pytest.raises(UnknownCurrency):
        price(1, currency)


def test_a_float_never_becomes_money() -> None:
    with pytest.raises(InvalidAmount):
        Money(1.0, "INR")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("150000", "VND", 150_000),
        ("150 000", "VND", 150_000),
        ("12.5", "INR", 1_250),
        ("12.50", "INR", 1_250),
        ("0.001", "KWD", 1),
        ("007", "LKR", 700),
    ],
)
def test_a_typed_price_is_read_exactly(text: str, currency: str, amount: int) -> None:
    assert from_major(text, currency) == Money(amount, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [("1.5", "VND"), ("12.505", "INR"), ("1e3", "VND"), ("-5", "VND"), ("٣", "VND"), ("", "VND")],
)
def test_a_typed_price_that_would_have_to_be_rounded_is_refused(text: str, currency: str) -> None:
    with pytest.raises(InvalidAmount):
        from_major(text, currency)


@given(
    amount=st.integers(min_value=1, max_value=MAX_AMOUNT),
    currency=st.sampled_from(["VND", "INR", "KWD", "XAF", "LKR"]),
)
def test_what_is_written_is_read_back(amount: int, currency: str) -> None:
    assert from_major(to_major(amount, currency), currency) == Money(amount, currency)
