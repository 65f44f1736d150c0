"""The one commit: done once, done again only where nothing was kept, and never guessed at."""

# ruff: noqa: S608 (the statements are made of words that stand here)

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from payments.bootstrap import create_app
from payments.settings import load
from payments.store import db as house
from payments.store import engine
from payments.store.db import Busy, LostRace, Unknown, db, in_transaction, savepoint
from tests.conftest import ENVIRONMENT
from tests.outside import at_once
from tests.servers import PostgresServer
from tests.store.cut import Line, line_to

ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "RETRY_SECONDS", 1.0)


@pytest.fixture
def marks(app: Flask) -> Iterator[Callable[[], list[str]]]:
    """A table that counts what was kept: nothing in it hinders a second run."""
    with app.app_context():
        db.session.execute(text("CREATE TABLE marks (what VARCHAR(64), pid INTEGER)"))
        db.session.commit()

        def kept() -> list[str]:
            db.session.rollback()
            found = db.session.execute(text("SELECT what FROM marks ORDER BY what")).scalars()
            return list(found)

        yield kept
        db.session.rollback()


def mark(what: str) -> None:
    db.session.execute(text("INSERT INTO marks (what) VALUES (:what)"), {"what": what})


def ask(url: str, statement: str) -> list[Any]:
    """By another connection, as somebody else."""
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


def killer(url: str) -> Callable[[], None]:
    """Ends this very backend, as an operator or a failover would."""

    def kill() -> None:
        pid = db.session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        assert ask(url, f"SELECT pg_terminate_backend({pid})") == [(True,)]
        while ask(url, f"SELECT 1 FROM pg_stat_activity WHERE pid = {pid}"):
            time.sleep(0.01)

    return kill


class Runs:
    """Counts how often a change was run, and does something else in its first run."""

    def __init__(self, first: Callable[[], None], before: bool) -> None:
        self.count, self.first, self.before = 0, first, before

    def __call__(self) -> str:
        self.count += 1
        if self.before and self.count == 1:
            self.first()
        mark(f"run {self.count}")
        if not self.before and self.count == 1:
            self.first()
        return f"run {self.count}"


@ON_POSTGRES
@pytest.mark.parametrize("before", [True, False])
def test_a_backend_killed_before_the_commit_costs_a_second_run_and_nothing_else(
    marks: Callable[[], list[str]], database_url: str, before: bool
) -> None:
    change = Runs(killer(database_url), before)
    assert in_transaction(change) == "run 2"
    assert marks() == ["run 2"]


@ON_POSTGRES
def test_a_backend_killed_inside_a_savepoint_is_a_lost_one_too(
    marks: Callable[[], list[str]], database_url: str
) -> None:
    kill, runs = killer(database_url), []

    def change() -> None:
        runs.append(1)
        with savepoint():
            mark("inside")
            if len(runs) == 1:
                kill()
                mark("never")

    in_transaction(change)
    assert (len(runs), marks()) == (2, ["inside"])


@ON_POSTGRES
def test_connections_that_died_while_they_rested_are_replaced_unseen(
    marks: Callable[[], list[str]], database_url: str
) -> None:
    in_transaction(lambda: mark("first"))
    name = urlsplit(database_url).path.removeprefix("/")
    dead = ask(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND pid <> pg_backend_pid()",
    )
    assert dead
    change = Runs(lambda: None, before=True)
    in_transaction(change)
    assert (change.count, marks()) == (1, ["first", "run 1"])


@pytest.fixture
def line(postgres: PostgresServer) -> Iterator[Line]:
    with line_to(postgres.port) as opened:
        yield opened


@pytest.fixture
def far(
    line: Line, postgres: PostgresServer, migrated_postgres: str, tmp_path: Path
) -> Iterator[Flask]:
    """The application, whose only way to its database is this line."""
    url = postgres.create_database(template=migrated_postgres)
    by_line = url.replace(f":{postgres.port}/", f":{line.port}/")
    own = {"DATABASE_URL": by_line, "INSTANCE_PATH": str(tmp_path)}
    made = create_app(load({**ENVIRONMENT, **own}))
    with made.app_context():
        in_transaction(lambda: db.session.execute(text("CREATE TABLE marks (what VARCHAR(64))")))
        made.config["BESIDE"] = url
        yield made
        db.session.remove()
        db.engine.dispose()
    postgres.drop_database(url)


def kept_beside(app: Flask) -> list[str]:
    return [what for (what,) in ask(app.config["BESIDE"], "SELECT what FROM marks ORDER BY what")]


def test_a_commit_whose_answer_was_lost_is_not_done_twice(far: Flask, line: Line) -> None:
    line.cuts, change = 1, Runs(lambda: None, before=True)
    assert in_transaction(change) == "run 1"
    assert (line.cut, change.count, kept_beside(far)) == (1, 1, ["run 1"])


def test_a_commit_that_never_arrived_is_done_again(far: Flask, line: Line) -> None:
    line.cuts, line.done, change = 1, False, Runs(lambda: None, before=True)
    assert in_transaction(change) == "run 2"
    assert (line.cut, change.count, kept_beside(far)) == (1, 2, ["run 2"])


def test_nobody_is_told_what_nobody_knows(far: Flask, line: Line, impatient: None) -> None:
    """The database goes with the answer: neither "done" nor "not done" would be true."""
    line.cuts, line.away_after_cut, change = 1, True, Runs(lambda: None, before=True)
    with pytest.raises(Unknown):
        in_transaction(change)
    assert change.count == 1
    line.away = False
    assert kept_beside(far) == ["run 1"]
    assert in_transaction(lambda: "back") == "back"


