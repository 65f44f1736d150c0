"""What docs/frontends.md says of the vocabularies is what their records say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from payments.dialects import DIALECTS, V1, Dialect, Told
from payments.domain.facts import Fact, order_topic, wallet_topic
from tests.realtime.deeds import CARD, DEPOSIT
from tests.test_docs import CODE, table

AT = datetime(2026, 1, 1, tzinfo=UTC)
FOREIGN = tuple(one for one in DIALECTS if one is not V1)
PAYMENT: dict[str, Any] = {
    "reference": "P1",
    "provider": "campay",
    "status": "pending",
    "amount": 5,
    "amount_received": 0,
    "currency": "XAF",
    "action": {"type": "ussd", "ussd_code": "*126#", "operator": "MTN"},
    "provider_transaction_id": None,
    "failure_code": "declined",
}
SNAPSHOT: dict[str, Any] = {
    "id": "1",
    "status": "paid",
    "display": "paid",
    "version": 3,
    "amount": 5,
    "amount_paid": 5,
    "currency": "XAF",
    "salon_id": None,
    "payment": PAYMENT,
}


def a_fact(event: str, personal: bool) -> Fact:
    if personal:
        about = {**DEPOSIT, **CARD, "user_id": "U1", "metadata": {"a": 1}}
        return Fact(wallet_topic("U1"), 3, event, {}, about, AT)
    status = "succeeded" if event.startswith("order.") else "failed"
    moved = {**PAYMENT, "status": "pending" if event == "payment.started" else status}
    about = {"payment": moved, "message": "x"}
    return Fact(order_topic("1"), 3, event, SNAPSHOT, about, AT)


def told_by(dialect: Dialect) -> dict[str, tuple[Told, Fact]]:
    found: dict[str, tuple[Told, Fact]] = {}
    ended_unpaid = {"order.expired", "order.cancelled"}
    for event, many in dialect.facts.items():
        if event in ended_unpaid:
            # Told as after `payment.failed`.
            continue
        personal = event in {"wallet.deposited", "wallet.withdrawn", "payment.status", "card.saved"}
        for told in many:
            found[told.event] = told, a_fact(event, personal)
    if dialect.at_once is not None:
        present = a_fact("present", personal=False)
        found |= {told.event: (told, present) for told in dialect.at_once(present)}
    return found


def rows() -> dict[tuple[str, str, str], str]:
    """By vocabulary, direction and event: what is said of the payload."""
    return {
        (CODE.findall(row[0])[0], row[1], CODE.findall(row[2])[0]): row[3]
        for row in table("docs/frontends.md", "frontend events")
    }


def test_every_event_is_documented_and_no_other() -> None:
    expected = set()
    for dialect in FOREIGN:
        sent = {*dialect.subscribe, *dialect.unsubscribe, *dialect.seen, *dialect.replies}
        heard = {*told_by(dialect), *(reply("")[0] for reply in dialect.replies.values())}
        if dialect.greeting is not None:
            heard.add(dialect.greeting("", "")[0])
        expected |= {(dialect.name, "you send", event) for event in sent}
        expected |= {(dialect.name, "you get", event) for event in heard}
    assert set(rows()) == expected


@pytest.mark.parametrize("dialect", FOREIGN, ids=lambda one: one.name)
def test_every_field_is_documented(dialect: Dialect) -> None:
    documented = rows()
    for event, (told, fact) in told_by(dialect).items():
        words = set(re.findall(r"\w+", documented[dialect.name, "you get", event]))
        if words & {"same"}:
            continue
        assert set(told.payload(fact, "")) - words == set(), event


def test_what_is_told_at_once_is_marked() -> None:
    marked = {(name, event) for (name, _, event), said in rows().items() if said.startswith("*")}
    ended = a_fact("present", personal=False)
    ended.snapshot["payment"] = {**PAYMENT, "status": "succeeded"}
    ended.about["payment"] = ended.snapshot["payment"]
    at_once = {
        (dialect.name, told.event)
        for dialect in FOREIGN
        if dialect.at_once is not None
        for told in dialect.at_once(ended)
    }
    assert marked == at_once - {("order", "joined-order")}
