"""A real browser and the server as its users run it, with the pretended MoMo mounted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.shop import Shop


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """One server for a file of tests; whoever kills it starts their own."""
    with Shop() as running:
        yield running
