"""Row 30: nothing more can be written, or somebody else holds the database."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest

from tests.faults.conftest import Cluster, OpenShop
from tests.faults.harness import KINDS, Shop
from tests.faults.report import Outcome
from tests.faults.traffic import Answer

RATE = 10.0
FILE_BYTES = 16 * 1024 * 1024
"""As large as PostgreSQL's own log files are from the beginning: only tables are to be refused."""
PAGE_TEXT = 8_060
"""One such line fills a page of a table, and leaves too little for another of any length."""


@contextmanager
def no_more_files(pid: int, limit_bytes: int) -> Iterator[None]:
    """The process cannot write behind so many bytes of any file, as on a full disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def locked(shop: Shop) -> Iterator[None]:
    """Somebody else holds the database, and does not let go."""
    url = shop.books.app.config["SQLALCHEMY_DATABASE_URI"]
    if shop.kind == "sqlite":
        with closing(sqlite3.connect(url.database, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield
            holder.execute("ROLLBACK")
        return
    with closing(psycopg2.connect(shop.postgres.url(url.database))) as holder:
        holder.cursor().execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        yield
        holder.rollback()


def survive(
    shop: Shop, fault: Callable[[], object], seconds: float, figures: Outcome, words: str
) -> None:
    """Callbacks before, during and after; what was refused is called with again."""
    traffic = shop.traffic(RATE, seconds + 4)
    pages = shop.pages_everywhere(*list(shop.due)[::3][:40])
    traffic.start()
    time.sleep(2)
    struck_at = time.monotonic()
    fault()
    healed_at = time.monotonic()
    time.sleep(2)
    answers: list[Answer] = traffic.finish()
    failed = shop.insist_on(answers)
    assert failed, "the fault was none"
    assert all(500 <= one.status < 600 for one in failed), {one.status for one in failed}
    assert all(struck_at < one.began + one.seconds for one in failed)
    assert all(one.began < healed_at + 0.5 for one in failed)
    right = shop.prove(time.monotonic())
    spoken = sorted({one.status for one in failed})
    figures.note(f"{words}: {len(answers)} callbacks, {len(failed)} refused {spoken}, 0 lost")
    figures.note(f"{len(pages)} pages right {right:.1f} s after the last one")


@pytest.mark.fault(30)
@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("log", ["kept", "full"])
def test_a_full_disk_refuses_and_loses_nothing(
    open_shop: OpenShop, kind: str, log: str, figures: Outcome
) -> None:
    """`full`: not even a line of the log can be written."""
    shop = open_shop(kind)
    biggest = max(path.stat().st_size for path in shop.folder.iterdir())

    def full() -> None:
        with no_more_files(shop.servers[0].pid, 0 if log == "full" else biggest):
            time.sleep(6)

    survive(shop, full, 6, figures, f"disk full 6 s, log {log}")


@pytest.mark.fault(30)
@pytest.mark.parametrize("kind", KINDS)
def test_a_locked_database_refuses_and_loses_nothing(
    open_shop: OpenShop, kind: str, figures: Outcome
) -> None:
    shop = open_shop(kind)

    def held() -> None:
        with locked(shop):
            time.sleep(8)

    survive(shop, held, 8, figures, "locked 8 s")


def fill_the_audit(url: str) -> None:
    """Until its file has the size behind which nothing more can be written."""
    query = """INSERT INTO audit (at, actor, action, detail) SELECT now(), 'fill', 'fill',
        json_build_object('text', repeat('x', %s)) FROM generate_series(1, %s)"""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit ALTER COLUMN detail SET STORAGE PLAIN")
        cursor.execute(query, (PAGE_TEXT, FILE_BYTES // 8192))
        cursor.execute("SELECT pg_relation_size('audit')")
        assert cursor.fetchall()[0][0] >= FILE_BYTES
        connection.commit()


def limit_files(shop: Shop, limit_bytes: int | None) -> None:
    """Of the postmaster, whose children inherit it, and of the children that there are.

    By their own user: root in a container may not.
    """
    user = "postgres" if os.geteuid() == 0 else None
    told = "unlimited" if limit_bytes is None else str(limit_bytes)
    postmaster = shop.postgres.pid
    listed = subprocess.run(
        ["/usr/bin/pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=True
    )
    for pid in (str(postmaster), *listed.stdout.split()):
        # A child may have ended meanwhile.
        command = ["/usr/bin/prlimit", f"--pid={pid}", f"--fsize={told}:unlimited"]
        limited = subprocess.run(command, user=user, group=user, capture_output=True, check=False)
        assert limited.returncode == 0 or pid != str(postmaster), limited.stderr


@pytest.mark.fault(30)
@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_full_disk_under_postgresql_refuses_and_loses_nothing(
    open_shop: OpenShop, cluster: Cluster, kind: str, figures: Outcome
) -> None:
    """No table can grow; PostgreSQL's own log of changes has its room."""
    shop = open_shop(kind, postgres=cluster)
    database = shop.books.app.config["SQLALCHEMY_DATABASE_URI"].database

    def full() -> None:
        fill_the_audit(shop.postgres.url(database))
        limit_files(shop, FILE_BYTES)
        time.sleep(6)
        limit_files(shop, None)

    survive(shop, full, 8, figures, "no table can grow for 6 s")
