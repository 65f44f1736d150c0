"""Rows 27 to 31: ended logins, a crowd that returns, drains, full disks, silent providers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest
import requests
import socketio
from sqlalchemy import update

from payments.services import accounts
from payments.store import people, tables
from payments.store.db import db, in_transaction, now
from tests.faults.conftest import OpenShop
from tests.faults.crowd import Crowd
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.people import PASSWORD
from tests.sandbox.world import KEYS, World

CLOSED_SECONDS = 5.0
BACK_SECONDS = 30.0
DRAIN_SECONDS = 10.0
POLL_SECONDS = 10.0
"""`domain.questions.FIRST_QUESTION`."""
LOOPS_SECONDS = 3.5
"""A tenth of jitter, the round of what is watched (2 s), and the one of questions (0.5 s)."""
MINUTES = [pytest.mark.long, pytest.mark.timeout(600)]


# ---- 27 ----


class SignedIn:
    """A browser in which somebody has signed in, with a socket open on every server."""

    def __init__(self, shop: Shop, name: str) -> None:
        self.shop = shop
        self.email = f"{name}@faults.test"
        shop.books.read(accounts.create_user, self.email, PASSWORD, "manager", name=name)
        self.browser = requests.Session()
        self._form("/login", email=self.email, password=PASSWORD)
        self.closed: list[float] = []
        self.clients = [self._socket(server.url) for server in shop.servers]

    def _form(self, path: str, **fields: str) -> None:
        """By the form of a page of the first server."""
        url = self.shop.servers[0].url
        page = self.browser.get(f"{url}/login", timeout=20).text
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        headers = {"Origin": url}
        answer = self.browser.post(
            url + path,
            data={"csrf_token": token, **fields},
            headers=headers,
            timeout=20,
            allow_redirects=False,
        )
        assert answer.status_code == 303, answer.status_code

    def _socket(self, url: str) -> socketio.Client:
        client = socketio.Client(http_session=self.browser, reconnection=False)
        client.on("disconnect", lambda *_: self.closed.append(time.monotonic()))
        headers = {"Sec-Fetch-Site": "same-origin"}
        client.connect(url, headers=headers, transports=["websocket"], wait_timeout=10)
        joined = client.call("watch", {"topic": "orders", "after": None}, timeout=5)
        assert joined["ok"], "somebody of the staff may watch all orders"
        return client

    def log_out(self) -> None:
        self._form("/logout")

    def change(self, **values: object) -> None:
        def changed() -> None:
            user = people.find_email(self.email)
            assert user is not None
            db.session.execute(
                update(tables.users).where(tables.users.c.id == user.id).values(**values)
            )

        self.shop.books.read(in_transaction, changed)

    def close(self) -> None:
        for client in self.clients:
            client.shutdown()
        self.browser.close()


ENDS: dict[str, Callable[[SignedIn], None]] = {
    "logged out": SignedIn.log_out,
    "role lost": lambda one: one.change(role="customer"),
    "disabled": lambda one: one.change(disabled_at=now()),
}


@pytest.mark.fault(27)
@pytest.mark.parametrize("words", ENDS)
def test_a_socket_is_closed_when_its_right_has_ended(
    shop: Shop, words: str, figures: Outcome
) -> None:
    one, other = SignedIn(shop, "ends"), SignedIn(shop, "stays")
    try:
        ended_at = time.monotonic()
        ENDS[words](one)
        while len(one.closed) < len(shop.servers):
            assert time.monotonic() - ended_at < CLOSED_SECONDS, f"{words}, and still open"
            time.sleep(0.01)
        assert other.closed == [], "somebody else's stays"
        figures.note(f"{words}: closed after {max(one.closed) - ended_at:.1f} s")
    finally:
        one.close()
        other.close()
    shop.prove(time.monotonic())


# ---- 28 ----


def database_figures(shop: Shop) -> tuple[int, int]:
    """Connections of this shop's database, and transactions it has ended."""
    url = shop.books.app.config["SQLALCHEMY_DATABASE_URI"]
    query = """SELECT numbackends, xact_commit + xact_rollback FROM pg_stat_database
        WHERE datname = current_database()"""
    with closing(psycopg2.connect(shop.postgres.url(url.database))) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        ((connections, transactions),) = cursor.fetchall()
    return int(connections), int(transactions)


