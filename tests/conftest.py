"""The application on both databases, each test on a fresh one, against real servers."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import Phase
from jinja2.bccache import Bucket, BytecodeCache
from playwright.sync_api import Browser
from sqlalchemy import Connection, Engine, event
from werkzeug.routing import Rule

from payments.bootstrap import add_commands, create_app
from payments.services import accounts
from payments.settings import Settings, load
from payments.store.db import db
from tests.databases import EmptyDatabases
from tests.e2e.browser import chromium
from tests.people import People
from tests.sandbox.world import World, opened
from tests.servers import PostgresServer, postgres_server

# A test run that is told to end must still end the servers that it started.
signal.signal(signal.SIGTERM, signal.default_int_handler)

# A run says the same of the same code each time; `make long` looks where nobody has looked yet.
hypothesis.settings.register_profile(
    "again",
    derandomize=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
hypothesis.settings.register_profile("chance", print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "again"))

ENVIRONMENT = {
    "APP_ENV": "test",
    "SECRET_KEY": "a secret of the tests",
    "PUBLIC_URL": "http://localhost",
    "MOMO_PARTNER_CODE": "MOMO",
    "MOMO_ACCESS_KEY": "F8BBA842ECF85",
    "MOMO_SECRET_KEY": "K951B6PE1waDMi640xX08PD3vg6EkVlz",
    "GENERIC_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}


SLOW = ("e2e", "realtime", "frontends", "faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever starts servers and browsers first: the many quick ones fill what time is left."""

    def quick(item: pytest.Item) -> bool:
        place = item.path.relative_to(Path(__file__).parent)
        return len(place.parts) > 1 and place.parts[0] not in SLOW

    items.sort(key=quick)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for a whole run: Playwright cannot have two of them in one process."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> Iterator[None]:
    """Argon2 with hardly any work: what it protects here is known to everybody."""
    with pytest.MonkeyPatch.context() as changed:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        changed.setattr(accounts, "_HASHER", quick)
        yield


@pytest.fixture(scope="session", autouse=True)
def quick_routes() -> Iterator[None]:
    """An address is read once a process, and how it is built is compiled once one is built."""
    compiled, compile_whole, known = Rule._compile_builder, Rule.compile, dict[str, Rule]()

    def read_once(rule: Rule) -> None:
        first = known.setdefault(rule.rule, rule)
        if first is rule or rule.subdomain or rule.host:
            compile_whole(rule)
            return
        rule._parts, rule._trace = first._parts, first._trace
        rule._converters = first._converters
        rule.arguments.update(first._converters)
        for name, unknown in (("_build", False), ("_build_unknown", True)):
            setattr(rule, name, rule._compile_builder(unknown).__get__(rule, None))

    def when_needed(rule: Rule, append_unknown: bool = True) -> Callable[..., Any]:
        made = list[Callable[..., Any]]()

        def build(self: Rule, *args: Any, **values: Any) -> Any:
            if not made:
                made.append(compiled(rule, append_unknown))
            return made[0](self, *args, **values)

        return build

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(Rule, "_compile_builder", when_needed)
        changed.setattr(Rule, "compile", read_once)
        yield


class _Templates(BytecodeCache):
    def __init__(self) -> None:
        self.compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.compiled:
            bucket.bytecode_from_string(self.compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.compiled[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def quick_templates() -> Iterator[None]:
    """A process compiles each template once; here each test's application made it anew."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(Flask, "jinja_options", {"bytecode_cache": _Templates()})
        yield


class _Compiled(dict[Any, Any]):
    """By the statement alone: which engine asked, the first place of a key, makes no difference."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


@pytest.fixture(scope="session", autouse=True)
def quick_statements() -> Iterator[None]:
    """A process compiles each of its statements once; here each test's database made it anew."""
    compiled = {"sqlite": _Compiled(), "postgresql": _Compiled()}

    def share(connection: Connection) -> None:
        connection.engine._compiled_cache = compiled[connection.dialect.name]

    event.listen(Engine, "engine_connect", share)
    yield
    event.remove(Engine, "engine_connect", share)


def _migrate(url: str, instance: Path) -> None:
    given = load({**ENVIRONMENT, "DATABASE_URL": url, "INSTANCE_PATH": str(instance)})
    app = add_commands(create_app(given))
    with app.app_context():
        upgrade()
        db.engine.dispose()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database: each test copies it."""
    folder = tmp_path_factory.mktemp("sqlite")
    _migrate(f"sqlite:///{folder / 'empty.db'}", folder)
    return folder / "empty.db"


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    url = postgres.create_database()
    _migrate(url, tmp_path_factory.mktemp("postgres"))
    return url


@pytest.fixture(scope="session")
def empty_postgres(postgres: PostgresServer, migrated_postgres: str) -> EmptyDatabases:
    return EmptyDatabases(postgres, migrated_postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database; every test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        empty = request.getfixturevalue("migrated_sqlite")
        shutil.copy(empty, tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    databases: EmptyDatabases = request.getfixturevalue("empty_postgres")
    url = databases.take()
    yield url
    databases.give_back(url)


@pytest.fixture
def environment() -> dict[str, str]:
    """Settings that a test wants otherwise than ENVIRONMENT has them."""
    return {}


@pytest.fixture
def settings(database_url: str, tmp_path: Path, environment: dict[str, str]) -> Settings:
    own = {"DATABASE_URL": database_url, "INSTANCE_PATH": str(tmp_path)}
    return load({**ENVIRONMENT, **own, **environment})


@pytest.fixture(scope="session")
def phone() -> Iterator[World]:
    """The pretended MoMo, for those who set MOMO_API_URL to it; one for all, as MoMo is."""
    with opened() as world:
        yield world


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    made = add_commands(create_app(settings))
    yield made
    with made.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Nobody in particular, with cookies of their own."""
    return app.test_client()


@pytest.fixture
def people(app: Flask) -> People:
    """Everybody a test may need: the shop's key, staff, the owner, a stranger."""
    return People(app)
