"""The migrations make the tables that the code knows, and the database itself says no."""

# ruff: noqa: S608 (the statements are made of words that stand here)

from __future__ import annotations

import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import MetaData, inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from payments.bootstrap import check_schema
from payments.store.db import db
from tests.outside import ON_SQLITE, seen
from tests.people import People


def test_the_migrations_make_the_tables_that_the_code_knows(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, db.metadata) == []


def constraints(app: Flask) -> dict[str, dict[str, object]]:
    """What autogenerate does not compare: checks, conditions of indexes, kinds of columns."""
    with app.app_context():
        seen_by = inspect(db.engine)
        return {
            table: {
                "checks": {
                    one["name"]: re.sub(r"[\s()]|::\w+( varying)?(\[\])?", "", one["sqltext"])
                    for one in seen_by.get_check_constraints(table)
                },
                "uniques": sorted(
                    tuple(one["column_names"]) for one in seen_by.get_unique_constraints(table)
                ),
                "indexes": sorted(
                    (
                        str(one["name"]),
                        tuple(one["column_names"]),
                        re.sub(
                            r"[\s()\"]|::\w+( varying)?(\[\])?",
                            "",
                            str(
                                one.get("dialect_options", {}).get("postgresql_where")
                                or one.get("dialect_options", {}).get("sqlite_where")
                            ),
                        ).lower(),
                    )
                    for one in seen_by.get_indexes(table)
                ),
                "foreign keys": sorted(
                    (tuple(one["constrained_columns"]), str(one["referred_table"]))
                    for one in seen_by.get_foreign_keys(table)
                ),
                "primary key": seen_by.get_pk_constraint(table)["constrained_columns"],
                "columns": {
                    one["name"]: (str(one["type"]), one["nullable"])
                    for one in seen_by.get_columns(table)
                },
            }
            for table in seen_by.get_table_names()
            if table != "alembic_version"
        }


def test_made_by_the_code_or_by_the_migrations_the_tables_are_one(app: Flask) -> None:
    migrated = constraints(app)
    with app.app_context(), db.engine.begin() as connection:
        everything = MetaData()
        everything.reflect(connection)
        everything.drop_all(connection)
        db.metadata.create_all(connection)
    assert set(migrated) == set(db.metadata.tables)
    assert constraints(app) == migrated


def test_migrating_twice_is_migrating_once(app: Flask) -> None:
    with app.app_context():
        upgrade()
    check_schema(app)


@ON_SQLITE
def test_a_server_does_not_start_on_tables_of_another_version(app: Flask) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with pytest.raises(SystemExit) as stopped:
        check_schema(app)
    assert "db upgrade" in str(stopped.value)


@pytest.fixture
def paid(people: People) -> People:
    seen(people, people.order().id, 50_000)
    return people


def attempt(people: People, *statements: str) -> None:
    with people.app.app_context(), db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def test_what_was_written_once_is_neither_changed_nor_removed(paid: People) -> None:
    crimes = [
        crime
        for table, column in (("postings", "cause"), ("entries", "account"), ("audit", "actor"))
        for crime in (
            f"UPDATE {table} SET {column} = 'x'",
            f"UPDATE {table} SET {column} = 'x' WHERE id = 1",
            f"UPDATE {table} SET id = id + 1000",
            f"DELETE FROM {table}",
            f"DELETE FROM {table} WHERE id = 1",
        )
    ]
    if "postgresql" in paid.house.settings.database_url:
        crimes += [f"TRUNCATE {table} CASCADE" for table in ("postings", "entries", "audit")]
    for crime in crimes:
        with pytest.raises(DBAPIError, match="append-only"):
            attempt(paid, crime)


NOW = "'2026-01-01 00:00:00'"
POST = f"INSERT INTO postings (cause, created_at) VALUES ('by hand', {NOW})"


def leg(amount: int, currency: str = "VND") -> str:
    return (
        "INSERT INTO entries (posting_id, account, currency, amount) "
        f"SELECT id, 'x', '{currency}', {amount} FROM postings WHERE cause = 'by hand'"
    )


UNBALANCED = (
    [leg(1)],
    [leg(5), leg(-4)],
    [leg(5), leg(-5, "INR")],
    [leg(5), leg(-5), leg(1, "INR")],
)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_refuses_at_the_commit_what_does_not_sum_to_zero(people: People) -> None:
    for legs in UNBALANCED:
        with pytest.raises(IntegrityError, match="does not sum to zero"):
            attempt(people, POST, *legs)
    attempt(people, POST, leg(5), leg(-5), leg(7, "INR"), leg(-7, "INR"))
    with pytest.raises(IntegrityError, match="does not sum to zero"):
        attempt(people, leg(1))