@pytest.mark.fault(28)
@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=MINUTES)])
def test_a_crowd_that_comes_back_at_once_is_served(
    shop: Shop, count: int, seed: random.Random, figures: Outcome
) -> None:
    owed = shop.orders(count // 10)
    ports = [server.port for server in shop.servers]
    pages = [
        (ports[place % len(ports)], owed[place % len(owed)].order_id, owed[place % len(owed)].token)
        for place in range(count)
    ]
    with Crowd(pages, seed) as crowd:
        crowd.wait(lambda: crowd.joined() == count, 90)
        for server in shop.servers:
            server.kill()
        crowd.wait(lambda: crowd.joined() == 0, 20)
        most, before = 0, 0
        if shop.kind == "postgresql":
            _, before = database_figures(shop)
        for server in shop.servers:
            server.start()
        restarted = time.monotonic()
        while crowd.joined() < count:
            assert time.monotonic() - restarted < BACK_SECONDS, f"{crowd.joined()} of {count}"
            if shop.kind == "postgresql":
                most = max(most, database_figures(shop)[0])
            time.sleep(0.1)
        seconds = time.monotonic() - restarted
        if shop.kind == "postgresql":
            each = (database_figures(shop)[1] - before) / count
            # Ten kept and ten more in each server; the books and this look at it.
            allowed = 20 * len(shop.servers) + 4
            assert most <= allowed
            figures.note(f"at most {most} connections, {each:.1f} transactions a page")
        for one in owed:
            shop.insist(one.order_id)
        paid_at = time.monotonic()
        wanted = shop.books.states([one.order_id for one in owed])
        right = crowd.wait(
            lambda: all(one.shown == wanted[one.order_id] for one in crowd.people), 10
        )
        shop.prove(paid_at)
    figures.note(f"{count} pages back {seconds:.1f} s after the restart")
    figures.note(f"all right {right:.1f} s after {len(owed)} payments")


# ---- 31 ----


@pytest.mark.fault(31)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [1, pytest.param(3, marks=MINUTES)])
def test_a_provider_that_never_calls_is_asked(
    open_shop: OpenShop,
    phone: World,
    kind: str,
    times: int,
    seed: random.Random,
    figures: Outcome,
) -> None:
    shop = open_shop(
        kind,
        MOMO_API_URL=f"{phone.url}/momo",
        MOMO_PARTNER_CODE=KEYS.partner_code,
        MOMO_ACCESS_KEY=KEYS.access_key,
        MOMO_SECRET_KEY=KEYS.secret_key,
    )
    slowest = 0.0
    for _ in range(times):
        owed = shop.order()
        path = f"/api/v1/orders/{owed.order_id}/payments"
        reference = shop.call("POST", path, {"provider": "momo"})["reference"]
        pages = shop.pages_everywhere(owed.order_id)
        time.sleep(seed.random() * 5)
        told = phone.decide("pay", reference, silent=True)
        paid_at = time.monotonic()
        for page in pages:
            shown = page.shown[owed.order_id]
            asked_by = paid_at + POLL_SECONDS + LOOPS_SECONDS
            assert page.until(lambda shown=shown: shown.status == "paid", asked_by)
            slowest = max(slowest, shown.at - paid_at)
        shop.credited(owed.order_id, str(told["transId"]), owed.amount)
        version = pages[0].shown[owed.order_id].version
        assert phone.resend(reference).ok
        assert [one["state"] for one in phone.settled(reference)][-1] == "answered"
        shop.prove(time.monotonic())
        assert pages[0].shown[owed.order_id].version == version
        while shop.pages:
            shop.pages.pop().close()
    figures.note(f"{times} silent payments: on the page {slowest:.1f} s after the payer paid")
    figures.note("the late call 2xx, without effect")
