"""The chain over the postings: what it is made of, and that nobody who pays waits for it."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from payments.domain import ledger as bookkeeping
from payments.domain.seal import GENESIS, SealedLeg, SealedPosting, canonical, link
from payments.services.books import sealing
from payments.services.books.sealing import Sealer
from payments.store import ledger, seals, tables
from payments.store.db import db, in_transaction
from tests.outside import at_once, count
from tests.people import People
from tests.servers import AppServer
from tests.signing import SHOP_SECRET, shop_webhook

POSTING = SealedPosting(
    id=7,
    cause="receipt:PÉ",
    order_id="O1",
    created_at=datetime(2026, 1, 2, 3, 4, 5, 600, UTC),
    legs=[
        SealedLeg("wallet:U1", "VND", 50_000, 150_000),
        SealedLeg("revenue", "VND", -50_000, None),
    ],
)
WRITTEN = (
    '{"cause":"receipt:PÉ","created_at":"2026-01-02T03:04:05.000600Z",'
    '"entries":[["wallet:U1","VND",50000,150000],["revenue","VND",-50000,null]],'
    '"order":"O1","posting":7}'
)


def post(cause: str, amount: int = 5) -> None:
    moved = bookkeeping.posting(cause, "VND", ("clearing:x", amount), ("suspense", -amount))
    in_transaction(lambda: ledger.append(moved, None))


def test_a_link_is_made_of_what_the_page_about_it_says() -> None:
    assert hashlib.sha256(b"Paychime ledger, chain 1").hexdigest() == GENESIS
    assert canonical(POSTING) == WRITTEN.encode()
    made = hashlib.sha256(GENESIS.encode() + WRITTEN.encode()).hexdigest()
    assert link(GENESIS, POSTING) == made


def test_each_link_rests_on_the_one_before(app: Flask) -> None:
    with app.app_context():
        assert (seals.head().seq, seals.head().hash) == (0, GENESIS)
        for number in range(5):
            post(f"cause {number}")
        assert seals.tail().count == 5
        assert sealing.seal() == 5
        assert sealing.seal() == 0
        rows = db.session.execute(select(tables.seals).order_by(tables.seals.c.seq)).all()
        assert [row.seq for row in rows] == [1, 2, 3, 4, 5]
        assert len({row.hash for row in rows}) == 5
        assert (seals.head().seq, seals.head().hash) == (5, rows[-1].hash)
        assert (seals.tail().count, seals.tail().oldest) == (0, None)
        assert list(seals.faults()) == []


def test_more_than_a_batch_is_sealed_in_several_transactions(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "BATCH", 3)
    with app.app_context():
        for number in range(8):
            post(f"cause {number}")
        assert sealing.seal() == 8
        assert list(seals.faults()) == []


def test_what_commits_later_than_its_id_says_is_sealed_when_it_comes(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are given before the commit: a lower one may come after a higher one was sealed."""
    monkeypatch.setattr(seals, "MARGIN", 4)
    with app.app_context():
        sealer = Sealer()
        for number in range(20, 30):
            put(number)
        assert sealer.once() == 10
        # Near the newest it is found at the next look, far behind by the whole look.
        put(19)
        put(3)
        assert seals.recent() == 25
        put(40)
        assert sealer.once() == 1
        assert seals.tail().count == 2
        assert Sealer().once() == 2
        found = db.session.execute(
            select(tables.seals.c.posting_id).order_by(tables.seals.c.seq.desc()).limit(3)
        )
        assert found.scalars().all() == [19, 3, 40]
        assert list(seals.faults()) == []


def put(posting_id: int) -> None:
    """A posting with this id."""

    def change() -> None:
        db.session.execute(
            text(
                "INSERT INTO postings (id, cause, created_at) "
                "VALUES (:id, :cause, '2026-01-01 00:00:00')"
            ),
            {"id": posting_id, "cause": f"cause {posting_id}"},
        )
        for amount in (5, -5):
            db.session.execute(
                text(
                    "INSERT INTO entries (posting_id, account, currency, amount) "
                    "VALUES (:id, 'x', 'VND', :amount)"
                ),
                {"id": posting_id, "amount": amount},
            )

    in_transaction(change)


def test_two_who_seal_at_once_make_one_chain(people: People) -> None:
    for number in range(40):
        people.in_app(post, f"cause {number}")
    done = at_once(4, lambda _: people.in_app(sealing.seal))
    assert sum(done) == 40
    assert count(people, "seals") == 40
    assert people.in_app(lambda: list(seals.faults())) == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_who_pays_waits_for_a_sealer(people: People) -> None:
    """A sealer that hangs in the middle of its work holds nothing that a payment needs."""
    people.in_app(post, "cause 1")
    hangs, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        def change() -> None:
            assert len(seals.add(0, 10)) == 1
            hangs.set()
            assert go_on.wait(20)

        people.in_app(in_transaction, change)

    sealer = threading.Thread(target=slow)
    sealer.start()
    try:
        assert hangs.wait(20)
        people.in_app(post, "cause 2")
        assert people.in_app(seals.tail).count == 2
    finally:
        go_on.set()
        sealer.join(20)
    assert people.in_app(seals.tail).count == 1


def test_seals_are_neither_changed_nor_removed(people: People) -> None:
    people.in_app(post, "cause 1")
    people.in_app(sealing.seal)
    for crime in ("UPDATE seals SET hash = 'x'", "DELETE FROM seals"):

        def commit_it(statement: str = crime) -> Any:
            return db.session.execute(text(statement))

        with pytest.raises(DBAPIError, match="append-only"):
            people.in_app(in_transaction, commit_it)


def test_the_figure_says_what_is_still_to_be_sealed(app: Flask) -> None:
    def figure() -> str:
        told = app.test_client().get("/metrics").get_data(as_text=True)
        return told.partition("\npaychime_ledger_unsealed_postings ")[2].partition("\n")[0]

    with app.app_context():
        post("cause 1")
        post("cause 2")
    assert figure() == "2.0"
    with app.app_context():
        sealing.seal()
    assert figure() == "0.0"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_seals_by_itself_what_is_posted(people: People, database_url: str) -> None:
    order_id = people.order().id
    settings = {"DATABASE_URL": database_url, "GENERIC_WEBHOOK_SECRET": SHOP_SECRET}
    with AppServer(settings, migrate=False) as server:
        body, headers = shop_webhook(order_id, 50_000)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        with closing(connection):
            connection.request("POST", "/webhook/payment", body, headers)
            assert connection.getresponse().status == 200
        deadline = time.monotonic() + 15
        while not people.in_app(seals.head).seq:
            assert time.monotonic() < deadline, "nobody has sealed it"
            time.sleep(0.1)
    assert people.in_app(lambda: list(seals.faults())) == []
    assert people.in_app(seals.tail).count == 0
