"""`flask --app app ...`: each command one step, with one JSON line on `--json`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup, with_appcontext
from flask_migrate import upgrade

from payments.domain.errors import PaychimeError
from payments.front.request import house
from payments.services import accounts, demo, reconcile
from payments.store import ledger

keys = AppGroup("api-key", help="Keys for shops' own systems.")
users = AppGroup("user", help="People who may sign in.")
books = AppGroup("ledger", help="The double-entry ledger.")

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON line.")


def register_commands(app: Flask) -> None:
    for group in (keys, users, books):
        app.cli.add_command(group)
    app.cli.add_command(demo_command)
    app.cli.add_command(reconcile_command)


def _say(as_json: bool, words: str, **facts: Any) -> None:
    click.echo(json.dumps(facts) if as_json else words)


def _refuse(error: PaychimeError) -> None:
    raise click.ClickException(error.message)


@keys.command("create")
@click.argument("name")
@as_json
def create_key(name: str, as_json: bool) -> None:
    """Makes an API key and shows it this once."""
    try:
        key = accounts.create_key(name)
    except PaychimeError as error:
        _refuse(error)
    _say(as_json, f"{key}\nKeep it: only its hash is stored.", name=name, key=key)


@users.command("create")
@click.argument("email")
@click.option("--role", type=click.Choice(accounts.ROLES), required=True)
@click.option("--name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@as_json
def create_user(
    email: str, role: str, name: str | None, password_stdin: bool, as_json: bool
) -> None:
    """Makes a user; the password is asked for, and never an argument."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        user_id = accounts.create_user(email, password, role, name=name)
    except PaychimeError as error:
        _refuse(error)
    _say(as_json, f"{email} may sign in, as {role}.", id=user_id, email=email, role=role)


@books.command("verify")
@as_json
def verify_ledger(as_json: bool) -> None:
    """Exit 1, and why, where stored figures contradict each other."""
    faults = list(ledger.faults())
    totals = {f"{account} {currency}": n for (account, currency), n in ledger.balances().items()}
    _say(
        as_json,
        "\n".join(faults) if faults else f"The ledger is right: {len(totals)} accounts.",
        ok=not faults,
        faults=faults,
        balances=totals,
    )
    if faults:
        sys.exit(1)


@click.command("reconcile")
@as_json
@with_appcontext
def reconcile_command(as_json: bool) -> None:
    """Asks the providers about every unsettled attempt, whatever its age."""

    def progress(done: int, total: int) -> None:
        if not as_json:
            click.echo(f"\rasked {done} of {total}", nl=False)

    asked = reconcile.reconcile_everything(house().rails, progress)
    _say(as_json, f"\nAsked about {asked} attempts.", asked=asked)


@click.command("demo")
@click.option("--upgrade", "upgrade_first", is_flag=True, help="Bring the tables up to date first.")
@as_json
@with_appcontext
def demo_command(upgrade_first: bool, as_json: bool) -> None:
    """Fills a demo shop; refused in production; safe to repeat."""
    settings = house().settings
    if settings.production:
        raise click.ClickException("The demo shop is refused in production.")
    if upgrade_first:
        upgrade()
    demo.fill()
    words = "\n".join(
        [f"Paychime demo shop: {settings.public_url}"]
        + [f"  {email:<20} {demo.PASSWORD}  ({role})" for email, role, *_ in demo.LOGINS]
        + [f"  API key              {demo.API_KEY}"]
    )
    _say(
        as_json,
        words,
        url=settings.public_url,
        logins=[email for email, *_ in demo.LOGINS],
        password=demo.PASSWORD,
        api_key=demo.API_KEY,
    )