ORDER = (
    "INSERT INTO orders (id, status, version, amount, currency, amount_paid, amount_excess, "
    "amount_credited, purpose, amount_refunded, description, late, metadata, created_by, "
    "created_at, expires_at) VALUES ('{id}', '{status}', 1, {amount}, 'VND', {paid}, {excess}, "
    f"{{credited}}, '{{purpose}}', {{refunded}}, 'x', {{late}}, '{{{{}}}}', 'x', {NOW}, {NOW})"
)


IMPOSSIBLE: list[tuple[dict[str, str], str]] = [
    ({"amount": "0"}, "ck_orders_amount"),
    ({"amount": "-1"}, "ck_orders_amount"),
    ({"status": "done"}, "ck_orders_status"),
    ({"status": "paid"}, "ck_orders_paid"),
    ({"excess": "-1"}, "ck_orders_excess"),
    ({"refunded": "1"}, "ck_orders_refunded"),
    ({"refunded": "-1"}, "ck_orders_refunded"),
    ({"credited": "-1"}, "ck_orders_credited"),
    ({"credited": "1"}, "ck_orders_credited"),
    ({"paid": "3", "excess": "2", "credited": "2"}, "ck_orders_credited"),
    ({"purpose": "gift"}, "ck_orders_purpose"),
    ({"purpose": "deposit"}, "ck_orders_purpose"),
]
"""Each breaks one constraint and no other: which of two is named, a database does not promise."""


def test_an_order_that_cannot_be_is_refused(people: People) -> None:
    values = {"id": "O1", "status": "pending", "amount": "1", "late": "false"}
    values |= {"paid": "0", "excess": "0", "refunded": "0", "credited": "0", "purpose": "sale"}
    attempt(people, ORDER.format(**{**values, "id": "O2"}))
    for wrong, name in IMPOSSIBLE:
        with pytest.raises(IntegrityError, match=name):
            attempt(people, ORDER.format(**{**values, **wrong}))


WALLET = "INSERT INTO wallets (user_id, currency, balance) VALUES ('{user_id}', 'VND', {balance})"
WITHDRAWAL = (
    "INSERT INTO withdrawals (id, user_id, currency, amount, fee, status, destination, created_at) "
    f"VALUES ('{{id}}', '{{user_id}}', 'VND', {{amount}}, {{fee}}, '{{status}}', '{{{{}}}}', {NOW})"
)
RIGHT: dict[str, str] = {"id": "W1", "balance": "0", "amount": "1", "fee": "0", "status": "held"}
NO_WALLETS: list[tuple[str, dict[str, str], str]] = [
    (WALLET, {"balance": "-1"}, "ck_wallets_balance"),
    (WITHDRAWAL, {"amount": "0"}, "ck_withdrawals_amount"),
    (WITHDRAWAL, {"amount": "-1"}, "ck_withdrawals_amount"),
    (WITHDRAWAL, {"fee": "-1"}, "ck_withdrawals_amount"),
    (WITHDRAWAL, {"status": "gone"}, "ck_withdrawals_status"),
]


def test_a_wallet_and_a_withdrawal_that_cannot_be_are_refused(people: People) -> None:
    owner = people.owner.user
    assert owner is not None
    values = {**RIGHT, "user_id": owner.id}
    for statement, wrong, name in NO_WALLETS:
        with pytest.raises(IntegrityError, match=name):
            attempt(people, statement.format(**{**values, **wrong}))
    attempt(people, WALLET.format(**values), WITHDRAWAL.format(**values))


def test_no_entry_says_that_a_wallet_is_below_zero(people: People) -> None:
    entry = (
        "INSERT INTO entries (posting_id, account, currency, amount, balance_after) "
        "SELECT id, 'wallet:x', 'VND', 1, -1 FROM postings WHERE cause = 'by hand'"
    )
    with pytest.raises(IntegrityError, match="ck_entries_balance_after"):
        attempt(people, POST, entry)


CRIMES = (
    "UPDATE payments SET status = 'pending'",
    "UPDATE payments SET amount_received = 0",
    "UPDATE payments SET order_id = 'none'",
    "UPDATE confirmations SET approved_by = requested_by",
    "UPDATE inbox SET verdict = 'believed'",
    "INSERT INTO inbox "
    "(provider, event_id, source, received_at, headers, body, digest, verdict) SELECT "
    "provider, event_id, source, received_at, headers, body, digest, verdict FROM inbox",
    "INSERT INTO postings (cause, created_at) SELECT cause, created_at FROM postings",
    "INSERT INTO entries (posting_id, account, currency, amount) VALUES (1, 'x', 'VND', 0)",
    "INSERT INTO outbox (topic, version, event, snapshot, about, at) "
    "SELECT topic, version, event, snapshot, about, at FROM outbox",
    "DELETE FROM orders",
)


def test_the_database_itself_says_no(paid: People) -> None:
    for crime in CRIMES:
        with pytest.raises(IntegrityError):
            attempt(paid, crime)
