"""Somebody with the database's own password changes what is stored: `ledger verify` names it."""

# ruff: noqa: S608 (the statements are made of words that stand here)

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Column, Row, Table, select, text, update
from sqlalchemy.exc import IntegrityError

from payments.bootstrap import add_commands, create_app
from payments.domain import ledger as bookkeeping
from payments.domain.seal import GENESIS
from payments.services.books import sealing
from payments.settings import load
from payments.store import ledger, tables, wallets
from payments.store.db import db, in_transaction
from tests.conftest import ENVIRONMENT
from tests.people import People
from tests.services import life
from tests.services.life import Life
from tests.test_cli import unguard

NO_MONEY = {
    **{
        name: "a row's own number, or another row's: no figure"
        for name in (
            *("payments.seq", "inbox.id", "postings.id", "entries.id", "outbox.id"),
            *("audit.id", "bank_lines.inbox_id", "bank_lines.same_as", "entries.posting_id"),
            *("seals.seq", "seals.posting_id"),
        )
    },
    **{
        name: "counts changes or tries"
        for name in (
            *("orders.version", "outbox.version", "sightings.version", "topics.version"),
            *("room_counts.version", "payments.asked", "webhook_deliveries.version"),
            *("webhook_deliveries.round", "webhook_deliveries.tries", "card_holders.revision"),
        )
    },
    **{
        name: "a status of HTTP"
        for name in ("idempotency_keys.status", "webhook_deliveries.answer_status")
    },
}
"""Whole numbers that are no money, and why. Every other one is changed by hand below."""

NUMBERS = [
    column
    for table in db.metadata.sorted_tables
    for column in table.columns
    if "INT" in str(column.type.compile()).upper()
]
MONEY = [one for one in NUMBERS if f"{one.table.name}.{one.name}" not in NO_MONEY]


def test_no_figure_is_left_out() -> None:
    """A new column is changed below, or named above with a reason."""
    assert {f"{one.table.name}.{one.name}" for one in NUMBERS} >= NO_MONEY.keys()
    assert len(MONEY) >= 16
    assert all(column.name in str(MONEY) for column in tables.orders.c if "amount" in column.name)


def an_app(file: Path) -> Flask:
    own = {"DATABASE_URL": f"sqlite:///{file}", "INSTANCE_PATH": str(file.parent)}
    return add_commands(create_app(load({**ENVIRONMENT, **life.ENVIRONMENT, **own})))


@contextmanager
def opened(file: Path) -> Iterator[Flask]:
    """What only somebody with the database's own password has: no triggers, no checks."""
    app = an_app(file)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def unguarded(*names: str) -> None:
    for table in names:
        unguard(table)


