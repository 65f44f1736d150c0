"""Shops to put through faults, on both databases, and the figures of each row."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.faults import report
from tests.faults.harness import KINDS, Shop
from tests.faults.pages import closed_in_the_end
from tests.faults.report import Outcome
from tests.servers import AppServer, PostgresServer, postgres_server, redis_server

OpenShop = Callable[..., Shop]
Cluster = tuple[PostgresServer, str]
"""A server, and the URL of a migrated database that new ones are copies of."""

QUICK: dict[str, tuple[str, ...]] = {
    "test_a_callback_a_hundred_times_at_once_makes_one_posting": ("postgresql-1",),
    "test_another_body_under_the_same_event_id_is_kept_and_flagged": ("sqlite-at-once",),
    "test_in_whatever_order_notices_come_the_end_is_one": ("sqlite-40",),
    "test_a_clock_may_be_five_minutes_wrong_and_no_more": (
        "sqlite-generic",
        "sqlite-sepay",
        "sqlite-casso",
    ),
    "test_a_server_that_dies_in_a_payment_loses_nothing_and_doubles_nothing": (
        "before-commit-sqlite-2",
        "before-publish-sqlite-2",
        "before-mark-sqlite-2",
    ),
    "test_what_anybody_wrote_stands_on_a_page_as_text": ("sqlite",),
    "test_a_stranger_reads_nothing_by_any_address": ("sqlite",),
    "test_a_foreign_page_is_refused_at_the_handshake": ("eventlet-sqlite",),
    "test_the_same_key_is_the_same_call_on_every_server": ("sqlite",),
    "test_a_call_that_still_runs_is_not_begun_again": ("sqlite",),
    "test_nonsense_is_refused_in_words_and_in_no_time": ("eventlet-sqlite",),
    "test_a_line_break_in_an_id_makes_no_header": ("eventlet-sqlite",),
    "test_pages_that_come_and_go_leave_nothing_behind": ("eventlet-1-2-sqlite",),
    "test_a_body_that_is_too_much_is_refused_and_not_kept": (
        "100 MB in chunks-answers3-eventlet-sqlite",
        "a gzip bomb-answers4-eventlet-sqlite",
    ),
    "test_an_inside_address_is_not_called_however_it_is_written": (
        *("loopback", "link-local", "private", "decimal", "octal", "hexadecimal"),
        "IPv6-mapped",
    ),
    "test_a_name_that_leads_inside_is_not_called_even_if_it_did_not_before": ("",),
    "test_a_redirect_is_not_followed": ("302", "307"),
    "test_a_socket_is_closed_when_its_right_has_ended": ("sqlite-logged out",),
    "test_a_provider_that_never_calls_is_asked": ("1-sqlite",),
    "test_callbacks_do_not_notice_that_redis_hangs": ("1.0-postgresql",),
    "test_news_from_another_server_arrives_whatever_redis_has_lost": (
        "2-restarted empty-postgresql",
    ),
    "test_nothing_that_was_changed_is_taken": ("sqlite-momo", "sqlite-generic"),
    "test_a_signature_that_is_missing_empty_or_doubled_proves_nothing": ("generic",),
    "test_an_old_secret_signs_only_until_its_rotation_is_over": (
        "sqlite-inside-generic",
        "sqlite-after-generic",
    ),
    "test_however_a_story_goes_the_books_and_the_pages_end_right": ("0-40",),
    "test_a_planted_fault_is_found_soon": (
        "a_posting_twice",
        "a_fact_forgotten",
        "promised_refunds_not_counted",
    ),
    "test_ninety_six_megabytes_in_fragments_are_stopped_at_the_limit": ("65000-eventlet-sqlite",),
    "test_no_deed_of_staff_is_done_without_their_token": ("sqlite",),
    "test_fifty_presses_of_a_button_do_it_once": ("sqlite",),
}
"""What runs every time: seconds each. All else here is `long`, and runs with `make faults`."""

_outcomes = pytest.StashKey[list[Outcome]]()
_mine = pytest.StashKey[Outcome]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_outcomes] = list[Outcome]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mine = [item for item in items if item.path.parent == Path(__file__).parent]
    found: dict[str, set[str]] = {}
    for item in mine:
        name, _, parameters = item.name.removesuffix("]").partition("[")
        found.setdefault(name, set()).add(parameters)
        if parameters not in QUICK.get(name, ()):
            item.add_marker(pytest.mark.long)
    if not any("::" in one for one in config.args):
        gone = [(name, set(QUICK.get(name, ())) - found[name]) for name in found]
        assert not any(missing for _, missing in gone), f"QUICK names what is not there: {gone}"


@pytest.fixture(autouse=True)
def figures(request: pytest.FixtureRequest) -> Outcome:
    """What this test measures of its row; `@pytest.mark.fault(<row>)` says which."""
    mark = request.node.get_closest_marker("fault")
    assert mark is not None, "which row of FAULTS is this?"
    params = getattr(request.node, "callspec", None)
    given = params.params if params else {}
    kind = str(given.get("shop") or given.get("kind") or given.get("database_url") or "-")
    where = report.PLACES[kind]
    outcome = Outcome(mark.args, str(request.node.nodeid), request.node.originalname, where)
    request.node.stash[_mine] = outcome
    request.config.stash[_outcomes].append(outcome)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    told: Any = yield
    outcome = item.stash.get(_mine, None)
    if outcome is not None:
        outcome.seconds += told.duration
        if told.when == "call" or told.failed:
            outcome.verdict = told.outcome if outcome.verdict != "failed" else "failed"
        if told.failed:
            outcome.measured.append(_why(told))
        _write(item.config)
    return told  # type: ignore[no-any-return]


def _why(told: Any) -> str:
    """The last line of the failure, in short."""
    crash = getattr(told.longrepr, "reprcrash", None)
    words = str(crash.message if crash else told.longrepr).splitlines()
    return f"{told.when} failed: {words[0][:200] if words else ''}"


def _write(config: pytest.Config) -> None:
    """After every test: a run that is cut off leaves what it found."""
    table = os.environ.get("FAULTS_TABLE")
    if table:
        found: list[Outcome] = config.stash[_outcomes]
        Path(table).write_text(report.page(found))


@pytest.fixture
def seed(figures: Outcome) -> random.Random:
    """Chance that can be had again: FAULTS_SEED."""
    number = int(os.environ.get("FAULTS_SEED") or random.randrange(2**32))
    print(f"FAULTS_SEED={number}")
    figures.seed = number
    return random.Random(number)


@pytest.fixture(autouse=True)
def sockets_closed() -> Iterator[None]:
    with closed_in_the_end():
        yield


@pytest.fixture
def open_shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenShop]:
    """Called as `open_shop(kind, ...)`; all else is settings of the servers.

    `postgres`: a `cluster` instead of the server that all tests share. `detour`: given
    PostgreSQL's port, the port by which the servers reach it. `program`: what the first server
    (`everywhere`: each) runs instead of `wsgi.py`.
    """
    with ExitStack() as stack:

        def opened(
            kind: str,
            *,
            instances: int | None = None,
            postgres: tuple[PostgresServer, str] | None = None,
            detour: Callable[[int], int] | None = None,
            program: tuple[str, ...] = (),
            everywhere: bool = False,
            started: bool = True,
            **settings: str,
        ) -> Shop:
            folder = tmp_path / f"shop{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            if kind == "sqlite":
                shutil.copy(request.getfixturevalue("migrated_sqlite"), folder / "shop.db")
                where = {"DATABASE_URL": f"sqlite:///{folder / 'shop.db'}"}
                shop = Shop(kind, folder, where | settings)
            else:
                server, template = postgres or (
                    request.getfixturevalue("postgres"),
                    request.getfixturevalue("migrated_postgres"),
                )
                url = server.create_database(template=template)
                stack.callback(server.drop_database, url)
                redis = stack.enter_context(redis_server())
                port = detour(server.port) if detour else server.port
                by = urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{port}").geturl()
                shop = Shop(
                    kind,
                    folder,
                    {"DATABASE_URL": by, "REDIS_URL": redis.url} | settings,
                    instances=2 if instances is None else instances,
                    books={"DATABASE_URL": url},
                    redis=redis,
                    postgres=server,
                )
            stack.callback(shop.close)
            outcome: Outcome = request.getfixturevalue("figures")
            outcome.where = shop.where
            if started:
                shop.start(*program, everywhere=everywhere)
            return shop

        yield opened


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A PostgreSQL of this file's own, to be stopped and starved; other tests keep theirs."""
    with postgres_server() as server:
        url = server.create_database()
        folder = str(tmp_path_factory.mktemp("instance"))
        command = AppServer({"DATABASE_URL": url, "INSTANCE_PATH": folder})
        command.flask("db", "upgrade")
        command.close()
        yield server, url


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, open_shop: OpenShop) -> Shop:
    """Started: one server on SQLite; two on PostgreSQL and Redis."""
    return open_shop(request.param)
