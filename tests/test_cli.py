"""`flask --app app ...`: keys, people, the demo shop, the ledger, questions to providers."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import text

from payments.services import accounts, demo
from payments.services.reconcile import reconcile_everything
from payments.settings import Settings
from payments.store import people as people_store
from payments.store.db import db, in_transaction
from tests.conftest import ENVIRONMENT
from tests.outside import ON_SQLITE, ORDER, Caller, attempt_of, begin, count, done, problem, seen
from tests.people import PASSWORD, People
from tests.sandbox.world import World
from tests.servers import REPOSITORY


@pytest.fixture
def environment(phone: World) -> dict[str, str]:
    return {"MOMO_API_URL": f"{phone.url}/momo"}


def run(app: Flask, *arguments: str, given: str = "") -> Result:
    return app.test_cli_runner().invoke(args=list(arguments), input=given)


def line(result: Result) -> dict[str, Any]:
    """The one JSON line, and nothing beside it."""
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_a_key_is_shown_once_and_opens_the_door(app: Flask, people: People) -> None:
    told = line(run(app, "api-key", "create", "my shop", "--json"))
    assert told["name"] == "my shop"
    done(Caller(app, {"Authorization": f"Bearer {told['key']}"}).post("/orders", ORDER), 201)
    assert people.in_app(people_store.find_key, told["key"]) is not None

    def stored() -> str:
        return str(db.session.execute(text("SELECT * FROM api_keys")).all())

    assert told["key"] not in people.in_app(stored)
    words = run(app, "api-key", "create", "my shop")
    assert words.exit_code == 0
    assert words.output.startswith("pk_")


@ON_SQLITE
@pytest.mark.parametrize("name", ["", "n" * 81, "a\nb", "a\x00b"])
def test_a_key_has_a_name(app: Flask, people: People, name: str) -> None:
    assert run(app, "api-key", "create", name).exit_code == 1
    assert count(people, "api_keys") == 0


@ON_SQLITE
@pytest.mark.parametrize("role", accounts.ROLES)
def test_a_user_is_made_with_the_password_from_standard_input(
    app: Flask, people: People, role: str
) -> None:
    arguments = ("user", "create", f"{role}@shop.test", "--role", role, "--password-stdin")
    told = line(run(app, *arguments, "--json", given=f"{PASSWORD}\r\n"))
    assert (told["email"], told["role"]) == (f"{role}@shop.test", role)
    assert PASSWORD not in str(told)
    signed_in = {"email": f"{role}@shop.test", "password": PASSWORD}
    done(Caller(app).post("/auth/token", signed_in))
    again = run(app, *arguments, given=f"{PASSWORD}\n")
    assert again.exit_code == 1
    assert "has an account" in again.output


@ON_SQLITE
def test_a_password_is_asked_for_twice_and_not_shown(app: Flask, people: People) -> None:
    made = run(
        app, "user", "create", "a@shop.test", "--role", "clerk", given=f"{PASSWORD}\n{PASSWORD}\n"
    )
    assert made.exit_code == 0
    assert PASSWORD not in made.output
    assert count(people, "users") == 1


@ON_SQLITE
@pytest.mark.parametrize(
    ("arguments", "password"),
    [
        (("a@shop.test", "--role", "clerk"), "short"),
        (("a@shop.test", "--role", "clerk"), ""),
        (("a@shop.test", "--role", "clerk"), "x" * 1_001),
        (("a@shop.test", "--role", "key"), PASSWORD),
        (("a@shop.test", "--role", "root"), PASSWORD),
        (("a@shop.test", "--role", "clerk", "--name", "n" * 201), PASSWORD),
        (("a@shop.test", "--role", "clerk", "--name", "a\x00b"), PASSWORD),
        (("a@shop.test",), PASSWORD),
        (("nobody", "--role", "clerk"), PASSWORD),
        (("a b@shop.test", "--role", "clerk"), PASSWORD),
        (("a\x00@shop.test", "--role", "clerk"), PASSWORD),
        (("@shop.test", "--role", "clerk"), PASSWORD),
        (("a@shop.test", "--role", "clerk", "--password", PASSWORD), PASSWORD),
    ],
)
def test_what_is_no_user_is_not_made(
    app: Flask, people: People, arguments: tuple[str, ...], password: str
) -> None:
    made = run(app, "user", "create", *arguments, "--password-stdin", given=f"{password}\n")
    assert made.exit_code in {1, 2}
    assert made.output
    assert count(people, "users") == 0


def test_the_demo_shop_is_filled_and_filling_it_again_adds_nothing(
    app: Flask, people: People
) -> None:
    first = line(run(app, "demo", "--json"))
    before = {name: count(people, name) for name in ("users", "api_keys", "orders")}
    assert line(run(app, "demo", "--json")) == first
    assert {name: count(people, name) for name in before} == before
    words = run(app, "demo").output
    for login in ("clerk@demo.test", "manager@demo.test", "mai@demo.test"):
        assert login in words
        done(Caller(app).post("/auth/token", {"email": login, "password": "paychime-demo"}))
    assert {"paychime-demo", "pk_demo_paychime"} <= set(words.split())
    shop = Caller(app, {"Authorization": "Bearer pk_demo_paychime"})
    done(shop.post("/orders", ORDER), 201)
    mai = people.in_app(people_store.find_email, "mai@demo.test")
    assert mai is not None
    assert (mai.role, mai.locale) == ("customer", "vi")


class TestInProduction:
    @pytest.fixture
    def environment(self) -> dict[str, str]:
        return {"APP_ENV": "production"}

    @ON_SQLITE
    def test_the_demo_shop_is_refused(self, app: Flask, people: People) -> None:
        refused = run(app, "demo")
        assert refused.exit_code == 1
        assert "production" in refused.output
        assert (count(people, "users"), count(people, "api_keys")) == (0, 0)
        problem(
            Caller(app, {"Authorization": f"Bearer {demo.API_KEY}"}).get("/orders"),
            401,
            "unauthorized",
        )


@pytest.fixture
def paid(people: People) -> str:
    order = people.order()
    seen(people, order.id, 20_000, "receipt 1")
    seen(people, order.id, 30_000, "receipt 2")
    return order.id


def test_a_ledger_that_is_right_is_said_to_be(app: Flask, paid: str) -> None:
    told = line(run(app, "ledger", "verify", "--json"))
    assert (told["ok"], told["faults"]) == (True, [])
    assert told["balances"] == {"clearing:manual VND": 50_000, "revenue VND": -50_000}
    words = run(app, "ledger", "verify")
    assert words.exit_code == 0
    assert "right" in words.output


def unguard(table: str) -> None:
    """What only somebody with the database's own password could do."""
    if db.engine.dialect.name == "sqlite":
        for deed in ("update", "delete"):
            db.session.execute(text(f"DROP TRIGGER {table}_no_{deed}"))
    else:
        db.session.execute(text(f"DROP TRIGGER {table}_append_only ON {table}"))


