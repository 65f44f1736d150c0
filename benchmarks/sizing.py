"""`python -m benchmarks.sizing [--pages N]`: what one process, a page and a callback cost.

One and two server processes on PostgreSQL with its usual durability, and Redis. The processor's
time is counted by itself, since what else the machine does changes it least.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psycopg2

from benchmarks.due import OURS, Due
from benchmarks.figures import quantile, span
from benchmarks.measures import cpu_seconds
from benchmarks.pages import resident_kb
from benchmarks.postgres import DurablePostgres, durable_postgres
from benchmarks.report import surroundings
from benchmarks.stock import Stock
from benchmarks.worker import REPOSITORY, RunFailed, plain_environment, work
from tests.servers import AppServer, RedisServer, redis_server
from tests.signing import MOMO_ACCESS, MOMO_SECRET

ROUNDS, CALLBACKS, CONNECTIONS = 4, 400, 8
WATCHED = 100
AT_ONCE = 40
IDLE_SECONDS = 30.0


@dataclass
class House:
    """Two processes on one database, and what the parts have used of the processor."""

    postgres: DurablePostgres
    redis: RedisServer
    database: str
    servers: list[AppServer]
    settings: dict[str, str]
    stock: Stock = field(default_factory=Stock)
    order_bytes: float = 0.0
    """What an order that waits for its payment takes in the database."""

    def used(self) -> dict[str, float]:
        """Seconds of the processor so far, by part."""
        return {
            "first": cpu_seconds(self.servers[0].pid),
            "second": cpu_seconds(self.servers[1].pid) if self.servers[1].running else 0.0,
            "postgresql": sum(map(cpu_seconds, self._backends())),
            "redis": cpu_seconds(self.redis.pid),
        }

    def _backends(self) -> list[int]:
        parents = f"/proc/{self.postgres.pid}/task/{self.postgres.pid}/children"
        return [self.postgres.pid, *map(int, Path(parents).read_text().split())]

    def bytes_kept(self) -> int:
        with closing(psycopg2.connect(self.database)) as asked, asked.cursor() as one:
            one.execute("SELECT pg_database_size(current_database())")
            (size,) = one.fetchone() or (0,)
            return int(size)

    def prepare(self, number: int) -> None:
        made = work("prepare", {"count": number}, self.settings, seconds=300)
        self.stock.put(Due(**due) for due in made["dues"])


@contextmanager
def house(orders: int) -> Iterator[House]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="paychime-sizing-")))
        postgres = stack.enter_context(durable_postgres())
        redis = stack.enter_context(redis_server())
        database = postgres.create_database()
        settings = {
            "APP_ENV": "production",
            "SECRET_KEY": "only-for-one-benchmark",
            "DATABASE_URL": database,
            "REDIS_URL": redis.url,
            "INSTANCE_PATH": str(folder),
            "SOCKETS_PER_ADDRESS": "100000",
            "MOMO_PARTNER_CODE": "MOMO",
            "MOMO_ACCESS_KEY": MOMO_ACCESS,
            "MOMO_SECRET_KEY": MOMO_SECRET,
        }
        servers = [AppServer(settings), AppServer(settings, migrate=False)]
        for one in servers:
            stack.callback(one.close)
        servers[0].start()
        here = House(postgres, redis, database, servers, settings)
        empty = here.bytes_kept()
        here.prepare(orders)
        here.order_bytes = (here.bytes_kept() - empty) / orders
        yield here


def post(server: AppServer, dues: Sequence[Due]) -> dict[str, Any]:
    asked = {
        "port": server.port,
        "connections": CONNECTIONS,
        "seconds": 60.0,
        "callbacks": [due.callback for due in dues],
    }
    done = work("load", asked, seconds=120)
    if set(done["statuses"]) != {"200"} and set(done["statuses"]) != {"204"}:
        raise RunFailed(f"callbacks were answered {done['statuses']}")
    return done


@contextmanager
def pages_open(server: AppServer, dues: Sequence[Due]) -> Iterator[dict[str, Any]]:
    asked = {"port": server.port, "at_once": AT_ONCE, "pages": [OURS.page(due) for due in dues]}
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.crowd"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=plain_environment(),
        cwd=REPOSITORY,
        text=True,
    ) as crowd:
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        crowd.stdin.write(f"{json.dumps(asked)}\n")
        crowd.stdin.flush()
        yield json.loads(crowd.stdout.readline())
        crowd.stdin.close()


def callbacks(here: House, to: Sequence[AppServer]) -> dict[str, list[float]]:
    """Each server gets as many, at the same time. Milliseconds of the processor by part."""
    found: dict[str, list[float]] = {"per_second": []}
    for _ in range(ROUNDS):
        shares = [here.stock.take(CALLBACKS) for _ in to]
        before = here.used()
        with ThreadPoolExecutor(len(to)) as crowd:
            done = list(crowd.map(post, to, shares))
        time.sleep(0.5)  # what is still to be told belongs to it
        total = CALLBACKS * len(to)
        found["per_second"].append(total / max(one["seconds"] for one in done))
        for part, seconds in here.used().items():
            found.setdefault(part, []).append((seconds - before[part]) / total * 1_000)
    return found


def pushes(here: House) -> tuple[float, float]:
    """Milliseconds from the callback to the page's handler: half of them, and 99 in 100."""
    dues = here.stock.take(WATCHED)
    asked = {
        "port": here.servers[0].port,
        "pages": [OURS.page(due) for due in dues],
        "in_flight": 1,
    }
    shown = work("watchers", asked, seconds=120)["shown"]
    return quantile(shown, 0.5) * 1_000, quantile(shown, 0.99) * 1_000


