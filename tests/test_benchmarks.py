"""The benchmark runs, and believes no figure of a run that lost or doubled money."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import measures, report
from benchmarks.due import Due
from benchmarks.figures import quantile, ratio, span
from benchmarks.measures import Case
from benchmarks.plan import TINY
from benchmarks.run import Field, check, field, run
from benchmarks.worker import RunFailed, work

pytestmark = [pytest.mark.timeout(400), pytest.mark.long]

SERVERS = ["Paychime on SQLite", "Paychime on PostgreSQL", "peer on SQLite"]


@pytest.fixture(scope="module")
def played() -> Iterator[tuple[Field, list[Case]]]:
    """A tiny run, its servers still up."""
    with field() as here:
        yield here, run(here, TINY, lambda _step: None)


def test_every_system_is_measured_in_every_round(played: tuple[Field, list[Case]]) -> None:
    _, cases = played
    assert [case.what for case in cases] == ["callbacks", "commits", "push", "pages"]
    for case in cases:
        floors = case.what == "commits"
        assert list(case.rounds) == (["SQLite", "PostgreSQL"] if floors else SERVERS)
        for figures in case.rounds.values():
            assert {len(rounds) for rounds in figures.values()} == {1}


def test_every_callback_was_paid_once(played: tuple[Field, list[Case]]) -> None:
    here, _ = played
    posted = TINY.warm_up + TINY.callbacks + TINY.pages
    assert [len(system.stock.paid) for system in here.systems] == [posted] * 3
    check(here)


def test_a_payment_without_a_callback_spoils_the_run(played: tuple[Field, list[Case]]) -> None:
    here, _ = played
    for player in here.players:
        unexplained = player.stock.paid.pop()
        with pytest.raises(RunFailed, match="1 paid without a callback"):
            player.check()
        player.stock.paid.append(unexplained)


def test_a_callback_without_a_payment_spoils_the_run(played: tuple[Field, list[Case]]) -> None:
    here, _ = played
    for player in here.players:
        player.stock.paid.append(Due("order-lost", "reference-lost"))
        with pytest.raises(RunFailed, match="1 of them unpaid"):
            player.check()
        player.stock.paid.pop()


def test_a_refused_callback_spoils_the_run(
    played: tuple[Field, list[Case]], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = played

    def posted_unsigned(module: str, asked: dict[str, Any]) -> dict[str, Any]:
        unsigned = [one.replace('"signature": "', '"signature": "0') for one in asked["callbacks"]]
        return work(module, {**asked, "callbacks": unsigned})

    monkeypatch.setattr(measures, "work", posted_unsigned)
    for system in (here.paychimes[0], here.peer):
        system.prepare(TINY.warm_up)
        with pytest.raises(RunFailed, match=r"answered \{'401': 2\}"):
            measures.callbacks([system], TINY)


def test_the_page_and_the_raw_numbers_are_kept(
    played: tuple[Field, list[Case]], tmp_path: Path
) -> None:
    here, cases = played
    about = report.surroundings(here.folder, here.postgres)
    page = report.page(about, TINY, cases, here.peer.name)
    report.keep(tmp_path / "results", about, TINY, cases, page)
    kept = (tmp_path / "results" / "latest.md").read_text()
    assert kept == page
    for system in SERVERS:
        assert kept.count(f"| {system} |") == 3
    raw = json.loads((tmp_path / "results" / "latest.json").read_text())
    assert raw["plan"]["callbacks"] == TINY.callbacks
    assert raw["cases"][0]["rounds"]["peer on SQLite"]["callbacks"] == [TINY.callbacks]


def test_figures_are_written_with_their_span() -> None:
    assert span([1234.5, 900.0, 12.34]) == "900 (12.3–1,234)"  # noqa: RUF001
    assert span([0.5]) == "0.50"
    assert ratio([2.0, 9.0], [4.0, 3.0]) == "1.75 (0.50–3.00)"  # noqa: RUF001
    assert ratio([2.0], [0.0]) == "–"  # noqa: RUF001
    assert [quantile([3, 1, 2, 4], share) for share in (0.5, 0.99)] == [2, 4]
