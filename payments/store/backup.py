"""Copies of the whole database, made while it is written to, and rehearsed.

A backup that nobody has restored is none.

Beside the copy lies a slip, `FILE.json`: what the ledger was at the very moment of the copy. A
rehearsal restores the copy into a database of its own and compares.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg2.extensions import make_dsn
from sqlalchemy import URL, Connection, func, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from payments.store import digest, ledger, schema
from payments.store import scratch as scratches
from payments.store.db import db
from payments.store.elsewhere import NotEmpty, other_database, snapshot

FORMAT = 1
PIECE_BYTES = 1 << 20
INSUFFICIENT_PRIVILEGE = "42501"


class BadBackup(Exception):
    """It cannot be made, or it is not what it says; in words, without an address or a secret."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What a backup says of itself. `rows` by table; `faults` as `ledger verify` names them."""

    format: int
    database: str
    made_at: str
    revision: str | None
    sha256: str
    bytes: int
    digest: str
    postings: int
    rows: dict[str, int]
    faults: list[str]


def create(target: Path) -> Slip:
    """Copies this database into the file. Raises BadBackup; then nothing is left behind."""
    slip_file = slip_of(target)
    if target.exists() or slip_file.exists():
        raise BadBackup("The file exists already: nothing is written over a backup.")
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        # It holds names, addresses and hashes of passwords: the operator's alone.
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise BadBackup(f"The file cannot be written ({error.strerror}).") from error
    try:
        with snapshot() as source:
            if source.dialect.name == "sqlite":
                said = _figures(source)
                _copy_sqlite(source, unfinished)
            else:
                moment = source.execute(text("SELECT pg_export_snapshot()")).scalar_one()
                wanted = ("--format=custom", f"--snapshot={moment}", f"--file={unfinished}")
                _run("pg_dump", db.engine.url, *wanted)
                said = _figures(source)
            database = source.dialect.name
        _sync(unfinished)
        slip = Slip(
            format=FORMAT,
            database=database,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            sha256=_sha256(unfinished),
            bytes=unfinished.stat().st_size,
            **said,
        )
        os.replace(unfinished, target)
        slip_file.write_text(json.dumps(asdict(slip), indent=2) + "\n")
        slip_file.chmod(0o600)
        _sync(slip_file)
    except OSError as error:
        raise BadBackup(f"The file cannot be written ({error.strerror}).") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
    return slip


def rehearse(backup: Path, scratch: str | None) -> Slip:
    """Restores it where nothing is lost, compares it with its slip, and drops what it made.

    `scratch` is the address of an empty database; without it one is made: a temporary file, or a
    temporary database beside this one. Raises BadBackup naming the first thing that is wrong.
    """
    slip = _read_slip(backup)
    if slip.bytes != backup.stat().st_size or slip.sha256 != _sha256(backup):
        raise BadBackup("The file has changed since it was made, or the slip is another one's.")
    with _restored(backup, slip, scratch), snapshot() as restored:
        found = _figures(restored)
    for name, value in found.items():
        said = getattr(slip, name)
        if value != said:
            raise BadBackup(f"Restored, its {name} is {value}, and it says {said}.")
    if slip.faults:
        raise BadBackup(f"It is whole, but the ledger in it is not right: {slip.faults[0]}")
    return slip


@contextmanager
def _restored(backup: Path, slip: Slip, scratch: str | None) -> Iterator[None]:
    """Inside, `db` is the restored database. Raises BadBackup."""
    try:
        if slip.database == "sqlite":
            with scratches.sqlite_file() as file:
                shutil.copyfile(backup, file)
                with other_database(f"sqlite:///{file}"):
                    _demand_sound(file)
                    yield
            return
        if scratch is None and db.engine.dialect.name != "postgresql":
            raise BadBackup("It is a PostgreSQL backup: name an empty database with --scratch.")
        with scratches.postgres_at(scratch) if scratch else scratches.postgres_beside() as url:
            _run("pg_restore", url, "--exit-on-error", "--no-owner", "--no-privileges", str(backup))
            with other_database(url):
                yield
    except (NotEmpty, ArgumentError) as error:
        raise BadBackup(f"--scratch: {error}") from error
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) else None
        if getattr(cause, "pgcode", None) == INSUFFICIENT_PRIVILEGE:
            raise BadBackup(
                "No right to make a database: name an empty one (--scratch)."
            ) from error
        # Not its words: they may hold an address.
        raise BadBackup(f"The restore failed ({type(error).__name__}).") from error


def _demand_sound(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for check in ("integrity_check", "foreign_key_check"):
            wrong = [row for row in connection.execute(f"PRAGMA {check}") if row != ("ok",)]
            if wrong:
                raise BadBackup(f"SQLite finds a fault in it: {wrong[0]}")


def _copy_sqlite(source: Connection, target: Path) -> None:
    """By SQLite's own means, from the very moment at which `source` reads."""
    driver = source.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101 (what the dialect says)
    with closing(sqlite3.connect(target)) as copy:
        driver.backup(copy)


def _run(program: str, url: URL, *arguments: str) -> None:
    """Raises BadBackup. The password goes by the environment, not by arguments all can read."""
    found = shutil.which(program)
    if found is None:
        raise BadBackup(f"{program} is not installed: it comes with PostgreSQL's client.")
    names = url.get_dialect()().create_connect_args(url)[1]
    password = names.pop("password", None)
    secret = {"PGPASSWORD": str(password)} if password else {}
    done = subprocess.run(  # noqa: S603 (PostgreSQL's own programs)
        [found, f"--dbname={make_dsn(**names)}", *arguments],
        env={**os.environ, **secret},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BadBackup(f"{program} failed: {last}")


def _sha256(file: Path) -> str:
    whole = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            whole.update(piece)
    return whole.hexdigest()


def _sync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def slip_of(backup: Path) -> Path:
    return backup.with_name(f"{backup.name}.json")


def _read_slip(backup: Path) -> Slip:
    try:
        said: Any = json.loads(slip_of(backup).read_bytes())
        slip = Slip(**{one.name: said[one.name] for one in fields(Slip)})
        backup.stat()
    except OSError as error:
        raise BadBackup(f"{Path(error.filename).name}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadBackup("Its slip cannot be read.") from error
    if slip.format != FORMAT:
        raise BadBackup("It was made by another version.")
    return slip


def _figures(connection: Connection) -> dict[str, Any]:
    """What a backup is recognised by, of this database as `connection` sees it."""
    found = digest.of(connection)
    return {
        "revision": schema.revision(connection),
        "digest": found.text,
        "postings": found.postings,
        "rows": {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in db.metadata.sorted_tables
        },
        "faults": sorted(ledger.faults()),
    }
