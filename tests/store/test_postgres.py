"""PostgreSQL under the real server: green, bounded, quick however much there is."""

# ruff: noqa: S608 (the statements are made of words that stand here)

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from flask import Flask
from sqlalchemy import event, text

from payments.store import (
    audit,
    bank_lines,
    cards,
    confirmations,
    engine,
    idempotency,
    inbox,
    ledger,
    orders,
    outbox,
    payments,
    people,
    refunds,
    waiting,
    webhook_deliveries,
    withdrawals,
)
from payments.store.db import db, now
from tests.people import People
from tests.servers import AppServer, ServerFailed
from tests.signing import SHOP_SECRET, shop_webhook

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

MANY = 50_000
WAITING = 20
"""Of the many: what a queue's reader is to find without looking at the others."""


@pytest.fixture
def crowded(app: Flask) -> Iterator[Flask]:
    """A shop of some years: 50,000 rows in each table, of which hardly any wait."""
    rows = f"FROM generate_series(1, {MANY}) AS n"
    done = f"n > {WAITING}"
    statements = (
        "INSERT INTO users (id, role, created_at) VALUES ('U', 'customer', now())",
        f"""INSERT INTO orders (id, status, version, amount, currency, amount_paid, amount_excess,
            amount_refunded, description, late, metadata, created_by, created_at, expires_at)
            SELECT 'O' || n, CASE WHEN {done} THEN 'cancelled' ELSE 'pending' END, 1, 5, 'VND', 0,
            0, 0, 'x', false, '{{}}', 'x', now(), now() - n * interval '1 second' {rows}""",
        f"""INSERT INTO payments (reference, order_id, provider, status, amount, currency,
            amount_received, asked, ask_at, created_at, updated_at)
            SELECT 'P' || n, 'O' || n, CASE WHEN n % 2 = 0 THEN 'momo' ELSE 'campay' END,
            CASE WHEN {done} THEN 'failed' ELSE 'pending' END, 5, 'VND', 0, 0,
            CASE WHEN {done} THEN NULL ELSE now() END, now(), now() {rows}""",
        f"""INSERT INTO inbox (provider, event_id, source, received_at, headers, body, digest,
            verdict, amount, currency)
            SELECT 'pay2s', n, 'callback', now(), '{{}}', '', 'x',
            CASE WHEN {done} THEN 'applied' ELSE 'parked' END, 5, 'VND' {rows}""",
        f"INSERT INTO bank_lines (inbox_id) SELECT id FROM inbox LIMIT {MANY}",
        f"""INSERT INTO refunds (id, order_id, reference, status, amount, currency, from_suspense,
            reason, actor, created_at, ask_at)
            SELECT 'R' || n, 'O' || n, 'P' || n,
            CASE WHEN {done} THEN 'succeeded' ELSE 'requested' END, 5, 'VND', 0, 'x', 'x', now(),
            CASE WHEN n < {WAITING // 2} THEN now() END {rows}""",
        f"""INSERT INTO confirmations (id, order_id, status, amount, currency, reason, evidence,
            requested_by, requested_at) SELECT 'C' || n, 'O' || n,
            CASE WHEN {done} THEN 'applied' ELSE 'held' END, 5, 'VND', 'x', n, 'x', now() {rows}""",
        f"""INSERT INTO outbox (topic, version, event, snapshot, about, at, published_at)
            SELECT 'order:O' || n, 1, 'order.created', '{{}}', '{{}}', now(),
            CASE WHEN n <= {MANY - WAITING} THEN now() END {rows}""",
        f"""INSERT INTO audit (at, actor, action, order_id, detail) SELECT now(), 'x',
            CASE WHEN {done} THEN 'order.created' ELSE 'customer.claimed_paid' END, 'O' || n, '{{}}'
            {rows}""",
        f"""INSERT INTO idempotency_keys (caller, key, digest, created_at)
            SELECT 'x', n, 'x', now() - CASE WHEN {done} THEN interval '0' ELSE interval '9 days'
            END {rows}""",
        f"""INSERT INTO logins (id, user_id, created_at) SELECT n, 'U',
            now() - CASE WHEN {done} THEN interval '0' ELSE interval '99 days' END {rows}""",
        f"""INSERT INTO card_holders (provider, user_id, reference, told, ask_at, created_at)
            SELECT 'p' || n, 'U', n, '[]', CASE WHEN {done} THEN NULL ELSE now() END, now()
            {rows}""",
        f"""INSERT INTO withdrawals (id, user_id, currency, amount, fee, status, destination,
            created_at, ask_at) SELECT 'W' || n, 'U', 'VND', 5, 0,
            CASE WHEN {done} THEN 'settled' ELSE 'held' END, '{{}}', now(),
            CASE WHEN n < {WAITING // 2} THEN now() END {rows}""",
        """INSERT INTO webhook_endpoints (id, url, events, secret, created_by, created_at)
            VALUES ('E', 'https://shop.test/', '[]', 'x', 'x', now())""",
        f"""INSERT INTO webhook_deliveries (id, endpoint_id, topic, version, round, event,
            webhook_id, status, tries, next_at, created_at, ended_at)
            SELECT 'D' || n, 'E', 'order:O' || n, 1, 0, 'order.paid', 'x',
            CASE WHEN {done} THEN 'delivered' ELSE 'waiting' END, 1,
            CASE WHEN {done} THEN NULL ELSE now() END, now(),
            CASE WHEN {done} THEN now() END {rows}""",
    )
    with app.app_context():
        # Neither keys nor triggers look at each row of the many, and nobody waits for the crowd.
        db.session.execute(text("SET LOCAL session_replication_role = replica"))
        db.session.execute(text("SET LOCAL statement_timeout = 0"))
        for statement in statements:
            db.session.execute(text(statement))
        db.session.commit()
        db.session.execute(text("SET statement_timeout = 0"))
        db.session.execute(text("ANALYZE"))
        db.session.commit()
        yield app


