"""The four measurements. Each alternates the systems, round by round: A B C, A B C."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.figures import quantile
from benchmarks.plan import Plan
from benchmarks.systems import Floor, System
from benchmarks.worker import RunFailed, work

BREATH_SECONDS = 0.2
"""After a slice: what the server has still to tell is not the next one's load."""

Rounds = dict[str, list[float]]
"""A figure's name to its value in each round."""


@dataclass(slots=True)
class Case:
    """One measurement under one condition: the rounds of every system."""

    what: str
    condition: str
    rounds: dict[str, Rounds] = field(default_factory=dict)

    def note(self, system: str, **figures: float) -> None:
        kept = self.rounds.setdefault(system, {})
        for name, value in figures.items():
            kept.setdefault(name, []).append(value)


def callbacks(systems: Sequence[System], plan: Plan) -> list[Case]:
    """Callbacks a second, and how long each waited for its answer.

    Whoever is not measured is stopped meanwhile.
    """
    for system in systems:
        _slice(system, plan, max(plan.connections), plan.warm_up)
        system.pause()
    cases = [Case("callbacks", f"{number} connections") for number in plan.connections]
    for _ in range(plan.rounds):
        for case, connections in zip(cases, plan.connections, strict=True):
            for system in systems:
                system.resume()
                number = plan.callbacks_of(system.name)
                case.note(system.name, **_slice(system, plan, connections, number))
                system.pause()
    for system in systems:
        system.resume()
    return cases


def _slice(system: System, plan: Plan, connections: int, number: int) -> dict[str, float]:
    dues = system.stock.take(number)
    asked = {
        "port": system.port,
        "connections": connections,
        "seconds": plan.slice_seconds,
        "callbacks": [due.callback for due in dues],
    }
    before = cpu_seconds(system.pid)
    done = work("load", asked)
    time.sleep(BREATH_SECONDS)
    spent = cpu_seconds(system.pid) - before
    refused = {status: n for status, n in done["statuses"].items() if not status.startswith("2")}
    if refused:
        raise RunFailed(f"{system.name}: callbacks were answered {refused}")
    latencies = done["latencies"]
    system.stock.paid.extend(dues[: len(latencies)])
    system.stock.put(dues[len(latencies) :])
    return {
        "per_second": len(latencies) / done["seconds"],
        "p50_ms": quantile(latencies, 0.5) * 1_000,
        "p99_ms": quantile(latencies, 0.99) * 1_000,
        "cpu_ms": spent / len(latencies) * 1_000,
        "callbacks": len(latencies),
    }


def cpu_seconds(pid: int) -> float:
    """What the process has had of the processor so far; 0 where the system does not say it so."""
    path = Path(f"/proc/{pid}/stat")
    if not path.exists():
        return 0.0
    # After the name, which may hold anything, utime and stime are the 12th and 13th.
    user, system = path.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def commits(floors: Sequence[Floor], plan: Plan) -> list[Case]:
    """The database's own price: the same durable commits without HTTP, signatures and questions."""
    case = Case("commits", "one after the other")
    for _ in range(plan.commit_rounds):
        for floor in floors:
            rate = floor.commits_per_second(plan.commits, plan.warm_up)
            case.note(floor.name, per_second=rate)
    return [case]


def push(systems: Sequence[System], plan: Plan) -> list[Case]:
    """From the callback's POST to the official client's handler, each page on its own order."""
    cases = [Case("push", f"{number} at a time") for number in plan.in_flight]
    for _ in range(plan.push_rounds):
        for case, in_flight in zip(cases, plan.in_flight, strict=True):
            for system in systems:
                case.note(system.name, **_watched(system, plan, in_flight))
    return cases


def _watched(system: System, plan: Plan, in_flight: int) -> dict[str, float]:
    dues = system.stock.take(plan.pages)
    asked = {
        "port": system.port,
        "pages": [system.vocabulary.page(due) for due in dues],
        "in_flight": in_flight,
    }
    done = work("watchers", asked)
    system.stock.paid.extend(dues)
    if done["told_again"]:
        raise RunFailed(f"{system.name}: {done['told_again']} pages were told twice")
    figures = {
        f"p{share}_ms": quantile(done["shown"], share / 100) * 1_000 for share in (50, 95, 99)
    }
    return {**figures, "answer_p50_ms": quantile(done["answered"], 0.5) * 1_000}


def pages(systems: Sequence[System], plan: Plan) -> list[Case]:
    """What it takes to let pages in, and what an open one costs in memory: on a fresh server."""
    case = Case("pages", f"{plan.joined} joining, {plan.open_pages} open")
    watched = {
        system.name: [system.vocabulary.page(due) for due in system.stock.take(plan.all_pages)]
        for system in systems
    }
    for _ in range(plan.join_rounds):
        for system in systems:
            system.stop()
            system.start()
            asked = {
                "port": system.port,
                "pid": system.pid,
                "pages": watched[system.name],
                "warm_up": plan.first_pages,
                "joined": plan.joined,
                "at_once": plan.at_once,
            }
            done = work("pages", asked)
            seconds, kb = done["seconds"], done["kb_per_page"]
            case.note(system.name, seconds=seconds, kb_per_page=kb)
    return [case]
