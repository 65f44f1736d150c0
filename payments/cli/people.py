"""`flask api-key` and `flask user`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup

from payments.cli.saying import as_json, refuse, say
from payments.domain.errors import PaychimeError
from payments.services import accounts

keys = AppGroup("api-key", help="Keys for shops' own systems.")
users = AppGroup("user", help="People who may sign in.")


@keys.command("create")
@click.argument("name")
@as_json
def create_key(name: str, as_json: bool) -> None:
    """Makes an API key and shows it this once."""
    try:
        key = accounts.create_key(name)
    except PaychimeError as error:
        refuse(error)
    say(as_json, f"{key}\nKeep it: only its hash is stored.", name=name, key=key)


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
        refuse(error)
    say(as_json, f"{email} may sign in, as {role}.", id=user_id, email=email, role=role)
