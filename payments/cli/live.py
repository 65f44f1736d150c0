"""`flask live`: tells an order's pages again, counts them, tests their connections."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from payments.cli.saying import as_json, refuse, say
from payments.domain.errors import PaychimeError
from payments.services import live

again = AppGroup("live", help="Tell an order's pages again, count them, test their connections.")


@again.command("payment")
@click.argument("order")
@as_json
def tell_payment(order: str, as_json: bool) -> None:
    """Tells the state of the order's payment again."""
    _tell_again(order, "payment", as_json)


@again.command("order")
@click.argument("order")
@as_json
def tell_order(order: str, as_json: bool) -> None:
    """Tells the state of the order again."""
    _tell_again(order, "order", as_json)


@again.command("test")
@click.argument("order")
@as_json
def test_connections(order: str, as_json: bool) -> None:
    """Sends a connection test to whoever has joined the order."""
    _tell_again(order, "test", as_json)


def _tell_again(order: str, kind: live.Kind, as_json: bool) -> None:
    try:
        live.tell_again(order, kind)
    except PaychimeError as error:
        refuse(error)
    say(as_json, "Told.", order=order, told=kind)


@again.command("room")
@click.argument("order")
@as_json
def count_room(order: str, as_json: bool) -> None:
    """Counts who listens to the order, on every server process that answers."""
    try:
        found = live.count_listeners(order)
    except PaychimeError as error:
        refuse(error)
    lines = [f"Listeners: {found.count}, server processes that answered: {found.servers}"]
    lines += [f"  {room}: {count}" for room, count in sorted(found.rooms.items())]
    say(
        as_json,
        "\n".join(lines),
        order=order,
        listeners=found.count,
        servers=found.servers,
        rooms=found.rooms,
    )