@pytest.fixture(scope="module")
def lived(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with a rich story, which nobody has sealed yet."""
    file = tmp_path_factory.mktemp("lived") / "lived.db"
    shutil.copy(migrated_sqlite, file)
    with opened(file) as app:
        Life(People(app)).a_bit_of_everything()
        in_transaction(lambda: unguarded("entries", "postings", "audit", "seals"))
    return file


@pytest.fixture
def copy(lived: Path, tmp_path: Path) -> Iterator[Flask]:
    shutil.copy(lived, tmp_path / "copy.db")
    with opened(tmp_path / "copy.db") as app:
        yield app


@pytest.fixture
def sealed(copy: Flask) -> Flask:
    sealing.seal()
    assert list(ledger.faults()) == []
    return copy


def verify(app: Flask, *arguments: str) -> dict[str, Any]:
    """What `flask ledger verify` says."""
    done = app.test_cli_runner().invoke(args=["ledger", "verify", "--json", *arguments])
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == (0 if told["ok"] else 1), done.output
    assert told["ok"] is not bool(told["faults"])
    return told


def names(row: Row[Any], table: Table) -> tuple[str, ...]:
    """By which the fault may call what was changed."""
    if table is tables.entries:
        cause = db.session.execute(
            select(tables.postings.c.cause).where(tables.postings.c.id == row.posting_id)
        ).scalar_one()
        return (f"posting {cause}:", f"entry {row.id} ", cause.rpartition(":")[2])
    key = {"payments": "reference", "wallets": "user_id"}.get(table.name, "id")
    return (f"inbox entry {row.id}:",) if table is tables.inbox else (str(row._mapping[key]),)


def changed(column: Column[Any], by: int, row: Row[Any]) -> None:
    key = [one == row._mapping[one.name] for one in column.table.primary_key.columns]
    table = column.table
    assert isinstance(table, Table)
    db.session.execute(update(table).where(*key).values({column.name: column + by}))


def found(row: Row[Any], table: Table) -> bool:
    called = names(row, table)
    return any(name in fault for fault in ledger.faults() for name in called)


@pytest.mark.parametrize("column", MONEY, ids=str)
def test_whatever_figure_is_changed_by_one_is_named(copy: Flask, column: Column[Any]) -> None:
    """Each of them in turn, one more or one less, where no seal has noticed it yet."""
    table = column.table
    assert isinstance(table, Table)
    rows = db.session.execute(
        select(table).where(column.is_not(None)).order_by(*table.primary_key.columns)
    ).all()
    assert len(rows) >= 2, "the story has too little of it"
    for number, row in enumerate(rows):
        db.session.rollback()
        db.session.execute(text("PRAGMA ignore_check_constraints = ON"))
        changed(column, 1 if number % 2 else -1, row)
        assert found(row, table), row
    db.session.rollback()
    assert list(ledger.faults()) == []


def crime(app: Flask, *statements: str) -> None:
    """Committed by hand, past the foreign keys too."""
    db.session.remove()
    with closing(sqlite3.connect(app.config["SQLALCHEMY_DATABASE_URI"].database)) as hand:
        for statement in statements:
            hand.execute(statement)
        hand.commit()


def middle_posting() -> tuple[int, str]:
    """One of an order's, with something sealed before and after it."""
    row = db.session.execute(
        select(tables.postings.c.id, tables.postings.c.cause)
        .where(tables.postings.c.cause.startswith("receipt:"))
        .order_by(tables.postings.c.id)
        .offset(5)
        .limit(1)
    ).one()
    return row.id, row.cause


SEALED_CRIMES = {
    "a posting is deleted": (
        "DELETE FROM entries WHERE posting_id = {id}",
        "DELETE FROM postings WHERE id = {id}",
    ),
    "a cause is changed": ("UPDATE postings SET cause = 'receipt:PNOBODY' WHERE id = {id}",),
    "a time is changed": (
        "UPDATE postings SET created_at = datetime(created_at, '-1 day') WHERE id = {id}",
    ),
    "an order is changed": (
        "UPDATE postings SET order_id = (SELECT max(id) FROM orders) WHERE id = {id}",
    ),
    "both legs are doubled": ("UPDATE entries SET amount = amount * 2 WHERE posting_id = {id}",),
    "an account is changed": (
        "UPDATE entries SET account = 'clearing:mine' WHERE posting_id = {id} AND amount > 0",
    ),
    "a leg in zeros is added": (
        "INSERT INTO entries (posting_id, account, currency, amount) "
        "VALUES ({id}, 'mine', 'VND', -9), ({id}, 'mine', 'VND', 9)",
    ),
}


@pytest.mark.parametrize("named", SEALED_CRIMES)
def test_a_posting_that_was_sealed_is_not_changed_unseen(sealed: Flask, named: str) -> None:
    posting_id, cause = middle_posting()
    crime(sealed, *(one.format(id=posting_id) for one in SEALED_CRIMES[named]))
    seal = posting_id  # They were sealed in their order, with no gap between their ids.
    told = verify(sealed)
    first = told["faults"][0]
    assert first.startswith(f"seal {seal}: ")
    assert str(posting_id) in first
    assert ("gone" in first) is (named == "a posting is deleted")
    if named not in {"a posting is deleted", "a cause is changed"}:
        assert cause in first


def test_two_causes_that_change_places_are_found(sealed: Flask) -> None:
    """Of two payments of one order with the same amount not even the sums would tell."""
    first, second = (
        db.session.execute(select(tables.postings.c.cause).where(tables.postings.c.id == number))
        for number in (1, 2)
    )
    one, other = first.scalar_one(), second.scalar_one()
    crime(
        sealed,
        "UPDATE postings SET cause = 'meanwhile' WHERE id = 1",
        f"UPDATE postings SET cause = '{one}' WHERE id = 2",
        f"UPDATE postings SET cause = '{other}' WHERE id = 1",
    )
    assert verify(sealed)["faults"][0] == f"seal 1: the link to posting 1 ({other}) is broken"


def test_a_seal_that_is_missing_is_found(sealed: Flask) -> None:
    crime(sealed, "DELETE FROM seals WHERE seq = 7")
    assert verify(sealed)["faults"] == ["seal 7: it is missing"]


def test_a_hash_that_was_changed_is_found(sealed: Flask) -> None:
    crime(sealed, f"UPDATE seals SET hash = '{'0' * 64}' WHERE seq = 7")
    (fault,) = verify(sealed)["faults"]
    assert fault.startswith("seal 7: the link to posting 7 ")


def test_an_end_that_was_cut_off_is_found_by_who_noted_the_head(sealed: Flask) -> None:
    """By itself a shorter chain is as right as a longer one: it is sealed again at its end."""
    noted = verify(sealed)["head"]
    assert verify(sealed, "--head", noted)["ok"]
    crime(sealed, "DELETE FROM seals WHERE seq > 20")
    assert verify(sealed)["unsealed"] > 0
    crime(
        sealed,
        "UPDATE postings SET created_at = datetime(created_at, '-1 day') WHERE id > 20",
    )
    sealing.seal()
    told = verify(sealed)
    assert (told["ok"], told["unsealed"]) == (True, 0)
    assert told["head"] != noted
    told = verify(sealed, "--head", noted)
    assert told["faults"] == [f"the noted head {noted!r} is no link of the chain any more"]


def test_a_head_of_long_ago_is_proved_after_the_shop_went_on(sealed: Flask) -> None:
    noted = verify(sealed)["head"]
    shop = Life(People(sealed))
    shop.shop_says(shop.order().id, life.PRICE, "T-later", event="later")
    assert verify(sealed, "--head", noted)["unsealed"] == 1
    assert sealing.seal() == 1
    told = verify(sealed, "--head", noted.upper())
    assert (told["ok"], told["unsealed"], told["head"] == noted) == (True, 0, False)
    assert verify(sealed, "--head", GENESIS)["ok"]
    assert not verify(sealed, "--head", "f" * 64)["ok"]


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        ("receipt:PNOBODY", "no payment that succeeded is its cause"),
        ("corroborated:PNOBODY", "no confirmed payment of this amount is its cause"),
        ("refund:R1", "no refund is its cause"),
        ("refund-paid:R1", "no refund is its cause"),
        ("refund-failed:R1", "no refund is its cause"),
        ("unmatched:999999", "no bank line is its cause"),
        ("assigned:999999", "0 was held"),
        ("returned:999999", "0 was held"),
        ("withdrawal:W1", "no withdrawal is its cause"),
        ("withdrawal-paid:W1", "no withdrawal is its cause"),
        ("withdrawal-returned:W1", "no withdrawal is its cause"),
        ("because:I-wanted-it", "nothing that this version knows is its cause"),
    ],
)
def test_a_posting_without_a_cause_is_found(copy: Flask, cause: str, fault: str) -> None:
    moved = bookkeeping.posting(cause, "VND", (bookkeeping.SUSPENSE, 5), ("clearing:mine", -5))
    in_transaction(lambda: ledger.append(moved, None))
    assert any(fault in one for one in verify(copy)["faults"])


