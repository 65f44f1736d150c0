"""`flask reconcile` and `flask demo`."""

from __future__ import annotations

import click
from flask.cli import with_appcontext
from flask_migrate import upgrade

from payments.cli.saying import as_json, bar, say
from payments.front.request import house
from payments.services import demo, reconcile


@click.command("reconcile")
@as_json
@with_appcontext
def reconcile_command(as_json: bool) -> None:
    """Asks the providers about every unsettled attempt, whatever its age."""
    with bar("Asking", as_json) as progress:
        asked = reconcile.reconcile_everything(house().rails, progress)
    say(as_json, f"Asked about {asked} attempts.", asked=asked)


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
    say(
        as_json,
        words,
        url=settings.public_url,
        logins=[email for email, *_ in demo.LOGINS],
        password=demo.PASSWORD,
        api_key=demo.API_KEY,
    )