def explained(deed: Callable[[], object]) -> str:
    """The plans of every statement that this deed sends, as PostgreSQL makes them."""
    sent: list[tuple[str, Any]] = []

    def note(_c: object, _u: object, statement: str, values: Any, *_: object) -> None:
        sent.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        deed()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
        db.session.rollback()
    assert sent
    cursor = db.session.connection().connection.cursor()
    plans = []
    for statement, values in sent:
        if statement.lstrip().upper().startswith(("SELECT PG_", "SAVEPOINT", "RELEASE")):
            continue
        cursor.execute(f"EXPLAIN {statement}", values)
        plans += [line for (line,) in cursor.fetchall()]
    db.session.rollback()
    return "\n".join(plans)


QUEUES: dict[str, tuple[Callable[[], object], str]] = {
    "orders whose time has run out": (lambda: orders.overdue(now(), 50), "ix_orders_open_expires"),
    "attempts to be asked about": (
        lambda: payments.to_ask(now(), "momo", 20),
        "ix_payments_to_ask",
    ),
    "callbacks for staff": (inbox.unresolved, "ix_inbox_unresolved"),
    "how many of them": (inbox.count_unresolved, "ix_inbox_unresolved"),
    "money without a home": (bank_lines.waiting, "ix_inbox_unresolved"),
    "how much of it": (bank_lines.count_waiting, "ix_inbox_unresolved"),
    "refunds to be asked about": (lambda: refunds.to_ask(now(), "", 100), "ix_refunds_to_ask"),
    "refunds by hand": (refunds.by_hand, "ix_refunds_by_hand"),
    "withdrawals to be asked about": (
        lambda: withdrawals.to_ask(now(), "", 100),
        "ix_withdrawals_to_ask",
    ),
    "withdrawals by hand": (lambda: withdrawals.by_hand(50), "ix_withdrawals_by_hand"),
    "messages to be sent": (
        lambda: webhook_deliveries.begin("E", now(), now(), 10),
        "ix_webhook_deliveries_due",
    ),
    "confirmations that need a second": (confirmations.held, "ix_confirmations_held"),
    "what customers claim": (audit.open_claims, "ix_audit_claims"),
    "facts to be told": (lambda: outbox.unpublished(200), "ix_outbox_unpublished"),
    "how many facts": (outbox.lag, "ix_outbox_unpublished"),
    "cards to be asked for": (lambda: cards.expected(now()), "ix_card_holders_to_ask"),
    "all that waits for people": (waiting.by_kind, "ix_confirmations_held"),
    "old answers": (idempotency.forget_old, "ix_idempotency_keys_created"),
    "old logins": (people.forget_old_logins, "ix_logins_created"),
    "old facts": (lambda: outbox.forget_old(0, 100), "outbox_pkey"),
}


def test_whoever_looks_at_a_queue_does_not_look_at_everything(crowded: Flask) -> None:
    for what, (deed, index) in QUEUES.items():
        plan = explained(deed)
        assert index in plan, f"{what}:\n{plan}"
        assert "Seq Scan" not in plan, f"{what}:\n{plan}"


# ---- The server itself ----


@pytest.fixture
def served(database_url: str) -> Iterator[AppServer]:
    settings = {"DATABASE_URL": database_url, "GENERIC_WEBHOOK_SECRET": SHOP_SECRET}
    with AppServer(settings, migrate=False) as server:
        yield server