@pytest.mark.parametrize(
    ("table", "crime", "named"),
    [
        ("entries", "UPDATE entries SET amount = amount + 1 WHERE amount > 0", "posting receipt:P"),
        ("entries", "DELETE FROM entries WHERE amount > 0", "posting receipt:P"),
        ("entries", "DELETE FROM entries", "fewer than two legs"),
        ("postings", "UPDATE postings SET cause = 'receipt:PX' WHERE id = 1", "receipt:PX"),
        (None, "UPDATE orders SET amount_paid = amount_paid + 1", "order "),
        (None, "UPDATE payments SET amount_received = amount_received + 1", "payment P"),
        (None, "UPDATE inbox SET reference = 'PX'", "callback "),
    ],
)
def test_a_row_that_was_tampered_with_is_named(
    app: Flask, people: People, paid: str, table: str | None, crime: str, named: str
) -> None:
    def commit_it() -> None:
        if table:
            unguard(table)
        db.session.execute(text(crime))

    people.in_app(in_transaction, commit_it)
    found = run(app, "ledger", "verify")
    assert found.exit_code == 1
    assert named in found.output
    told = run(app, "ledger", "verify", "--json")
    assert told.exit_code == 1
    faults = json.loads(told.output)
    assert faults["ok"] is False
    assert any(named in fault for fault in faults["faults"])


def test_every_unsettled_attempt_is_asked_about(app: Flask, people: People, phone: World) -> None:
    orders = [people.order() for _ in range(3)]
    for order in orders:
        begin(people, order.id)
    for order in orders[:2]:
        phone.decide("pay", attempt_of(people, order.id).reference, silent=True)
    assert line(run(app, "reconcile", "--json")) == {"asked": 3}
    assert line(run(app, "reconcile", "--json")) == {"asked": 1}
    shop = Caller(app, people.key())
    statuses = [done(shop.get(f"/orders/{order.id}"))["status"] for order in orders]
    assert statuses == ["paid", "paid", "pending"]
    assert run(app, "reconcile").stdout.strip().endswith("Asked about 1 attempts.")
    assert people.in_app(reconcile_everything, people.house.rails, lambda _d, _a: None) == 1


def on_a_terminal(settings: Settings, more: dict[str, str], *arguments: str) -> str:
    """What the command shows to somebody who sits before it."""
    ours, theirs = pty.openpty()
    own = {"DATABASE_URL": settings.database_url, "INSTANCE_PATH": str(settings.instance)}
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", *arguments],
            cwd=REPOSITORY,
            env={**kept, **ENVIRONMENT, **own, **more, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            timeout=60,
            check=False,
        )
        shown = os.read(ours, 100_000).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 0, shown
    return shown


@ON_SQLITE
def test_on_a_terminal_one_sees_how_far_it_is(
    app: Flask, people: People, settings: Settings, environment: dict[str, str]
) -> None:
    """A bar on the terminal; nothing of it in a pipe or beside the JSON line."""
    for _ in range(3):
        begin(people, people.order().id)
    shown = on_a_terminal(settings, environment, "reconcile")
    assert "Asking" in shown
    assert " 33%" in shown
    assert "100%" in shown
    assert shown.strip().endswith("Asked about 3 attempts.")
    as_json = on_a_terminal(settings, environment, "reconcile", "--json")
    assert "Asking" not in as_json
    assert json.loads(as_json.strip().splitlines()[-1]) == {"asked": 3}
    piped = run(app, "reconcile")
    assert (piped.stdout, "Asking" in piped.output) == ("Asked about 3 attempts.\n", False)


@ON_SQLITE
def test_every_command_explains_itself(app: Flask) -> None:
    for command in (("api-key", "create"), ("user", "create"), ("ledger", "verify"), ("demo",)):
        told = run(app, *command, "--help")
        assert told.exit_code == 0
        assert "--json" in told.output
