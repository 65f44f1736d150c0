"""A backup is made while money comes, restored beside, and compared to the letter."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from payments.settings import Settings
from payments.store import digest, ledger
from payments.store.backup import BadBackup, create, rehearse
from payments.store.db import db, in_transaction
from payments.store.elsewhere import other_database, snapshot
from tests.outside import ON_SQLITE, seen
from tests.people import People
from tests.servers import PostgresServer
from tests.signing import shop_webhook
from tests.test_cli import unguard

ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def shop(people: People) -> People:
    for number in range(5):
        seen(people, people.order().id, 50_000, f"receipt {number}")
    return people


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "paychime.backup"


@pytest.fixture(autouse=True)
def folder(file: Path) -> None:
    file.parent.mkdir()


def command(app: Flask, *arguments: str) -> Result:
    done = app.test_cli_runner().invoke(args=list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def told(app: Flask, *arguments: str) -> dict[str, Any]:
    done = command(app, *arguments, "--json")
    assert done.exit_code == 0, done.output
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def fault(app: Flask, *arguments: str) -> str:
    """Why it was refused, in words, and in the JSON of `verify` alike."""
    done = command(app, *arguments)
    assert done.exit_code == 1, done.output
    return done.output


def digest_now() -> str:
    with snapshot() as connection:
        return digest.of(connection).text


def databases(postgres: PostgresServer) -> set[str]:
    connection = psycopg2.connect(postgres.url("postgres"))
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall()}


@contextmanager
def money_coming(people: People) -> Iterator[list[int]]:
    """Callbacks one after the other in a thread of their own, until the block ends."""
    over, answers = threading.Event(), list[int]()
    client = people.app.test_client()

    def come() -> None:
        while not over.is_set():
            order = people.order().id
            body, headers = shop_webhook(order, 50_000, transaction=order, event=order)
            answers.append(client.post("/webhook/payment", data=body, headers=headers).status_code)

    thread = threading.Thread(target=come)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        thread.join()


def test_a_backup_made_while_money_comes_is_whole(app: Flask, shop: People, file: Path) -> None:
    with money_coming(shop) as answers:
        while len(answers) < 5:
            time.sleep(0.01)
        made = told(app, "backup", "create", str(file))
        during = len(answers)
        verified = told(app, "backup", "verify", str(file))
    assert set(answers) == {200}
    assert len(answers) > during, "money came while it was verified"
    assert verified["ok"]
    assert verified["digest"] == made["digest"]
    assert verified["postings"] >= 10
    assert verified["faults"] == []
    assert shop.in_app(digest_now) != made["digest"], "and it is of its own moment"
    assert sorted(one.name for one in file.parent.iterdir()) == [file.name, f"{file.name}.json"]


def test_it_is_the_operators_alone(app: Flask, shop: People, file: Path) -> None:
    told(app, "backup", "create", str(file))
    for one in file.parent.iterdir():
        assert stat.S_IMODE(one.stat().st_mode) == 0o600, one


def test_by_the_usual_means_it_can_be_restored(
    app: Flask,
    shop: People,
    file: Path,
    tmp_path: Path,
    settings: Settings,
    postgres: PostgresServer,
) -> None:
    """As docs/backup.md says, without any of our commands."""
    made = told(app, "backup", "create", str(file))
    if settings.database_url.startswith("sqlite"):
        shutil.copy(file, tmp_path / "restored.db")
        url = f"sqlite:///{tmp_path / 'restored.db'}"
    else:
        url = postgres.create_database()
        arguments = ["--exit-on-error", "--no-owner", f"--dbname={url}", str(file)]
        subprocess.run([shutil.which("pg_restore") or "", *arguments], check=True, timeout=60)
    with app.app_context(), other_database(url):
        assert digest_now() == made["digest"]
        assert list(ledger.faults()) == []
    if "postgresql" in url:
        postgres.drop_database(url)


@pytest.mark.parametrize("name", ["the copy", "the slip"])
def test_nothing_is_written_over_a_backup(app: Flask, shop: People, file: Path, name: str) -> None:
    there = file if name == "the copy" else file.with_name(f"{file.name}.json")
    there.write_text("of last night")
    assert "exists already" in fault(app, "backup", "create", str(file))
    assert [one.read_text() for one in file.parent.iterdir()] == ["of last night"]


def test_where_nothing_can_be_written_nothing_is_left(app: Flask, shop: People, file: Path) -> None:
    file.parent.rmdir()
    assert "No such file or directory" in fault(app, "backup", "create", str(file))
    assert not file.parent.exists()


def test_a_copy_that_has_changed_since_is_not_believed(
    app: Flask, shop: People, file: Path
) -> None:
    told(app, "backup", "create", str(file))
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    assert "has changed" in fault(app, "backup", "verify", str(file))
    file.write_bytes(whole[:-100])
    assert "has changed" in fault(app, "backup", "verify", str(file))
    file.unlink()
    assert "No such file" in fault(app, "backup", "verify", str(file))


@pytest.mark.parametrize("slip", ["", "[]", "{}", '{"format": 1}', "not JSON"])
def test_a_slip_that_says_nothing_is_not_believed(
    app: Flask, shop: People, file: Path, slip: str
) -> None:
    told(app, "backup", "create", str(file))
    beside = file.with_name(f"{file.name}.json")
    beside.write_text(slip)
    assert "slip cannot be read" in fault(app, "backup", "verify", str(file))
    beside.unlink()
    assert "No such file" in fault(app, "backup", "verify", str(file))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"digest": "sha256:0"}, "its digest is"),
        ({"postings": 1}, "its postings is"),
        ({"revision": "0001"}, "its revision is"),
        ({"format": 99}, "another version"),
    ],
)
def test_a_backup_that_is_not_what_it_says_is_named(
    app: Flask,
    shop: People,
    file: Path,
    changed: dict[str, Any],
    named: str,
    postgres: PostgresServer,
) -> None:
    told(app, "backup", "create", str(file))
    before = databases(postgres)
    beside = file.with_name(f"{file.name}.json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **changed}))
    assert named in fault(app, "backup", "verify", str(file))
    done = command(app, "backup", "verify", str(file), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["ok"] is False
    assert databases(postgres) == before, "what was made for the rehearsal is gone"


def test_a_ledger_that_is_wrong_is_backed_up_and_said_to_be_wrong(
    app: Flask, shop: People, file: Path
) -> None:
    def crime() -> None:
        unguard("entries")
        db.session.execute(text("UPDATE entries SET amount = amount + 1 WHERE amount > 0"))

    shop.in_app(in_transaction, crime)
    assert told(app, "backup", "create", str(file))["faults"]
    assert "not right" in fault(app, "backup", "verify", str(file))


@ON_POSTGRES
def test_a_scratch_database_is_empty_before_and_after(
    app: Flask, shop: People, file: Path, postgres: PostgresServer
) -> None:
    told(app, "backup", "create", str(file))
    scratch = postgres.create_database()
    for _ in range(2):
        assert told(app, "backup", "verify", str(file), "--scratch", scratch)["ok"]
        with app.app_context(), other_database(scratch):
            left = text("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
            assert db.session.execute(left).scalar_one() == 0
    with app.app_context():
        before = digest_now()
    refused = fault(app, "backup", "verify", str(file), "--scratch", app_url(app))
    assert "not empty" in refused
    with app.app_context():
        assert digest_now() == before
    postgres.drop_database(scratch)


def app_url(app: Flask) -> str:
    with app.app_context():
        return db.engine.url.render_as_string(hide_password=False)


@ON_SQLITE
def test_a_backup_of_postgresql_needs_somewhere_to_go(
    app: Flask, shop: People, file: Path, postgres: PostgresServer
) -> None:
    told(app, "backup", "create", str(file))
    beside = file.with_name(f"{file.name}.json")
    beside.write_text(json.dumps({**json.loads(beside.read_text()), "database": "postgresql"}))
    assert "--scratch" in fault(app, "backup", "verify", str(file))
    scratch = postgres.create_database()
    assert "pg_restore failed" in fault(app, "backup", "verify", str(file), "--scratch", scratch)
    postgres.drop_database(scratch)


@ON_POSTGRES
def test_who_may_make_no_database_is_told_what_to_do(
    app: Flask, shop: People, file: Path, postgres: PostgresServer
) -> None:
    told(app, "backup", "create", str(file))
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("CREATE ROLE modest LOGIN"))
    url = app_url(app).replace("postgres@", "modest@")
    with app.app_context(), other_database(url), pytest.raises(BadBackup, match="--scratch"):
        rehearse(file, None)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("DROP ROLE modest"))


@ON_POSTGRES
def test_without_postgresqls_own_programs_it_says_which_is_missing(
    app: Flask, shop: People, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "pg_dump is not installed" in fault(app, "backup", "create", str(file))
    assert list(file.parent.iterdir()) == []


@ON_POSTGRES
def test_a_password_is_no_argument(
    app: Flask, shop: People, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Arguments can be read by everybody on the machine."""
    programs = tmp_path / "programs"
    programs.mkdir()
    pretended = programs / "pg_dump"
    pretended.write_text('#!/bin/sh\necho "$@" > "$0.arguments"; echo "$PGPASSWORD" > "$0.word"')
    pretended.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    url = app_url(app).replace("postgres@", "postgres:a-secret@")
    with app.app_context(), other_database(url):
        assert db.engine.url.password == "a-secret"
        create(file)
    assert "a-secret" not in (programs / "pg_dump.arguments").read_text()
    assert (programs / "pg_dump.word").read_text().strip() == "a-secret"