def ask(url: str, statement: str) -> list[Any]:
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


def pays(server: AppServer, order_id: str, event_name: str) -> int:
    body, headers = shop_webhook(order_id, 50_000, transaction=f"T{event_name}", event=event_name)
    return status(server, "POST", "/webhook/payment", body, headers)


def status(
    server: AppServer,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status


IN_TRANSACTION = (
    "SELECT state, query FROM pg_stat_activity WHERE datname = current_database() "
    "AND state LIKE 'idle in transaction%' AND state_change < now() - interval '300 ms'"
)


def test_nothing_stands_idle_in_a_transaction_after_a_run_of_requests(
    people: People, served: AppServer, database_url: str
) -> None:
    order_ids = [people.order().id for _ in range(20)]
    with people.app.app_context():
        db.engine.dispose()
    paths = [
        *("/healthz", "/readyz", "/metrics", "/login", "/staff/", "/wallet", "/api/v1/orders"),
        *(f"/checkout/{one}" for one in order_ids[:3]),
        *("/checkout/none", "/api/v1/orders/none", "/api/openapi.json", "/nowhere"),
    ]
    with ThreadPoolExecutor(10) as pool:
        paid = list(pool.map(lambda one: pays(served, one, f"e{one}"), order_ids * 3))
        seen = list(pool.map(lambda path: status(served, "GET", path), paths * 3))
        assert pays(served, "nobodys", "e-nobody") == 200
    assert set(paid) == {200}
    assert max(seen) < 500
    time.sleep(0.5)
    for _ in range(10):
        assert ask(database_url, IN_TRANSACTION) == []
        time.sleep(0.1)
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    # This one that asks is among them.
    assert ask(database_url, mine)[0][0] <= engine.CONNECTIONS + 1


def test_backends_killed_under_a_running_server_lose_and_double_nothing(
    people: People, served: AppServer, database_url: str
) -> None:
    """An operator, or a failover, ends every connection again and again while money comes."""
    order_ids = [people.order().id for _ in range(120)]
    with people.app.app_context():
        db.engine.dispose()
    over = threading.Event()
    killed: list[int] = []

    def kill() -> None:
        while not over.wait(0.4):
            killed.append(
                len(
                    ask(
                        database_url,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> "
                        "pg_backend_pid() AND datname = current_database()",
                    )
                )
            )

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            first = list(pool.map(lambda one: pays(served, one, f"e{one}"), order_ids))
    finally:
        over.set()
        killer.join()
    assert sum(killed) > 10, "the test must have hurt"
    # A provider repeats what was not answered with 2xx; so does this one, once all is quiet.
    assert {pays(served, one, f"e{one}") for one in order_ids} == {200}
    assert first.count(200) > len(order_ids) * 0.9, first
    statuses = ask(database_url, "SELECT status, count(*) FROM orders GROUP BY status")
    assert statuses == [("paid", len(order_ids))]
    assert ask(database_url, "SELECT count(*) FROM postings") == [(len(order_ids),)]
    assert people.in_app(lambda: list(ledger.faults())) == []


def test_a_slow_database_does_not_stop_who_needs_none(
    served: AppServer, people: People, database_url: str
) -> None:
    """An order that somebody holds keeps its own callback waiting, and nobody else."""
    held, free = people.order().id, people.order().id
    with people.app.app_context():
        db.engine.dispose()
    with closing(psycopg2.connect(database_url)) as other, ThreadPoolExecutor(2) as pool:
        with other.cursor() as cursor:
            cursor.execute("SELECT * FROM orders WHERE id = %s FOR UPDATE", [held])
        waits = pool.submit(pays, served, held, "e-held")
        time.sleep(0.3)
        assert status(served, "GET", "/healthz") == 200
        assert pays(served, free, "e-free") == 200
        assert not waits.done()
        other.rollback()
        assert waits.result() == 200


NOT_GREEN = """
from psycopg2 import extensions
extensions.set_wait_callback = lambda wait: None
import wsgi
wsgi.main()
"""


def test_a_server_whose_queries_would_stop_every_page_does_not_start(database_url: str) -> None:
    server = AppServer({"DATABASE_URL": database_url}, migrate=False)
    try:
        with pytest.raises(ServerFailed, match=r"ended with 1:[\s\S]*psycopg2 is not green"):
            server.start("-W", "ignore", "-c", NOT_GREEN)
        # The same is nothing to threads, which may wait.
        settings = {"DATABASE_URL": database_url, "ASYNC_MODE": "threading"}
        with AppServer(settings, migrate=False) as threads:
            assert status(threads, "GET", "/readyz") == 200
    finally:
        server.close()
