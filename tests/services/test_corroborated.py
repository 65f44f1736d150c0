"""Money that staff had seen, and where it turns out to have come: a refund goes back there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from payments.services import refunds
from payments.services.refund_questions import ask_refunds
from payments.store import ledger
from payments.store import refunds as promised
from payments.store.db import now
from tests import feeds
from tests.outside import attempt_of, begin, seen
from tests.people import People
from tests.sandbox.world import World

PRICE = 50_000
NUMBER = "FT2600500001"


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo", **feeds.SETTINGS}


def test_what_came_by_bank_is_not_asked_back_from_momo(people: People) -> None:
    """They began by MoMo and then sent it by bank; staff saw it, and the feed bears them out."""
    order = people.order(PRICE)
    begin(people, order.id)
    seen(people, order.id, PRICE, NUMBER)
    told = feeds.pay2s(feeds.Transfer("for coffee", PRICE, 7, NUMBER))
    assert told.to(people.app) == 200
    paid = attempt_of(people, order.id)
    assert (paid.provider, paid.transaction_id) == ("bank", "pay2s:7")
    rails = people.house.rails
    (made,) = people.in_app(refunds.refund, rails, people.manager, order.id, None, "It was broken")
    assert made.status == "requested", "it waits for staff: no bank is asked"
    assert [one.id for one in people.in_app(promised.by_hand)] == [made.id]
    assert people.in_app(ask_refunds, rails, now() + timedelta(hours=1)) == 0
    people.in_app(refunds.settle_by_hand, people.manager, made.id, "cash 7")
    assert people.in_app(lambda: list(ledger.faults())) == []
