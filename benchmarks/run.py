"""One whole run: builds the systems, measures them, checks what they kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import measures
from benchmarks.measures import Case
from benchmarks.plan import Plan
from benchmarks.postgres import DurablePostgres, durable_postgres, installed
from benchmarks.systems import Books, Floor, Paychime, Peer, Player, System

SQLITE, POSTGRES = "SQLite", "PostgreSQL"


@dataclass(frozen=True, slots=True)
class Field:
    """Everything that takes part."""

    paychimes: list[Paychime]
    peer: Peer
    floors: list[Floor]
    folder: Path
    postgres: str | None
    """Its version, where there is one."""

    @property
    def systems(self) -> list[System]:
        return [*self.paychimes, self.peer]

    @property
    def players(self) -> list[Player]:
        return [*self.systems, *self.floors]


def _sqlite_pair(folder: Path) -> tuple[Books, Books]:
    """Two databases with the tables: for the server and for the bare commits."""
    own, floor = (folder / f"{name}.sqlite3" for name in ("server", "floor"))
    made = Books(f"sqlite:///{own}", folder)
    made.migrate()
    shutil.copy(own, floor)
    return made, Books(f"sqlite:///{floor}", folder)


def _postgres_pair(postgres: DurablePostgres, folder: Path) -> tuple[Books, Books]:
    made = Books(postgres.create_database(), folder)
    made.migrate()
    return made, Books(postgres.create_database(template=made.database_url), folder)


@contextmanager
def field() -> Iterator[Field]:
    """Databases with their tables, and servers to be started, in a folder that is removed again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="paychime-bench-")))

        pairs = {SQLITE: _sqlite_pair(folder)}
        version = None
        if installed():
            postgres = stack.enter_context(durable_postgres())
            pairs[POSTGRES] = _postgres_pair(postgres, folder)
            version = postgres.version()
        for one in chain.from_iterable(pairs.values()):
            stack.callback(one.close)
        paychimes = [Paychime(f"Paychime on {name}", own) for name, (own, _) in pairs.items()]
        floors = [Floor(name, floor) for name, (_, floor) in pairs.items()]
        peer = Peer(folder)
        stack.callback(peer.close)
        yield Field(paychimes, peer, floors, folder, version)


def prepare(here: Field, plan: Plan) -> None:
    """Nothing is measured yet: all databases are filled at once."""
    wanted = {one: plan.orders_of(one.name) for one in here.systems}
    with ThreadPoolExecutor() as crowd:
        filled = [crowd.submit(one.prepare, number) for one, number in wanted.items()]
        filled += [crowd.submit(one.prepare, plan.orders_of_a_floor) for one in here.floors]
        for one in filled:
            one.result()


def run(here: Field, plan: Plan, tell: Callable[[str], None]) -> list[Case]:
    """Raises RunFailed where a figure would be one of a wrong run."""
    tell("preparing orders")
    prepare(here, plan)
    tell("starting servers")
    for system in here.systems:
        system.start()
    tell("callbacks")
    cases = measures.callbacks(here.systems, plan)
    tell("the same commits without us")
    cases += measures.commits(here.floors, plan)
    tell("from the callback to the page")
    cases += measures.push(here.systems, plan)
    tell("open pages")
    cases += measures.pages(here.systems, plan)
    tell("checking every payment")
    check(here)
    return cases


def check(here: Field) -> None:
    """Raises RunFailed unless every callback that was answered is paid, once, and nothing else."""
    with ThreadPoolExecutor() as crowd:
        for checked in [crowd.submit(player.check) for player in here.players]:
            checked.result()
