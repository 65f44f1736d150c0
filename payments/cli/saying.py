"""What every command shares: its answer in words or as one JSON line, a bar, and refusals."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from payments.domain.errors import PaychimeError

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON line.")


def say(as_json: bool, words: str, **facts: Any) -> None:
    click.echo(json.dumps(facts) if as_json else words)


def refuse(error: PaychimeError) -> NoReturn:
    raise click.ClickException(error.message)


@contextmanager
def bar(label: str, as_json: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, nothing elsewhere; told `(done, of_all)`."""
    terminal = sys.stderr.isatty() and not as_json
    with click.progressbar(length=0, label=label, file=sys.stderr, hidden=not terminal) as shown:

        def progress(done: int, total: int) -> None:
            shown.length = total
            shown.update(done - shown.pos)

        yield progress
