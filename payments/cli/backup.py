"""`flask backup`: a copy while the server runs, and the rehearsal of its restore."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from flask.cli import AppGroup

from payments.cli.saying import as_json, say
from payments.store import backup
from payments.store.backup import BadBackup

backups = AppGroup("backup", help="Copies of the database, made while the server runs.")

FILE = click.Path(dir_okay=False, path_type=Path)


@backups.command("create")
@click.argument("file", type=FILE)
@as_json
def create_backup(file: Path, as_json: bool) -> None:
    """Copies the database into FILE, and what the ledger was into FILE.json."""
    try:
        slip = backup.create(file)
    except BadBackup as fault:
        raise click.ClickException(str(fault)) from fault
    say(as_json, f"{file}: {slip.bytes} bytes, {slip.digest}", file=str(file), **asdict(slip))


@backups.command("verify")
@click.argument("file", type=FILE)
@click.option("--scratch", metavar="URL", help="An empty PostgreSQL database to restore into.")
@as_json
def verify_backup(file: Path, scratch: str | None, as_json: bool) -> None:
    """Restores FILE into a database of its own, compares it with its slip, and drops it again."""
    try:
        slip = backup.rehearse(file, scratch)
    except BadBackup as fault:
        if as_json:
            say(as_json, "", ok=False, file=str(file), fault=str(fault))
            raise SystemExit(1) from fault
        raise click.ClickException(str(fault)) from fault
    words = f"{file} is whole: restored, it is what it was at {slip.made_at}, {slip.digest}"
    say(as_json, words, ok=True, file=str(file), **asdict(slip))
