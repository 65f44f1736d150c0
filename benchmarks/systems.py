"""What is measured: Paychime on either database, the peer, and the bare commits of each."""

from __future__ import annotations

import http.client
import sys
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from benchmarks import peer
from benchmarks.checks import check_paychime, check_peer
from benchmarks.due import AMOUNT, OURS, PEERS, Due, Vocabulary
from benchmarks.stock import Stock
from benchmarks.worker import REPOSITORY, plain_environment, work
from tests.servers import AppServer, Process, free_port
from tests.signing import MOMO_ACCESS, MOMO_SECRET


class Player(Protocol):
    """Whatever is measured has orders to be paid, and can say whether they were."""

    name: str
    stock: Stock

    def prepare(self, number: int) -> None:
        """Puts so many more orders into the stock."""
        ...

    def check(self) -> None:
        """Raises RunFailed unless exactly what was paid is paid, once."""
        ...


class System(Player, Protocol):
    """A server that takes callbacks and tells pages."""

    vocabulary: Vocabulary
    port: int

    @property
    def pid(self) -> int: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Books:
    """A database of Paychime's, and what works on it without a server."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.stock = Stock()
        self._settings = {
            "APP_ENV": "production",
            "SECRET_KEY": "only-for-one-benchmark",
            "DATABASE_URL": database_url,
            "INSTANCE_PATH": str(folder),
            "SOCKETS_PER_ADDRESS": "5000",
            "MOMO_PARTNER_CODE": "MOMO",
            "MOMO_ACCESS_KEY": MOMO_ACCESS,
            "MOMO_SECRET_KEY": MOMO_SECRET,
        }
        self.server = AppServer(self._settings, migrate=False)

    def migrate(self) -> None:
        self.server.flask("db", "upgrade")

    def work(self, module: str, asked: dict[str, Any]) -> dict[str, Any]:
        return work(module, asked, self._settings)

    def prepare(self, number: int) -> None:
        self.stock.put(Due(**due) for due in self.work("prepare", {"count": number})["dues"])

    def check(self) -> None:
        check_paychime(self.database_url, self.stock.paid)
        self.server.flask("ledger", "verify")

    def close(self) -> None:
        self.server.close()


class Paychime:
    vocabulary = OURS

    def __init__(self, name: str, books: Books) -> None:
        self.name = name
        self.port = books.server.port
        self.stock = books.stock
        self.prepare, self.check = books.prepare, books.check
        self.start = books.server.start
        self.pause, self.resume = books.server.pause, books.server.resume
        self._server = books.server

    @property
    def pid(self) -> int:
        return self._server.pid

    def stop(self) -> None:
        self._server.terminate()


class Floor:
    """The same durable commits as a callback's, in a loop in one process, without Paychime."""

    def __init__(self, name: str, books: Books) -> None:
        self.name = name
        self.stock = books.stock
        self.prepare, self.check = books.prepare, books.check
        self._work = books.work

    def commits_per_second(self, number: int, warm_up: int) -> float:
        dues = self.stock.take(warm_up + number)
        done = self._work("floor", {"warm_up": warm_up, "dues": [due.as_dict() for due in dues]})
        self.stock.paid.extend(dues)
        return float(done["commits"] / done["seconds"])


class Peer:
    name = "peer on SQLite"
    vocabulary = PEERS

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.stock = Stock()
        self._path = str(folder / "peer.sqlite3")
        self._process = Process("the peer", folder / "peer.log")
        self.stop = self._process.kill
        self.pause, self.resume = self._process.pause, self._process.resume
        with closing(peer.connect(self._path)) as database:
            database.execute(peer.TABLE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def prepare(self, number: int) -> None:
        names = [uuid4().hex for _ in range(number)]
        dues = [Due(f"order-{name}", f"reference-{name}") for name in names]
        rows = [(due.order_id, due.reference, AMOUNT) for due in dues]
        with closing(peer.connect(self._path)) as database:
            database.execute("BEGIN")
            database.executemany("INSERT INTO orders VALUES (?, ?, ?, 'pending', NULL)", rows)
            database.execute("COMMIT")
        self.stock.put(dues)

    def start(self) -> None:
        command = [sys.executable, "-m", "benchmarks.peer", self._path, str(self.port)]
        self._process.launch(command, plain_environment(), self._answers, directory=REPOSITORY)

    def check(self) -> None:
        check_peer(self._path, self.stock.paid)

    def close(self) -> None:
        self._process.kill()

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/healthz")
            return connection.getresponse().status == HTTPStatus.OK
        return False
