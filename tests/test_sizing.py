"""The measurement for operators runs; its figures mean nothing here."""

from __future__ import annotations

import re

import pytest

from benchmarks import sizing

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]


def test_every_figure_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"ROUNDS": 1, "CALLBACKS": 6, "CONNECTIONS": 2, "WATCHED": 3, "IDLE_SECONDS": 0.2}
    for name, value in small.items():
        monkeypatch.setattr(sizing, name, value)
    rows = dict(sizing.measure(8))
    assert len(rows) == 17
    for what, much in rows.items():
        assert re.search(r"\d", much), what
    busy = "callbacks a second, one process", "processor for a callback, ms: the process"
    assert all(float(rows[what]) > 0 for what in busy)