REMOVED = {
    "refund:": "refund R",
    "refund-paid:": "refund R",
    "refund-failed:": "refund R",
    "unmatched:": "bank line ",
    "withdrawal:": "withdrawal W",
    "withdrawal-paid:": "withdrawal W",
    "withdrawal-returned:": "withdrawal W",
    "receipt:": "payment P",
}


@pytest.mark.parametrize("word", REMOVED)
def test_what_ended_without_its_posting_is_found(copy: Flask, word: str) -> None:
    which = f"SELECT min(id) FROM postings WHERE cause LIKE '{word}%'"
    crime(
        copy,
        f"DELETE FROM entries WHERE posting_id = ({which})",
        f"DELETE FROM postings WHERE id = ({which})",
    )
    assert any(one.startswith(REMOVED[word]) for one in verify(copy)["faults"])


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestOnPostgresql:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return life.ENVIRONMENT

    def test_each_kind_of_figure_is_proved_there_too(self, app: Flask, people: People) -> None:
        Life(people).a_bit_of_everything()
        with app.app_context():
            sealing.seal()
            assert list(ledger.faults()) == []
            in_transaction(lambda: unguarded("entries", "postings"))
            for column in MONEY:
                table = column.table
                assert isinstance(table, Table)
                rows = db.session.execute(select(table).where(column.is_not(None)).limit(3)).all()
                for row in rows:
                    with suppress(IntegrityError):
                        # Where a check of the database's own refuses it, it cannot be.
                        changed(column, 1, row)
                        assert found(row, table), (column, row)
                    db.session.rollback()
            assert verify(app)["ok"]

    def test_a_time_that_was_changed_breaks_the_chain(self, app: Flask, people: People) -> None:
        shop = Life(people)
        for number in range(3):
            shop.shop_says(shop.order().id, life.PRICE, f"T{number}")
        with app.app_context():
            assert sealing.seal() == 3
            assert verify(app)["sealed"] == 3

            def by_hand() -> None:
                unguard("postings")
                moved = text("UPDATE postings SET created_at = created_at + interval '1 us'")
                db.session.execute(moved)

            in_transaction(by_hand)
            (fault,) = verify(app)["faults"]
            assert fault.startswith("seal 1: the link to posting ")

    def test_a_wallets_legs_must_sum_to_zero_at_the_commit(self, people: People) -> None:
        """The database's own constraint, whoever writes: past all code of ours."""
        mai = people.owner.user
        assert mai is not None

        def unbalanced(mine: int) -> None:
            right = bookkeeping.posting(
                "by hand", "VND", ("clearing:x", 7), (f"wallet:{mai.id}", -7)
            )
            ledger.append(right, None)
            db.session.execute(
                text(
                    "INSERT INTO entries (posting_id, account, currency, amount, balance_after) "
                    "SELECT id, :account, 'VND', :amount, 1 FROM postings"
                ),
                {"account": f"wallet:{mai.id}", "amount": mine},
            )

        with pytest.raises(IntegrityError, match="does not sum to zero"):
            people.in_app(in_transaction, lambda: unbalanced(-1))
        assert people.in_app(ledger.balances) == {}
        assert people.in_app(wallets.balances, mai.id) == []
