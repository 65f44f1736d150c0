"""`flask ledger` and `flask rebuild`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from payments.cli.saying import as_json, bar, say
from payments.services import rebuild
from payments.store import digest, ledger
from payments.store.db import unhurried
from payments.store.elsewhere import NotEmpty, make_tables, other_database, snapshot

books = AppGroup("ledger", help="The double-entry ledger.")


@books.command("verify")
@as_json
def verify_ledger(as_json: bool) -> None:
    """Exit 1, and why, where stored figures contradict each other."""
    unhurried()
    faults = list(ledger.faults())
    totals = {f"{account} {currency}": n for (account, currency), n in ledger.balances().items()}
    say(
        as_json,
        "\n".join(faults) if faults else f"The ledger is right: {len(totals)} accounts.",
        ok=not faults,
        faults=faults,
        balances=totals,
    )
    if faults:
        sys.exit(1)


@books.command("digest")
@as_json
def digest_ledger(as_json: bool) -> None:
    """One line of letters over all entries: the same for the same money in any database."""
    with snapshot() as connection:
        found = digest.of(connection)
    words = f"{found.text}  ({found.postings} postings, {found.entries} entries)"
    say(as_json, words, digest=found.text, postings=found.postings, entries=found.entries)


@click.command("rebuild")
@click.option("--into", "address", required=True, metavar="URL", help="An empty database.")
@as_json
@with_appcontext
def rebuild_command(address: str, as_json: bool) -> None:
    """Makes the ledger and all orders again in another database; exit 1 where they differ."""
    try:
        with snapshot() as source, other_database(address):
            make_tables()
            with bar("Doing again", as_json) as progress:
                outcome = rebuild.rebuild(source, progress)
    except (NotEmpty, ArgumentError) as fault:
        raise click.ClickException(f"--into: {fault}") from fault
    except SQLAlchemyError as fault:
        # Not its words: an address has a password.
        kind = type(fault).__name__
        raise click.ClickException(f"A database cannot be used ({kind}).") from fault
    same = outcome.difference is None
    told = f"{outcome.deeds} deeds done again"
    say(
        as_json,
        f"{told}: the same, {outcome.was.text}" if same else f"{told}. {outcome.difference}",
        ok=same,
        deeds=outcome.deeds,
        difference=outcome.difference,
        postings=outcome.was.postings,
        was=outcome.was.text,
        now=outcome.now.text if outcome.now else None,
    )
    if not same:
        sys.exit(1)
