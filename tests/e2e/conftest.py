"""A real browser and the server as its users run it, with the pretended MoMo mounted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import chromium
from tests.e2e.shop import Shop


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """One server for a file of tests; whoever kills it starts their own."""
    with Shop() as running:
        yield running
