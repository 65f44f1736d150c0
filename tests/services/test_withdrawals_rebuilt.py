"""Withdrawals are made again from what was decided and said; and the books notice a changed one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from payments.domain.errors import ProviderRefused
from payments.services.reconcile import reconcile_everything
from payments.services.wallets import payouts, withdrawals
from payments.store import ledger
from payments.store.db import db, in_transaction
from tests.people import People
from tests.purse import BANK, NOBODY_THERE, Purse, campay_settings, loses_answers
from tests.sandbox.campay import CampayWorld, opened_campay


@pytest.fixture
def world() -> Iterator[CampayWorld]:
    with opened_campay() as one:
        yield one


@pytest.fixture
def environment(world: CampayWorld) -> dict[str, str]:
    return {**campay_settings(world), "FEES": "withdrawal:*:XAF=1%+50,withdrawal:*:VND=3300"}


@pytest.fixture
def purse(people: People) -> Purse:
    return Purse(people)


def dies(*_: object) -> None:
    raise SystemExit


def a_bit_of_everything(
    purse: Purse, world: CampayWorld, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Every end that a withdrawal has; those that have none yet are returned."""
    purse.filled(500_000)
    purse.filled(500_000, "VND")
    purse.withdraw(10_000)
    purse.withdraw(10_000, NOBODY_THERE)
    with suppress(ProviderRefused):
        purse.withdraw(10_000, "620123456")
    purse.asks()
    first, second = (purse.withdraw(50_000, BANK, "VND") for _ in range(2))
    manager = purse.people.manager
    purse.people.in_app(withdrawals.settle_by_hand, manager, first.id, "FT 1")
    purse.people.in_app(withdrawals.fail_by_hand, manager, second.id, "No account")
    third = purse.withdraw(60_000, "0912345678", "VND")
    world.app.config["CAMPAY_PAYOUT_SECONDS"] = 60
    seen_there, not_there = purse.withdraw(20_000), purse.withdraw(20_000)
    purse.people.in_app(withdrawals.settle_by_hand, manager, seen_there.id, "CamPay 1")
    purse.people.in_app(withdrawals.fail_by_hand, manager, not_there.id, "Not there", not_sent=True)
    under_way = purse.withdraw(30_000)
    with monkeypatch.context() as lost:
        loses_answers(world, lost)
        lost_answer = purse.withdraw(10_000)
    rail, ends = purse.people.house.rails.rail("campay"), []
    for where, name in ((payouts, "send"), (rail, "payout")):
        with monkeypatch.context() as crash:
            crash.setattr(where, name, dies)
            with pytest.raises(SystemExit):
                purse.withdraw(5_000)
        ends += [one.id for one in purse.people.in_app(withdrawals.listed, purse.mai, None, 1)]
    return [third.id, under_way.id, lost_answer.id, *ends]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_every_end_of_a_withdrawal_is_made_again(
    app: Flask,
    purse: Purse,
    world: CampayWorld,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    waiting = a_bit_of_everything(purse, world, monkeypatch)
    assert {purse.people.in_app(_status_of, one) for one in waiting} == {"held"}
    purse.stands()
    into = f"sqlite:///{tmp_path / 'rebuilt.db'}"
    done = app.test_cli_runner().invoke(args=["rebuild", "--into", into, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["was"] == told["now"]


def _status_of(withdrawal_id: str) -> str:
    found = db.session.execute(
        text("SELECT status FROM withdrawals WHERE id = :id"), {"id": withdrawal_id}
    )
    return str(found.scalar_one())


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount - 1",
        "fee = fee + 1",
        "status = 'settled'",
        "status = 'returned'",
    ],
)
def test_who_changes_a_stored_withdrawal_by_hand_is_found_out(purse: Purse, change: str) -> None:
    purse.filled(100_000, "VND")
    purse.withdraw(50_000, BANK, "VND")
    purse.stands()
    by_hand = text(f"UPDATE withdrawals SET {change}")  # noqa: S608 (a test's own words)
    purse.people.in_app(in_transaction, lambda: db.session.execute(by_hand))
    assert any("withdrawal" in one for one in purse.people.in_app(lambda: list(ledger.faults())))


def test_the_command_that_asks_about_everything_asks_about_withdrawals(
    purse: Purse, world: CampayWorld
) -> None:
    purse.filled(100_000)
    one = purse.withdraw(10_000, "677123001")
    world.settled(purse.now(one).payout_id or "")
    assert world.merchant.heard == [], "nobody told the shop"
    purse.people.in_app(reconcile_everything, purse.people.house.rails, lambda *_: None)
    assert purse.now(one).status == "settled"


def test_figures_say_what_waits_and_what_was_sent(app: Flask, purse: Purse) -> None:
    def figures() -> dict[str, float]:
        lines = app.test_client().get("/metrics").get_data(as_text=True).splitlines()
        return {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in lines
            if not line.startswith("#")
        }

    sent = 'paychime_payouts_total{outcome="sent",rail="campay"}'
    before = figures().get(sent, 0)
    purse.filled(100_000)
    purse.filled(100_000, "VND")
    purse.withdraw(10_000)
    purse.withdraw(50_000, BANK, "VND")
    after = figures()
    assert after[sent] == before + 1
    assert after['paychime_waiting_for_staff{what="withdrawals"}'] == 1
