"""Where money may be sent, in each currency, as people write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.errors import InvalidInput
from payments.domain.withdrawals import FORMS, destination_of


@pytest.mark.parametrize(
    ("currency", "given", "kept"),
    [
        ("XAF", "6 77 12 34 56", {"phone": "237677123456"}),
        ("XAF", "+237-677-12-34-56", {"phone": "237677123456"}),
        (
            "XAF",
            {"phone": "677123456", "name": " Awa  Ngo "},
            {"phone": "237677123456", "name": "Awa Ngo"},
        ),
        ("VND", "0912 345 678", {"phone": "0912345678"}),
        ("VND", "+84 912 345 678", {"phone": "0912345678"}),
        ("VND", "0011002233445", {"account": "0011002233445"}),
        (
            "VND",
            {"bank_bin": "970436", "account": "0011 0022 33445", "name": "NGUYỄN THỊ MAI"},
            {"bank_bin": "970436", "account": "0011002233445", "name": "NGUYỄN THỊ MAI"},
        ),
        ("INR", "mai.n@upi", {"vpa": "mai.n@upi"}),
        ("INR", {"vpa": "mai@upi", "name": ""}, {"vpa": "mai@upi"}),
        ("INR", "98765 43210", {"phone": "9876543210"}),
        (
            "INR",
            {"account": "000111222333", "ifsc": "HDFC0000001", "name": "Mai"},
            {"account": "000111222333", "ifsc": "HDFC0000001", "name": "Mai"},
        ),
        ("LKR", "8001234567", {"account": "8001234567"}),
        (
            "EUR",
            {"account": "DE89 3704 0044 0532 0130 00", "name": "Mai"},
            {"account": "DE89370400440532013000", "name": "Mai"},
        ),
    ],
)
def test_what_people_write_is_kept_in_one_form(
    currency: str, given: object, kept: dict[str, str]
) -> None:
    assert destination_of(currency, given) == kept


@pytest.mark.parametrize(
    ("currency", "given"),
    [
        ("XAF", ""),
        ("XAF", "577123456"),
        ("XAF", "67712345"),
        ("XAF", "+33677123456"),
        ("XAF", {"account": "0011002233445"}),
        ("XAF", {"phone": 677123456}),
        ("XAF", {"phone": "677123456", "colour": "red"}),
        ("XAF", {"name": "Awa"}),
        ("XAF", {}),
        ("XAF", ["677123456"]),
        ("XAF", None),
        ("XAF", "677123456\n"),
        ("VND", "12"),
        ("VND", {"bank_bin": "97043", "account": "0011002233445"}),
        ("VND", {"account": "0011002233445", "name": "<script>"}),
        ("VND", {"account": "0011002233445", "name": "M\x00"}),
        ("INR", "000111222333444555666"),
        ("INR", {"account": "000111222333"}),
        ("INR", {"account": "000111222333", "ifsc": "HDFC1000001"}),
        ("INR", "mai@"),
        ("LKR", "x" * 200),
        ("EUR", {"account": {"number": "1"}}),
    ],
)
def test_what_is_no_destination_is_refused_by_name(currency: str, given: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        destination_of(currency, given)
    assert (refused.value.code, refused.value.field) == ("invalid_destination", "destination")


anything = st.recursive(
    st.none() | st.integers() | st.text(max_size=40),
    lambda inner: st.dictionaries(st.text(max_size=10) | st.just("account"), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*FORMS, "LKR"]), anything)
def test_whatever_is_sent_is_kept_in_plain_text_or_refused(currency: str, given: object) -> None:
    try:
        kept = destination_of(currency, given)
    except InvalidInput:
        return
    assert all(isinstance(text, str) and text.isprintable() for text in kept.values())
    assert destination_of(currency, kept) == kept
