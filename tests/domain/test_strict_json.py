"""What strangers send as JSON is read whole or not at all."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.strict_json import MAX_DEPTH, NotSane, parse_object


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"x"',
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}',
        b'{"a": "\x00"}',
        b'{"a": "\xff"}',
        b'{"a": ' + b"9" * 100 + b"}",
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    ],
)
def test_what_is_not_one_sane_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotSane):
        parse_object(body)


def test_brackets_inside_a_text_are_text() -> None:
    assert parse_object(b'{"a": "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{\\""}')["a"].startswith("[[")


def nested(depth: int, text: str, choice: list[bool]) -> dict[str, Any]:
    """An object with so much in one another, beside a text of brackets and quotes."""
    within: Any = text
    for level in range(depth - 1):
        within = [text, within] if choice[level] else {text: within}
    return {"a": within, "b": [{}, [text]][: depth > 2]}


@given(st.integers(3, 40), st.text('[]{}"\\,:x', max_size=8), st.lists(st.booleans(), min_size=40))
def test_exactly_what_is_nested_too_deep_is_refused(
    depth: int, text: str, choice: list[bool]
) -> None:
    whole = nested(depth, text, choice)
    body = json.dumps(whole).encode()
    if depth <= MAX_DEPTH:
        assert parse_object(body) == whole
    else:
        with pytest.raises(NotSane, match="deep"):
            parse_object(body)


@pytest.mark.parametrize("unit", [b"[", b'"', b"9", b"\\", b'{"a":', b'"\\'])
def test_nonsense_eight_times_as_long_costs_about_eight_times_as_much(unit: bytes) -> None:
    def cost(length: int) -> float:
        body = (unit * length)[:length]
        best = []
        for _ in range(9):
            began = time.process_time()
            with pytest.raises(NotSane):
                parse_object(body)
            best.append(time.process_time() - began)
        return min(best)

    assert cost(256_000) < 40 * cost(32_000) + 0.001


@given(st.binary(max_size=300))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with suppress(NotSane):
        assert isinstance(parse_object(body), dict)