def measure(pages: int) -> Iterator[tuple[str, str]]:
    """Rows of the table: what, and how much."""
    needed = pages + 2 * WATCHED + (5 * ROUNDS + 2) * CALLBACKS
    with house(needed) as here:
        one, two = here.servers
        post(one, here.stock.take(CALLBACKS))
        kept = here.bytes_kept()
        alone = callbacks(here, [one])
        grown = (here.bytes_kept() - kept) / (ROUNDS * CALLBACKS)
        yield "callbacks a second, one process", span(alone["per_second"])
        yield "processor for a callback, ms: the process", span(alone["first"])
        yield "processor for a callback, ms: PostgreSQL", span(alone["postgresql"])
        yield "processor for a callback, ms: Redis", span(alone["redis"])
        yield "database: an order that waits, bytes", f"{here.order_bytes:,.0f}"
        yield "database: its callback, bytes", f"{grown:,.0f}"
        half, most = pushes(here)
        yield "callback to page, ms: half, 99 in 100", f"{half:.1f}, {most:.1f}"
        empty = resident_kb(one.pid)
        yield "memory of a process that has worked, MB", f"{empty / 1024:.0f}"
        with pages_open(one, here.stock.take(pages)) as joined:
            time.sleep(2)
            crowded = resident_kb(one.pid)
            yield (
                f"pages that joined a second, {AT_ONCE} at once",
                f"{pages / joined['seconds']:.0f}",
            )
            yield "memory of a page, kB", f"{(crowded - empty) / pages:.1f}"
            before = here.used()["first"]
            time.sleep(IDLE_SECONDS)
            spent = (here.used()["first"] - before) / IDLE_SECONDS
            yield f"processor for {pages:,} pages that wait, share of a core", f"{spent:.1%}"
            crowd = callbacks(here, [one])
            yield f"processor for a callback, ms, {pages:,} pages open", span(crowd["first"])
            half, most = pushes(here)
            yield (
                f"callback to page, ms, {pages:,} open: half, 99 in 100",
                f"{half:.1f}, {most:.1f}",
            )
        two.start()
        post(two, here.stock.take(CALLBACKS))
        lone = callbacks(here, [one])
        yield (
            "processor of a second process for a callback of the first's, ms",
            span(lone["second"]),
        )
        both = callbacks(here, [one, two])
        yield "callbacks a second, two processes", span(both["per_second"])
        each = [first + second for first, second in zip(both["first"], both["second"], strict=True)]
        yield "processor for a callback, ms: both processes together", span(each)
        share = median(both["per_second"]) / median(alone["per_second"])
        yield "two processes against one, callbacks a second", f"{share:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    parser.add_argument("--pages", type=int, default=2_000, help="open at the same time")
    pages = parser.parse_args().pages
    with TemporaryDirectory() as folder:
        about = surroundings(Path(folder), None)
    print(json.dumps(about), file=sys.stderr)
    for what, much in measure(pages):
        print(f"| {what} | {much} |", flush=True)


if __name__ == "__main__":
    main()
