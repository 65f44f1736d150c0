"""A shop under test: its servers on one database, its provider, its open pages, its books."""

from __future__ import annotations

import http.client
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.faults.books import Books
from tests.faults.pages import Page
from tests.faults.traffic import BROKEN, REFUSED, Answer, Traffic
from tests.servers import AppServer, PostgresServer, RedisServer
from tests.signing import SHOP_SECRET, shop_webhook

KINDS = ("sqlite", "postgresql")
AMOUNT = 50_000
ANSWER_SECONDS = 30.0
RIGHT_SECONDS = 10.0
"""After the heal every open page shows what the database says."""


@dataclass(frozen=True)
class Owed:
    """An order that waits for its money, and the one transaction that is to bring it."""

    order_id: str
    token: str
    amount: int = AMOUNT

    @property
    def transaction(self) -> str:
        return f"T-{self.order_id}"

    @property
    def event(self) -> str:
        return f"msg_{self.order_id}"

    def callback(self, **changes: Any) -> tuple[bytes, dict[str, str]]:
        """Signed now: a provider that calls again signs again."""
        said = {"transaction": self.transaction, "event": self.event, **changes}
        return shop_webhook(self.order_id, said.pop("amount", self.amount), **said)


class Shop:
    """`kind` is `sqlite` (one server) or `postgresql` (Redis, and as many servers as asked for)."""

    def __init__(
        self,
        kind: str,
        folder: Path,
        environment: Mapping[str, str],
        *,
        instances: int = 1,
        books: Mapping[str, str] | None = None,
        redis: RedisServer | None = None,
        postgres: PostgresServer | None = None,
    ) -> None:
        self.kind = kind
        self.folder = folder
        self.environment = {
            "APP_ENV": "test",
            "SECRET_KEY": "a secret of the shop that is put through faults",
            "GENERIC_WEBHOOK_SECRET": SHOP_SECRET,
            "INSTANCE_PATH": str(folder),
            "API_RATE": "100000",
            **environment,
        }
        self.servers = [AppServer(self.environment, migrate=False) for _ in range(instances)]
        self.books = Books(self.environment | dict(books or {}))
        self.pages: list[Page] = []
        self.redis_server = redis
        self.postgres_server = postgres
        self.key = ""
        self.due: dict[str, Owed] = {}
        self._credits: dict[tuple[str, str | None], int] = {}
        self._turns = itertools.count()
        self._programs: dict[int, tuple[str, ...]] = {}

    @property
    def where(self) -> str:
        """For the table."""
        if self.redis_server is None:
            return "SQLite, one server"
        servers = {1: "one server", 2: "two servers"}[len(self.servers)]
        return f"PostgreSQL + Redis, {servers}"

    @property
    def redis(self) -> RedisServer:
        assert self.redis_server is not None, "this shop has no Redis"
        return self.redis_server

    @property
    def postgres(self) -> PostgresServer:
        assert self.postgres_server is not None, "this shop has no PostgreSQL"
        return self.postgres_server

    def start(self, *program: str, everywhere: bool = False) -> None:
        """The first server runs `program` where one is named: `wsgi.py` with a fault in it.

        `everywhere`: each of them does.
        """
        self.key = self.key or self.books.key()
        for place, server in enumerate(self.servers):
            self._programs[place] = program if everywhere or place == 0 else ()
            server.start(*self._programs[place])

    def restart(self, **settings: str) -> None:
        """One server after the other, on its port and its database, with these settings changed."""
        for place, server in enumerate(self.servers):
            server.terminate()
            server.change(**settings)
            server.start(*self._programs[place])

    def close(self) -> None:
        for page in self.pages:
            page.close()
        for server in self.servers:
            server.close()
        self.books.close()

    # ---- orders and their provider ----

    def call(self, method: str, path: str, body: Any = None, server: int = 0) -> dict[str, Any]:
        answer = requests.request(
            method,
            self.servers[server].url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=20,
        )
        assert answer.ok, f"{answer.status_code} {answer.text}"
        return dict(answer.json())

    def order(self, server: int = 0, amount: int = AMOUNT) -> Owed:
        asked = {"amount": amount, "currency": "VND", "description": "Coffee"}
        made = self.call("POST", "/api/v1/orders", asked, server)
        owed = Owed(made["id"], made["watch_token"], amount)
        self.due[owed.order_id] = owed
        return owed

    def orders(self, count: int) -> list[Owed]:
        return [self.order(number % len(self.servers)) for number in range(count)]

    def tell(self, order_id: str, server: int | None = None, **changes: Any) -> Answer:
        """The provider calls once. Without a `server`: as a proxy, which goes to the next one

        where nobody listens, and gives nothing twice to anybody.
        """
        owed = self.due[order_id]
        body, headers = owed.callback(**changes)
        began = time.monotonic()
        first = next(self._turns)
        order = [server] if server is not None else range(first, first + len(self.servers))
        status = REFUSED
        for place in order:
            status = self.post(place % len(self.servers), body, headers)
            if status != REFUSED:
                break
        answer = Answer(order_id, began, time.monotonic() - began, status)
        if answer.ok and not changes:
            self._credits[order_id, owed.transaction] = owed.amount
        return answer

    def insist(self, order_id: str, seconds: float = 20.0, server: int | None = None) -> Answer:
        """The provider calls until it is answered 2xx."""
        end = time.monotonic() + seconds
        while not (answer := self.tell(order_id, server)).ok:
            assert time.monotonic() < end, f"not taken: {answer}"
            time.sleep(0.1)
        return answer

    def insist_on(self, answers: Sequence[Answer]) -> list[Answer]:
        """Every callback that was not answered 2xx is made again; which they were."""
        failed = [one for one in answers if not one.ok]
        for one in failed:
            self.insist(one.order_id)
        return failed

    def traffic(self, rate: float, seconds: float) -> Traffic:
        """Callbacks for new orders at this rate, by turns to every server; not yet started."""
        owed = self.orders(int(rate * seconds))
        return Traffic(self.tell, [one.order_id for one in owed], rate)

    def credited(self, order_id: str, transaction: str | None, amount: int) -> None:
        """Another provider than ours was paid this."""
        self._credits[order_id, transaction] = amount

    def not_credited(self, order_id: str) -> None:
        """Our provider's word was answered 2xx and kept, and another's had come first."""
        del self._credits[order_id, self.due[order_id].transaction]

    def post(self, place: int, body: bytes, headers: Mapping[str, str]) -> int:
        """This callback to this server, whatever stands in it; the status."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.servers[place].port, timeout=ANSWER_SECONDS
        )
        try:
            connection.connect()
        except ConnectionRefusedError:
            return REFUSED
        except OSError:
            return BROKEN
        try:
            connection.request("POST", "/webhook/payment", body, dict(headers))
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException):
            return BROKEN
        finally:
            connection.close()

    # ---- pages ----

    def page(self, *order_ids: str, server: int = 0, polls: bool = False) -> Page:
        """A page of these orders, open and showing them. Staff's: it may watch every order."""
        page = Page(self.servers[server].url, self.key, polls=polls)
        self.pages.append(page)
        page.open()
        page.watches(list(order_ids))
        return page

    def pages_everywhere(self, *order_ids: str) -> list[Page]:
        """On each server one by socket, and on the first one that polls."""
        by_socket = [self.page(*order_ids, server=n) for n in range(len(self.servers))]
        return [*by_socket, self.page(*order_ids, polls=True)]

    def pages_right(self, healed_at: float, seconds: float = RIGHT_SECONDS) -> float:
        """Seconds from the heal until every page showed what the database says."""
        wanted = self.books.states({one for page in self.pages for one in page.shown})
        last = 0.0
        for page in self.pages:

            def right(page: Page = page) -> bool:
                return all(
                    (one.version, one.status) == wanted[order_id]
                    for order_id, one in page.shown.items()
                )

            if not page.until(right, healed_at + seconds):
                wrong = {
                    order_id: (one.version, one.status, wanted[order_id])
                    for order_id, one in page.shown.items()
                    if (one.version, one.status) != wanted[order_id]
                }
                raise AssertionError(f"a page of {page.url} shows {wrong}")
            last = max([last, *(one.at for one in page.shown.values())])
        return max(0.0, last - healed_at)

    def prove(self, healed_at: float) -> float:
        """The invariants of every row; seconds from the heal until the last page was right."""
        seconds = self.pages_right(healed_at)
        self.books.prove(self._credits)
        return seconds

    def wait_ready(self, server: int = 0, seconds: float = 20.0) -> float:
        """The moment from which this server serves with its database."""
        end = time.monotonic() + seconds
        while True:
            try:
                found = requests.get(f"{self.servers[server].url}/readyz", timeout=2)
                if found.ok:
                    return time.monotonic()
            except requests.RequestException:
                pass
            assert time.monotonic() < end, "the server does not come back"
            time.sleep(0.02)
