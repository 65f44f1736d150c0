"""The link that every UPI app reads: in rupees, in one order, for one reference."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.money import Money
from payments.providers.upi import NOTE_CHARACTERS, pay_link
from payments.settings.rails import UpiSettings
from sandbox.upi.link import read_link

SHOP = UpiSettings("shop.name@okbank", "Chai & Samosa, Pune")
REFERENCE = "P23456789ABCDEF"


def fields(link: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(link).query, strict_parsing=True)


def test_the_link_is_the_same_to_the_letter() -> None:
    assert pay_link(SHOP, REFERENCE, Money(10_00, "INR"), "Box of spices") == (
        "upi://pay?pa=shop.name@okbank&pn=Chai%20%26%20Samosa%2C%20Pune&tr=P23456789ABCDEF"
        "&tn=P23456789ABCDEF%20Box%20of%20spices&am=10.00&cu=INR"
    )


@pytest.mark.parametrize(
    ("paise", "rupees"),
    [(1, "0.01"), (100, "1.00"), (10_00, "10.00"), (649_05, "649.05"), (10_000_000, "100000.00")],
)
def test_the_amount_is_rupees_with_two_digits(paise: int, rupees: str) -> None:
    assert dict(fields(pay_link(SHOP, REFERENCE, Money(paise, "INR"), "x")))["am"] == rupees


@given(
    description=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=500),
    paise=st.integers(1, 10_000_000),
)
def test_whatever_is_sold_the_pretended_app_reads_it(description: str, paise: int) -> None:
    link = pay_link(SHOP, REFERENCE, Money(paise, "INR"), description)
    assert [name for name, _ in fields(link)] == ["pa", "pn", "tr", "tn", "am", "cu"]
    asked = read_link(link)
    assert (asked.vpa, asked.payee) == (SHOP.vpa, SHOP.payee_name)
    assert (asked.reference, asked.paise) == (REFERENCE, paise)
    assert asked.note.startswith(REFERENCE)
    assert len(asked.note) <= NOTE_CHARACTERS
    assert "+" not in link
    assert link.isascii()
