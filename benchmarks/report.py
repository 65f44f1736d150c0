"""The run as a Markdown page and as raw numbers."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import NamedTemporaryFile
from typing import Any

from benchmarks.figures import ratio, span
from benchmarks.measures import Case
from benchmarks.plan import Plan

SYNCS = 100

Columns = tuple[tuple[str, str, bool], ...]
"""Headings, each with its figure and whether that is set against the peer's."""


def surroundings(folder: Path, postgres: str | None) -> dict[str, Any]:
    """What the absolute figures depend on."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": platform.system(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": postgres,
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "sync_ms": round(_sync_ms(folder), 3),
    }


def _sync_ms(folder: Path) -> float:
    """The median of making 4 KiB durable where the databases lie."""
    seconds = []
    with NamedTemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            start = time.perf_counter()
            os.write(file.fileno(), bytes(4096))
            os.fsync(file.fileno())
            seconds.append(time.perf_counter() - start)
    return median(seconds) * 1_000


def page(about: dict[str, Any], plan: Plan, cases: Sequence[Case], peer: str) -> str:
    """The Markdown that is printed and kept."""
    by_kind = {kind: [case for case in cases if case.what == kind] for kind in _INTRODUCTIONS}
    lines = [*_heading(about, plan)]
    for kind, introduction in _INTRODUCTIONS.items():
        lines += [introduction.format(plan=plan), ""]
        for case in by_kind[kind]:
            lines += (
                _floors(case, by_kind["callbacks"]) if kind == "commits" else _table(case, peer)
            )
    return "\n".join(lines).rstrip() + "\n"


_INTRODUCTIONS = {
    "callbacks": """## Callbacks

`POST /callbacks/momo`, each of another order, signed, over keep-alive connections that post again
as soon as they are answered.""",
    "commits": """## The same commits without us

The INSERTs and UPDATEs of a callback, one durable transaction for each, in a loop over one
connection: no HTTP, no signature, no questions. Beside it Paychime's callbacks, as a share of it;
PostgreSQL can make several connections' commits durable at once, and so go above it.""",
    "push": """## From the callback to the page

From the first byte of the POST until the handler of the official client has the event, with
{plan.pages} sockets open, each on its own order. `answer` is the provider's wait for its 2xx.""",
    "pages": """## Open pages

On a fresh server: until {plan.joined} pages have connected and are acknowledged, {plan.at_once} on
their way at a time (the peer's listening queue takes 50), and what the server's memory has grown by
for each of {plan.open_pages}. Pages offer compression as browsers do.""",
}

_COLUMNS: dict[str, Columns] = {
    "callbacks": (
        ("callbacks/s", "per_second", True),
        ("p50 ms", "p50_ms", False),
        ("p99 ms", "p99_ms", False),
        ("server's CPU, ms each", "cpu_ms", True),
    ),
    "push": (
        ("p50 ms", "p50_ms", True),
        ("p95 ms", "p95_ms", False),
        ("p99 ms", "p99_ms", False),
        ("answer p50 ms", "answer_p50_ms", False),
    ),
    "pages": (("seconds", "seconds", True), ("kB a page", "kb_per_page", True)),
}


def _heading(about: dict[str, Any], plan: Plan) -> list[str]:
    return [
        "# Benchmark",
        "",
        f"{about['date']}, {about['system']}, {about['cores']} cores, Python {about['python']}, "
        f"SQLite {about['sqlite']}, {about['postgresql'] or 'no PostgreSQL'}; making 4 KiB durable "
        f"takes {about['sync_ms']} ms where the databases lie. Load average before the run: "
        f"{about['load_before']}, others' work, which disturbs the figures.",
        "",
        "One run on the loopback. Servers, databases and the load share these cores, so compare "
        "the systems, not the figures with another machine's. Each figure is the median of the "
        "rounds (least to most), after a warm-up. The systems took turns: "
        f"{plan.rounds} rounds of callbacks, {plan.commit_rounds} of commits, "
        f"{plan.push_rounds} of pushes, {plan.join_rounds} of open pages. `peer = 1` is a ratio, "
        "round by round. At the end every callback had been answered 2xx, every order was paid "
        "exactly once, no page was told twice, and `ledger verify` was clean.",
        "",
        "The peer (`benchmarks/peer.py`) is the smallest program that shows its visitors the same: "
        "Flask-SocketIO on eventlet, the same signature, one UPDATE of one row as durable as ours, "
        "an emit from the request. It keeps no callback, ledger, outbox or audit, lets anybody "
        "watch anything, and loses the push if it ends between commit and emit.",
        "",
    ]


def _table(case: Case, peer: str) -> list[str]:
    columns = _COLUMNS[case.what]
    heads = [head for name, _, compared in columns for head in _heads(name, compared)]
    lines = [f"| {case.condition} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    base = case.rounds[peer]
    for system, rounds in case.rounds.items():
        cells = []
        for _, key, compared in columns:
            cells.append(span(rounds[key]))
            if compared:
                cells.append("1" if system == peer else ratio(rounds[key], base[key]))
        lines.append(f"| {system} | {' | '.join(cells)} |")
    return [*lines, ""]


def _heads(name: str, compared: bool) -> list[str]:
    return [name, "peer = 1"] if compared else [name]


def _floors(case: Case, callbacks: Sequence[Case]) -> list[str]:
    heads = ["commits/s", *(f"a callback each, {one.condition}" for one in callbacks)]
    lines = [f"| {case.condition} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, rounds in case.rounds.items():
        shares = [
            _share(one.rounds[f"Paychime on {name}"]["per_second"], rounds["per_second"])
            for one in callbacks
        ]
        lines.append(f"| {name} | {span(rounds['per_second'])} | {' | '.join(shares)} |")
    return [*lines, ""]


def _share(ours: Sequence[float], commits: Sequence[float]) -> str:
    """They did not take turns: each round against the median of the other."""
    return ratio(ours, [median(commits)] * len(ours))


def keep(folder: Path, about: dict[str, Any], plan: Plan, cases: Sequence[Case], text: str) -> None:
    """`latest.md` and `latest.json`, over those of the run before."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = {"about": about, "plan": asdict(plan), "cases": [asdict(case) for case in cases]}
    (folder / "latest.md").write_text(text)
    (folder / "latest.json").write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")
