"""`flask ledger` and `flask rebuild`."""

from __future__ import annotations

import sys

import click
from flask.cli import AppGroup, with_appcontext
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from payments.cli.saying import as_json, bar, say
from payments.services.books import rebuild, sealing
from payments.store import digest, ledger, seals
from payments.store.db import now
from payments.store.elsewhere import NotEmpty, make_tables, other_database, snapshot

books = AppGroup("ledger", help="The double-entry ledger.")


@books.command("verify")
@click.option(
    "--head", "noted", metavar="HASH", help="The head of the chain, as it was noted once."
)
@as_json
def verify_ledger(noted: str | None, as_json: bool) -> None:
    """Exit 1, and why, where stored figures contradict each other.

    Prints the head of the chain of hashes: note it down elsewhere. With --head a chain that was cut
    off or made anew since is found too.
    """
    with snapshot():
        faults = list(ledger.faults())
        totals = {f"{account} {money}": n for (account, money), n in ledger.balances().items()}
        head, tail = seals.head(), seals.tail()
        if noted is not None and not seals.has(noted.strip().lower()):
            faults.append(f"the noted head {noted.strip()[:80]!r} is no link of the chain any more")
    age = round((now() - tail.oldest).total_seconds()) if tail.oldest else 0
    chain = f"{head.seq} sealed, the head is {head.hash}"
    if tail.count:
        chain += f"; {tail.count} not sealed yet, the oldest for {age} s"
    right = f"The ledger is right: {len(totals)} accounts."
    say(
        as_json,
        "\n".join([*(faults or [right]), chain]),
        ok=not faults,
        faults=faults,
        balances=totals,
        sealed=head.seq,
        head=head.hash,
        unsealed=tail.count,
        oldest_unsealed_seconds=age,
    )
    if faults:
        sys.exit(1)


@books.command("seal")
@as_json
def seal_ledger(as_json: bool) -> None:
    """Adds what is posted to the chain of hashes; the server does so each second."""
    done, head = sealing.seal(), seals.head()
    words = f"{done} postings sealed; the head is {head.hash} ({head.seq})"
    say(as_json, words, sealed=done, seq=head.seq, head=head.hash)


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
