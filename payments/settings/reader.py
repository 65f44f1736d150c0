"""Reads the environment, one typed value at a time. What is wrong is named, never shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from sqlalchemy.exc import ArgumentError

T = TypeVar("T")

_PORTS = {"http": 80, "https": 443}


class BadSetting(Exception):
    """Names the setting and what is wrong with it; never its value where that may be a secret."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"{name}: {fault}")
        self.name = name


class Reader:
    """`defaults` hold where the environment sets nothing; whatever it sets wins over them."""

    def __init__(self, environ: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        self.environ = environ
        self._defaults = defaults

    def given(self, name: str) -> bool:
        """Whether the environment itself sets it."""
        return bool(self.environ.get(name, "").strip())

    def without(self, *names: str) -> Reader:
        """The same environment, with no defaults for these names."""
        kept = {name: value for name, value in self._defaults.items() if name not in names}
        return Reader(self.environ, kept)

    def text(self, name: str, default: str | None = None) -> str | None:
        value = self.environ.get(name, "").strip() or self._defaults.get(name, "")
        return value or default

    def read(self, name: str, cast: Callable[[str], T], default: T, expected: str) -> T:
        value = self.text(name)
        if value is None:
            return default
        try:
            return cast(value)
        except (ValueError, KeyError, OSError, ArgumentError):
            # Not `from` the cause: its words may hold a part of the value.
            raise BadSetting(name, f"expected {expected}") from None

    def number(self, name: str, default: int, low: int, high: int) -> int:
        def cast(value: str) -> int:
            number = int(value)
            if not low <= number <= high:
                raise ValueError
            return number

        return self.read(name, cast, default, f"a whole number from {low} to {high}")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        def cast(value: str) -> str:
            return choices[choices.index(value)]

        return self.read(name, cast, default, f"one of {', '.join(choices)}")

    def url(self, name: str, default: str) -> str:
        def cast(value: str) -> str:
            parts = urlsplit(value)
            if parts.query or parts.fragment:
                raise ValueError
            origin_of(value)
            return value.rstrip("/")

        return self.read(name, cast, default, "an http or https address")

    def secrets(self, name: str) -> tuple[str, ...]:
        """One value, or two while it is rotated, comma-separated."""
        values = tuple(part.strip() for part in (self.text(name) or "").split(",") if part.strip())
        if len(values) > 2:
            raise BadSetting(
                name, "expected one secret, or two comma-separated while it is rotated"
            )
        return values

    def all_or_none(self, label: str, *names: str) -> bool:
        """Whether all of them are set. Raises BadSetting naming the first missing of some."""
        missing = [name for name in names if not self.text(name)]
        if missing and len(missing) < len(names):
            raise BadSetting(missing[0], f"is missing, while other settings of {label} are set")
        return not missing


def origin_of(url: str) -> str:
    """The origin as browsers write it, without the scheme's own port. Raises ValueError."""
    parts = urlsplit(url.strip().lower())
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in {None, _PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
