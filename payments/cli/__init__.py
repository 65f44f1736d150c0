"""`flask --app app ...`: each command one step, with one JSON line on `--json`."""

from __future__ import annotations

from flask import Flask

from payments.cli.backup import backups
from payments.cli.books import books, rebuild_command
from payments.cli.live import again
from payments.cli.people import keys, users
from payments.cli.shop import demo_command, reconcile_command


def register_commands(app: Flask) -> None:
    for group in (keys, users, books, again, backups):
        app.cli.add_command(group)
    for command in (demo_command, reconcile_command, rebuild_command):
        app.cli.add_command(command)
