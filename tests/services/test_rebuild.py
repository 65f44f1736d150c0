"""What was said and decided is enough: all else can be made again, the same to the letter."""

from __future__ import annotations

import ast
import json
import os
import random
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select, text

from payments.bootstrap import add_commands, create_app
from payments.domain.errors import ProviderRefused
from payments.domain.facts import wallet_topic
from payments.services.access import Identity
from payments.services.books import deeds
from payments.settings import load
from payments.store import audit, digest, ledger, outbox, records, tables
from payments.store.db import db, in_transaction
from payments.store.elsewhere import other_database, snapshot
from tests.conftest import ENVIRONMENT
from tests.outside import ON_SQLITE, at_once, count
from tests.people import People
from tests.servers import REPOSITORY, PostgresServer
from tests.services import life
from tests.services.life import PRICE, Life
from tests.test_cli import unguard


@pytest.fixture
def environment() -> dict[str, str]:
    return life.ENVIRONMENT


@pytest.fixture
def shop(people: People) -> Life:
    return Life(people)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database to rebuild into, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'rebuilt.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.create_database()
    yield url
    server.drop_database(url)


def command(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))


def rebuilt(app: Flask, into: str) -> dict[str, Any]:
    done = command(app, "rebuild", "--into", into, "--json")
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ok"]
    assert told["was"] == told["now"]
    return told


def refused(app: Flask, into: str) -> str:
    done = command(app, "rebuild", "--into", into, "--json")
    assert done.exit_code == 1, done.output
    return str(json.loads(done.stdout)["difference"])


def an_app(url: str, folder: Path) -> Flask:
    folder.mkdir(exist_ok=True)
    own = {"DATABASE_URL": url, "INSTANCE_PATH": str(folder)}
    return add_commands(create_app(load({**ENVIRONMENT, **life.ENVIRONMENT, **own})))


def closed(app: Flask) -> None:
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_a_whole_life_is_made_again_to_the_last_letter(
    app: Flask, shop: Life, people: People, empty: str, tmp_path: Path
) -> None:
    shop.a_bit_of_everything()
    assert people.in_app(lambda: list(ledger.faults())) == []
    told = rebuilt(app, empty)
    assert told["postings"] > 25
    again = an_app(empty, tmp_path / "again")
    others = People(again)
    try:
        verified = command(again, "ledger", "verify", "--json")
        assert json.loads(verified.stdout)["balances"] == people.in_app(_balances)
        assert json.loads(command(again, "ledger", "digest", "--json").stdout) == {
            "digest": told["was"],
            "postings": told["postings"],
            "entries": count(people, "entries"),
        }
        for order in life.orders_now(people):
            mine, theirs = (side.in_app(_facts_of, order.id) for side in (people, others))
            assert mine == theirs
        assert others.in_app(outbox.lag)[0] == 0, "a page of today is told nothing of then"
        assert _schedule(others) == _schedule(people)
        for customer in shop.customers:
            told_then, told_now = (side.in_app(_told, customer) for side in (people, others))
            assert len(told_then) > 5
            assert told_then == told_now, "what a person was told is copied, and not told again"
        tables_alike = ("audit", "users", "inbox", "bank_lines", "confirmations", "refunds")
        for table in (*tables_alike, "withdrawals", "wallets", "topics", "outbox"):
            assert count(others, table) == count(people, table), table
        # And life goes on in it: staff can sign in, and money comes.
        goes_on = Life(others)
        goes_on.shop_says(others.order().id, PRICE, "T-after", event="after")
        goes_on.staff_see(others.order(), 20_000, "after the rebuild")
        assert others.in_app(lambda: list(ledger.faults())) == []
        assert count(others, "inbox") == count(people, "inbox") + 2
    finally:
        closed(again)


def _balances() -> dict[str, int]:
    return {f"{account} {money}": n for (account, money), n in ledger.balances().items()}


def _facts_of(order_id: str) -> list[tuple[int, str, Any]]:
    facts = outbox.of_topic(f"order:{order_id}", 0)
    return [(one.version, one.event, _timeless(one.snapshot)) for one in facts]


def _told(who: Identity) -> list[tuple[int, str, Any, Any]]:
    assert who.user is not None
    facts = outbox.of_topic(wallet_topic(who.user.id), 0)
    return [(one.version, one.event, one.snapshot, one.about) for one in facts]


def _timeless(shown: dict[str, Any]) -> str:
    """Times of writing differ by the moments between two reads of the clock."""
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+", "then", json.dumps(shown))


