"""The table of faults: which there are, and what a run measured of each (`docs/faults.md`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

FAULTS: dict[int, tuple[str, str]] = {
    1: ("kill -9 before the commit", "0 lost, 0 doubled; page right within 5 s of the restart"),
    2: ("kill -9 between commit and publish", "the same"),
    3: ("kill -9 between publish and mark", "the same"),
    4: ("Redis stopped 30 s at 20 callbacks/s", "all 2xx, p99 below 1 s meanwhile"),
    5: ("Redis hung (SIGSTOP) 30 s at 20 callbacks/s", "all 2xx, p99 below 1 s meanwhile"),
    6: ("Redis flushed, restarted empty, cut off 100 times", "0 lost; readers back within 5 s"),
    7: (
        "PostgreSQL restarted at once; away 10 s",
        "5xx only while away; 0 acknowledged and lost; back within 5 s; no idle transaction left",
    ),
    8: ("PostgreSQL 500 ms slow", "gap of the event loop below 250 ms"),
    9: ("the same callback 100 times at once", "all 2xx, one posting"),
    10: ("the same event id with another body", "the first wins, the second is kept and flagged"),
    11: ("every order of up to 5 notices, with repeats", "one final state"),
    12: ("clock 4:59 off, 5:01 off, a day ahead", "accepted, refused, refused"),
    13: (
        "each bit of a signature, each byte of a body; missing, empty, doubled; an old secret",
        "0 accepted; the old secret only inside its rotation",
    ),
    14: (
        "a valid callback again, after 301 s and within the window",
        "refused; 2xx without effect",
    ),
    15: (
        "200 clients that never read",
        "below 1 MB each, dropped within 50 s; others' p99 unchanged",
    ),
    16: ("8 MiB to a slow reader; 96 MB in fragments", "whole or closed; memory growth below 5 MB"),
    17: (
        "10,000 half-open sockets, slow headers",
        "healthy p99 below 2x; descriptors back within 60 s",
    ),
    18: ("a body over the limit; 100 MB chunked; a gzip bomb", "413 or 415; growth below 5 MB"),
    19: ("malformed bodies", "4xx, never 5xx, below 50 ms of CPU"),
    20: ("CR/LF in ids; forged X-Forwarded-*", "nothing reflected; no limiter's key forged"),
    21: ("another's room by id, by 10,000 guesses", "nothing heard; same words, same time"),
    22: ("handshakes from foreign origins", "refused; no Origin only with a token"),
    23: ("staff action without CSRF token; a double click", "refused; one effect"),
    24: ("Idempotency-Key with another body; still running", "422; 409"),
    25: ("script and SQL in texts", "shown as text; no inline script"),
    26: ("a webhook URL to inside addresses", "no connection made"),
    27: ("logout, or a role lost, while a socket is open", "closed within 5 s"),
    28: ("1,000 pages come back at once", "all within 30 s; database load bounded"),
    29: ("SIGTERM under load", "no failed callback, none lost"),
    30: ("disk full; SQLite locked", "never 2xx and lost"),
    31: (
        "the provider never calls",
        "asked within one poll period; the late call has no second effect",
    ),
    32: ("10,000 random steps", "no invariant broken"),
    33: ("an hour of connect and disconnect", "memory slope below 1 MB/h, descriptors flat"),
}
"""Row, fault, limit."""

HEAD = """# Faults

What Paychime was put through, and what it did. `make faults` runs all of it against real servers on
the loopback and writes this page; `make test` runs the quick part. After every fault: the ledger
sums to zero in each currency, every payment is credited once, no balance is negative, and every
open page shows what the database says within 10 s of the heal. Where a healthy client's p99 may
double, 50 ms more are taken for the noise of the machine.

What chance decides has a seed; `FAULTS_SEED=<seed>` repeats it. %s

| row | fault | passes when | where | measured | verdict |
|---|---|---|---|---|---|
"""

PLACES = {
    "sqlite": "SQLite",
    "postgresql": "PostgreSQL",
    "-": "-",
}
"""Where a test ran, by the word of its parameter; a shop says more itself."""


@dataclass
class Outcome:
    """What one test found about the rows it is of."""

    rows: Sequence[int]
    place: str
    test: str
    where: str
    measured: list[str] = field(default_factory=list)
    seed: int | None = None
    seconds: float = 0.0
    verdict: str = "not finished"

    def note(self, words: str) -> None:
        """One figure with its unit, as the table shows it."""
        print(f"measured: {words}")
        self.measured.append(words)


def _together(one: Outcome) -> tuple[str, str, str]:
    """What has one line of the table: the forms of one test in one place."""
    return one.test, one.where, one.verdict


def _cells(some: Sequence[Outcome]) -> tuple[str, str, str]:
    """Where, what was measured and how to have it again, the verdict."""
    words = [word for one in some for word in one.measured]
    seeds = [str(one.seed) for one in some if one.seed is not None]
    told = words or [some[0].test.removeprefix("test_").replace("_", " ")]
    seed = [f"seed {', '.join(seeds)}"] if seeds else []
    return some[0].where, "; ".join([*dict.fromkeys(told), *seed]), some[0].verdict


def page(outcomes: Sequence[Outcome]) -> str:
    """`docs/faults.md`: every row of the table, also the one that nothing was run for."""
    found = sorted(outcomes, key=_together)
    lines = []
    for row, about in FAULTS.items():
        mine = groupby((one for one in found if row in one.rows), key=_together)
        cells = [_cells(list(some)) for _, some in mine] or [("-", "-", "not run")]
        for place, one in enumerate(cells):
            told = (str(row), *about) if place == 0 else (str(row), "", "")
            lines.append("| " + " | ".join(x.replace("|", "/") for x in (*told, *one)) + " |")
    return HEAD % _summary(outcomes) + "\n".join(lines) + "\n"


def _summary(outcomes: Sequence[Outcome]) -> str:
    verdicts = Counter(one.verdict for one in outcomes)
    counts = ", ".join(f"{count} {word}" for word, count in sorted(verdicts.items()))
    minutes = sum(one.seconds for one in outcomes) / 60
    rows = {row for one in outcomes for row in one.rows}
    missing = [str(row) for row in FAULTS if row not in rows]
    words = f"This run, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {minutes:.0f} minutes: {counts}."
    return words + (f" Not run: {', '.join(missing)}." if missing else "")
