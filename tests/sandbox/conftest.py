"""The fixtures of the sandbox's tests."""

from collections.abc import Iterator

import pytest

from .world import World, opened


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as one:
        yield one