def _schedule(people: People) -> list[Any]:
    columns = [tables.payments.c[name] for name in ("reference", "asked", "asked_at", "ask_at")]
    both = (
        select(*columns).order_by(columns[0]),
        select(tables.refunds.c.id, tables.refunds.c.ask_at).order_by(tables.refunds.c.id),
    )
    return people.in_app(lambda: [db.session.execute(one).all() for one in both])


@pytest.mark.parametrize("seed", range(int(os.environ.get("REBUILD_SEEDS", "4"))))
def test_whatever_happened_is_made_again(
    app: Flask, people: People, tmp_path: Path, seed: int
) -> None:
    chance, shop = random.Random(seed), Life(people)
    for _ in range(60):
        shop.anything(chance)
    assert people.in_app(lambda: list(ledger.faults())) == []
    rebuilt(app, f"sqlite:///{tmp_path / 'rebuilt.db'}")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("seed", range(int(os.environ.get("REBUILD_SEEDS", "2"))))
def test_what_happened_at_once_is_made_again_one_after_the_other(
    app: Flask, people: People, tmp_path: Path, seed: int
) -> None:
    """Four people deal with the same few orders: the audit alone knows who came first."""
    few = [people.order() for _ in range(3)]
    lives = [Life(people) for _ in range(4)]

    def live(number: int) -> None:
        chance, shop = random.Random(seed * 10 + number), lives[number]
        shop.orders = list(few)
        for _ in range(25):
            shop.anything(chance)

    at_once(len(lives), live)
    assert people.in_app(lambda: list(ledger.faults())) == []
    rebuilt(app, f"sqlite:///{tmp_path / 'rebuilt.db'}")


def crime(people: People, *statements: str) -> None:
    """What only somebody with the database's own password could do."""

    def commit_it() -> None:
        for table in ("entries", "postings", "audit"):
            unguard(table)
        for statement in statements:
            db.session.execute(text(statement))

    people.in_app(in_transaction, commit_it)


CRIMES: dict[str, tuple[str, str]] = {
    "an amount": (
        "UPDATE entries SET amount = amount * 2 WHERE posting_id = "
        "(SELECT id FROM postings WHERE cause LIKE 'receipt:%' ORDER BY cause LIMIT 1)",
        "ledger has receipt:P",
    ),
    "an account": (
        "UPDATE entries SET account = 'clearing:mine' WHERE account = 'clearing:momo'",
        "clearing:mine",
    ),
    "a posting of a bank line": (
        "UPDATE postings SET cause = 'returned:9999' WHERE cause LIKE 'returned:%'",
        "returned:",
    ),
    "a figure of an order": ("UPDATE orders SET late = NOT late", "order O"),
    "an end of an attempt": (
        "UPDATE payments SET failure_code = 'no_funds' WHERE status = 'failed'",
        "payment P",
    ),
    "a refund": (
        "UPDATE refunds SET provider_refund_id = 'RF-77' WHERE provider_refund_id = 'RF-7'",
        "refund R",
    ),
    "a withdrawal": (
        "UPDATE withdrawals SET evidence = 'FT mine' WHERE status = 'settled'",
        "withdrawal W",
    ),
    "a balance": ("UPDATE wallets SET balance = balance + 1", "wallet of "),
    "a running balance": (
        "UPDATE entries SET balance_after = balance_after + 1 WHERE balance_after > 0",
        "running balance after receipt:P",
    ),
    "a verdict": ("UPDATE inbox SET verdict = 'rung' WHERE source = 'staff'", "do not fit"),
    "a deed": (
        "UPDATE audit SET action = 'order.improved' WHERE action = 'order.cancelled'",
        "order.improved of order O",
    ),
    "a deed that is missing": ("DELETE FROM audit WHERE action = 'order.cancelled'", " O"),
    "a callback that is missing": (
        "DELETE FROM inbox WHERE reason = 'unknown_refund'",
        "callback.parked",
    ),
    "what was read": (
        "UPDATE inbox SET notice = REPLACE(CAST(notice AS TEXT), '40000', '39999') "
        "WHERE amount = 40000 AND source = 'callback'",
        "receipt:P",
    ),
}


