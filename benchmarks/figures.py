"""Medians, spans and quantiles, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median


def quantile(values: Sequence[float], share: float) -> float:
    """By nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def written(value: float) -> str:
    """Three digits are all that such a figure is worth."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def span(values: Sequence[float]) -> str:
    """The median, and from the least to the most."""
    if len(values) == 1:
        return written(values[0])
    return f"{written(median(values))} ({written(min(values))}–{written(max(values))})"  # noqa: RUF001


def ratio(values: Sequence[float], others: Sequence[float]) -> str:
    """Round against the same round of another: what changes from minute to minute falls out."""
    if not all(others):
        return "–"  # noqa: RUF001
    shares = [value / other for value, other in zip(values, others, strict=True)]
    return span(shares)