@pytest.mark.parametrize("done", [True, False])
def test_what_the_database_itself_does_once_is_simply_run_again(
    far: Flask, line: Line, done: bool
) -> None:
    in_transaction(lambda: db.session.execute(text("CREATE UNIQUE INDEX once ON marks (what)")))
    line.cuts, line.done, runs = 1, done, []

    def change() -> bool:
        runs.append(1)
        insert = text("INSERT INTO marks VALUES ('x') ON CONFLICT DO NOTHING RETURNING what")
        return db.session.execute(insert).scalar_one_or_none() is not None

    assert in_transaction(change, repeatable=True) is not done
    assert (len(runs), kept_beside(far)) == (2, ["x"])


def test_a_database_that_is_away_is_waited_for_and_then_given_up(
    far: Flask, line: Line, impatient: None
) -> None:
    runs: list[int] = []
    line.away = True
    db.engine.dispose()
    began = time.monotonic()
    with pytest.raises(Busy):
        in_transaction(lambda: runs.append(1))
    assert 0.9 < time.monotonic() - began < 15
    assert runs == []
    line.away = False
    in_transaction(lambda: runs.append(1))
    assert runs == [1]


@ON_POSTGRES
def test_whoever_finds_no_connection_waits_and_is_then_told(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        monkeypatch.setattr(db.engine.pool, "_timeout", 0.2)
        held = [db.engine.connect() for _ in range(engine.CONNECTIONS)]
        with pytest.raises(Busy):
            in_transaction(lambda: None)
        for one in held:
            one.close()
        in_transaction(lambda: None)


@ON_POSTGRES
def test_two_who_stand_in_each_others_way_both_get_through(
    app: Flask, marks: Callable[[], list[str]]
) -> None:
    """A deadlock: PostgreSQL ends one of them, who begins again."""
    for what in ("a", "b"):
        in_transaction(lambda one=what: mark(one))  # type: ignore[misc]
    runs: list[int] = []

    def crossed(number: int) -> None:
        mine, other = ("a", "b") if number else ("b", "a")

        def change() -> None:
            runs.append(number)
            for what in (mine, other):
                db.session.execute(
                    text("UPDATE marks SET pid = coalesce(pid, 0) + 1 WHERE what = :what"),
                    {"what": what},
                )
                time.sleep(0.3)

        with app.app_context():
            in_transaction(change)

    at_once(2, crossed)
    total = db.session.execute(text("SELECT sum(pid) FROM marks")).scalar_one()
    assert (total, len(runs)) == (4, 3)


@ON_POSTGRES
def test_a_serialisation_failure_begins_again(
    app: Flask, marks: Callable[[], list[str]], database_url: str
) -> None:
    in_transaction(lambda: mark("a"))
    runs: list[int] = []

    def change() -> None:
        runs.append(1)
        db.session.execute(text("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
        db.session.execute(text("SELECT * FROM marks")).all()
        if len(runs) == 1:
            ask(database_url, "UPDATE marks SET pid = 1 RETURNING pid")
        db.session.execute(text("UPDATE marks SET pid = 2"))

    in_transaction(change)
    assert len(runs) == 2


@ON_POSTGRES
def test_a_lock_that_is_never_given_up_makes_busy_and_not_a_hang(
    app: Flask,
    marks: Callable[[], list[str]],
    database_url: str,
    impatient: None,
) -> None:
    in_transaction(lambda: mark("a"))
    with closing(psycopg2.connect(database_url)) as other, other.cursor() as cursor:
        cursor.execute("UPDATE marks SET pid = 1")

        def change() -> None:
            db.session.execute(text("SET LOCAL lock_timeout = 200"))
            db.session.execute(text("UPDATE marks SET pid = 2"))

        with pytest.raises(Busy):
            in_transaction(change)


@ON_POSTGRES
def test_every_connection_has_its_limits(app: Flask) -> None:
    with app.app_context():
        limits = {
            name: db.session.execute(text(f"SHOW {name}")).scalar_one()
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            )
        }
    assert limits == {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "15s",
    }
    seconds = {name: int(value.removesuffix("s")) for name, value in limits.items()}
    assert seconds["lock_timeout"] < seconds["statement_timeout"]


def test_a_lost_race_begins_again_and_a_broken_rule_does_not(
    app: Flask, marks: Callable[[], list[str]]
) -> None:
    runs: list[int] = []

    def overtaken() -> None:
        runs.append(1)
        mark("x")
        if len(runs) < 3:
            raise LostRace

    in_transaction(overtaken)
    assert (len(runs), marks()) == (3, ["x"])

    def wrong() -> None:
        runs.append(1)
        db.session.execute(text("INSERT INTO entries (posting_id) VALUES (NULL)"))

    with pytest.raises(IntegrityError):
        in_transaction(wrong)
    assert len(runs) == 4


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_locked_file_makes_busy_and_keeps_nothing(
    app: Flask, marks: Callable[[], list[str]], impatient: None
) -> None:
    with db.engine.connect().execution_options(sqlite_begin="IMMEDIATE") as other:
        other.execute(text("INSERT INTO marks (what) VALUES ('held')"))
        with pytest.raises(Busy):
            in_transaction(lambda: mark("never"))
        other.rollback()
    assert marks() == []
