"""Messages as no provider sends them, what may be kept of any, and the recorded ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from payments.domain.notice import Notice
from tests.providers.case import Call

SAMPLES = Path(__file__).parent / "samples"

NO_CALLBACKS = (
    *(b"", b" ", b"{", b"[]", b"[{}]", b"null", b"7", b'"x"', b"{}", b"\xff\xfe", b"{\x00}"),
    *(b"a=1&b=2", b"<xml/>", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 20_000),
    *(b'{"a": ' + b"[" * 20_000, b'{"a": ' + b"9" * 20_000 + b"}", b'{"a": "\\ud800"}'),
)
NONSENSE: tuple[Any, ...] = (
    None,
    True,
    1.5,
    -1,
    0,
    10**17,
    "",
    "-",
    "x" * 10_000,
    "१२",
    [],
    [None],
    {},
    {"a": 1},
)


def fits(notice: Notice) -> bool:
    """Whether the tables hold it: a database that is asked for more answers with an error."""
    amount, currency = notice.amount, notice.currency
    return (
        (amount is None or (type(amount) is int and -(2**63) <= amount < 2**63))
        and (currency is None or re.fullmatch("[A-Z]{3}", currency) is not None)
        # An answer to a question of ours has "asked:" in front.
        and 0 < len(notice.event_id) <= 200 - len("asked:")
        and len(notice.reference or "") <= 64
        and len(notice.order_id or "") <= 64
        and len(notice.transaction_id or "") <= 128
    )


def touched(body: bytes, changed: bytes) -> set[str]:
    """The fields of the first body that the second has otherwise, or not at all."""
    before, after = flat(json.loads(body)), flat(json.loads(changed))
    return {path for path, value in before.items() if path not in after or after[path] != value}


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Every leaf by its path: `data.amount`, `transactions.0.id`."""
    if isinstance(value, dict | list) and value:
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        found: dict[str, Any] = {}
        for name, part in parts:
            found |= flat(part, f"{path}.{name}".strip("."))
        return found
    return {path: value}


def nonsense(body: bytes) -> Iterator[bytes]:
    """The message with one field gone, or of another type or size, for each of its fields."""
    try:
        message = json.loads(body)
    except ValueError:
        return
    for path in flat(message):
        *way, last = path.split(".")
        for wrong in (..., *NONSENSE):
            changed = json.loads(body)
            around = changed
            for step in way:
                around = around[int(step) if isinstance(around, list) else step]
            name: Any = int(last) if isinstance(around, list) else last
            if wrong is ...:
                del around[name]
            else:
                around[name] = wrong
            yield json.dumps(changed, ensure_ascii=False).encode()


def recorded(key: str) -> Iterator[Call]:
    """`samples/<key>/*.json`: `headers`, and `body` as JSON or as the text that was sent."""
    for path in sorted((SAMPLES / key).glob("*.json")):
        sample = json.loads(path.read_text())
        body = sample["body"]
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        yield Call(dict(sample["headers"]), text.encode())
