"""What the wallet's form offers first."""

from __future__ import annotations

import pytest

from tests.outside import ON_SQLITE, page_of
from tests.people import People

pytestmark = ON_SQLITE


@pytest.fixture
def environment() -> dict[str, str]:
    """MoMo and bank transfers take VND; cards take four currencies."""
    return {
        "BANK_BIN": "970436",
        "BANK_ACCOUNT": "113366668888",
        "PAYABLE_MERCHANT_KEY": "SHOP",
        "PAYABLE_MERCHANT_TOKEN": "a token of the tests",
    }


def offered_first(people: People, query: str = "") -> str:
    page = page_of(people.signed_in(people.owner).get(f"/wallet?do=top-up{query}"))
    current = page.all("a", aria_current="true")
    (chosen,) = [one for one in current if one["href"].endswith("#top-up")]
    return chosen.text.strip()


def test_an_empty_wallet_offers_what_most_ways_take(people: People) -> None:
    assert offered_first(people) == "VND"


def test_whoever_reads_another_language_is_offered_its_currency(people: People) -> None:
    assert offered_first(people, "&lang=si") == "LKR"


def test_who_asks_for_a_currency_is_offered_it(people: People) -> None:
    assert offered_first(people, "&currency=EUR") == "EUR"
