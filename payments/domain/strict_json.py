"""JSON from strangers: one object, of bounded depth and numbers, with no key twice.

Python's decoder takes NaN, doubled keys, lone surrogates and brackets until it overflows. Here each
of them is refused in words.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

MAX_DEPTH = 24
MAX_DIGITS = 18

_NO_BRACKETS = re.compile(rb'(?:"(?:[^"\\]++|\\.)*+"?+|[^"\[\]{}]++)++', re.DOTALL)
_ALIKE = bytes.maketrans(b"{}", b"[]")


class NotSane(ValueError):
    """Why a body is not taken, in words that hold nothing of it."""


def parse_object(body: bytes) -> dict[str, Any]:
    """Raises NotSane unless `body` is one JSON object in UTF-8, within the bounds above."""
    try:
        return _parse(body)
    except NotSane:
        raise
    except ValueError as error:
        raise NotSane("not JSON in UTF-8") from error


def _parse(body: bytes) -> dict[str, Any]:
    text = body.decode("utf-8")
    if "\x00" in text:
        raise NotSane("NUL in the body")
    _bound_depth(body)
    value = json.loads(
        text,
        object_pairs_hook=_unique,
        parse_int=_integer,
        parse_float=_number,
        parse_constant=_refuse,
    )
    if not isinstance(value, dict):
        raise NotSane("not an object")
    _readable(value)
    return value


def _bound_depth(body: bytes) -> None:
    """By the brackets outside of texts: the innermost are taken out, as often as they may nest.

    Each step is one of the library's over the whole, so that no body takes long, whatever it is.
    """
    shape = _NO_BRACKETS.sub(b"", body).translate(_ALIKE)
    if b"[" * (MAX_DEPTH + 1) in shape:
        raise NotSane("nested too deep")
    for _ in range(MAX_DEPTH):
        shape = shape.replace(b"[]", b"")
    if shape:
        raise NotSane("nested too deep" if b"[]" in shape else "not JSON in UTF-8")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise NotSane("a key stands twice")
    return result


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS + 1:
        raise NotSane("a number is too long")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if len(digits) > 40 or value in {float("inf"), float("-inf")}:
        raise NotSane("a number is out of range")
    return value


def _refuse(word: str) -> NoReturn:
    raise NotSane(f"{word} is not JSON")


def _readable(value: Any) -> None:
    """No text that cannot be stored: lone surrogates and escaped NULs come through the decoder."""
    if isinstance(value, str):
        if "\x00" in value:
            raise NotSane("NUL in a text")
        value.encode("utf-8")
    elif isinstance(value, dict):
        for key, part in value.items():
            _readable(key)
            _readable(part)
    elif isinstance(value, list):
        for part in value:
            _readable(part)