@pytest.fixture(scope="module")
def lived(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with a life behind it: each crime is committed on a copy."""
    folder = tmp_path_factory.mktemp("lived")
    shutil.copy(migrated_sqlite, folder / "lived.db")
    made = an_app(f"sqlite:///{folder / 'lived.db'}", folder)
    Life(People(made)).a_bit_of_everything()
    closed(made)
    return folder / "lived.db"


@pytest.mark.parametrize("crime_named", CRIMES)
def test_a_planted_difference_is_named(lived: Path, tmp_path: Path, crime_named: str) -> None:
    shutil.copy(lived, tmp_path / "lived.db")
    app = an_app(f"sqlite:///{tmp_path / 'lived.db'}", tmp_path)
    statement, named = CRIMES[crime_named]
    crime(People(app), statement)
    assert named in refused(app, f"sqlite:///{tmp_path / 'rebuilt.db'}")
    closed(app)


def test_what_is_not_empty_is_not_touched(app: Flask, people: People, empty: str) -> None:
    people.order()
    before = count(people, "orders")
    for address in (people.house.settings.database_url, empty):
        with app.app_context(), other_database(empty):
            if address == empty:
                db.session.execute(text("CREATE TABLE mine (id INTEGER)"))
                db.session.commit()
        done = command(app, "rebuild", "--into", address)
        assert done.exit_code == 1
        assert "not empty" in done.output
    assert count(people, "orders") == before


@ON_SQLITE
@pytest.mark.parametrize(
    "address",
    ["nonsense", "", "mysql://a:secret@localhost/x", "postgresql://a:secret@127.0.0.1:1/x"],
)
def test_an_address_that_leads_nowhere_is_refused_without_its_password(
    app: Flask, address: str
) -> None:
    done = command(app, "rebuild", "--into", address)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert "secret" not in done.output


def test_the_shop_goes_on_while_it_is_rebuilt(
    app: Flask, people: People, shop: Life, tmp_path: Path
) -> None:
    """What comes meanwhile belongs to the next rebuild: one moment is read, not several."""
    shop.a_bit_of_everything()
    waiting = [people.order().id for _ in range(30)]
    told = people.in_app(digest_now)
    with ThreadPoolExecutor(1) as pool:
        told_meanwhile = [
            pool.submit(shop.shop_says, one, PRICE, f"M{one}", event=one) for one in waiting
        ]
        assert rebuilt(app, f"sqlite:///{tmp_path / 'first.db'}")["ok"]
        for one in told_meanwhile:
            one.result()
    assert people.in_app(digest_now) != told
    assert rebuilt(app, f"sqlite:///{tmp_path / 'second.db'}")["was"] == (people.in_app(digest_now))


def digest_now() -> str:
    with snapshot() as connection:
        return digest.of(connection).text


def test_the_digest_sees_money_and_nothing_else(app: Flask, people: People, shop: Life) -> None:
    shop.a_bit_of_everything()
    first = people.in_app(digest_now)
    crime(people, "UPDATE postings SET created_at = '2001-01-01 00:00:00'")
    assert people.in_app(digest_now) == first
    other = "UPDATE entries SET currency = 'XAF' WHERE account = 'clearing:momo'"
    people.in_app(in_transaction, lambda: db.session.execute(text(other)))
    assert people.in_app(digest_now) != first


@ON_SQLITE
def test_a_shop_of_the_first_release_is_made_again(
    app: Flask, people: People, shop: Life, tmp_path: Path
) -> None:
    """Version 0.1 wrote down neither what it had read nor what a provider had answered."""
    paid, failed, told = shop.order(), shop.order(), shop.order()
    attempt = shop.begin(paid, "momo")
    shop.rail.starts = [ProviderRefused("No.", code="no_phone")]
    shop.begin(failed, "momo")
    assert attempt is not None
    shop.momo_says(attempt.reference, PRICE, 1, code=1006)
    shop.momo_says(attempt.reference, PRICE, 2)
    shop.shop_says(told.id, 20_000, "T-1")
    shop.shop_says(told.id, 45_000, "T-2")
    shop.shop_says("nobodys", 45_000, "T-3")
    shop.refund(paid, 20_000)
    crime(
        people,
        "UPDATE inbox SET notice = NULL",
        "DELETE FROM audit WHERE action IN ('payment.accepted', 'payment.refused')",
    )
    rebuilt(app, f"sqlite:///{tmp_path / 'rebuilt.db'}")


def test_every_table_is_copied_made_again_or_left_out() -> None:
    """A new table has to say which, and docs/adr/0030 why."""
    named = [*records.COPIED, *records.REBUILT, *records.LEFT_OUT]
    assert len(named) == len(set(named))
    assert set(named) == set(db.metadata.sorted_tables)


def test_every_action_of_the_audit_is_a_deed_or_none() -> None:
    """What the code writes into the audit, found in its own text."""
    written = set()
    for file in (REPOSITORY / "payments").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "audit.record":
                words = [one.value for one in ast.walk(call) if isinstance(one, ast.Constant)]
                written |= {
                    word
                    for word in words
                    if isinstance(word, str) and re.fullmatch(r"[a-z]+\.[a-z_]+", word)
                }
                assert written, f"{file}: an action that no reader can see"
    written |= {audit.CLAIMED}
    assert written == deeds.DEEDS.keys() | deeds.NO_DEEDS
    assert not deeds.DEEDS.keys() & deeds.NO_DEEDS
