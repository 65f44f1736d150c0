"""What a provider contributes to its contract: how its callbacks look, signed apart from us.

`cases/<key>.py` holds one `CASE` for each row of `PROVIDERS` that takes callbacks.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import pytest

from payments.domain.order import Payment
from payments.domain.states import Kind

Json = dict[str, Any]


@dataclass(frozen=True)
class Said:
    """What the provider is to say of an attempt; `amount` in minor units of `currency`.

    `number` tells several transactions of one order apart: another number is other money.
    """

    order_id: str
    reference: str
    amount: int
    currency: str
    outcome: Kind = Kind.SUCCEEDED
    number: int = 1

    @property
    def serial(self) -> int:
        """The provider's own number of the transaction: of this order alone, 12 digits."""
        seed = hashlib.sha256(f"{self.order_id}:{self.number}".encode()).hexdigest()
        return 10**11 + int(seed, 16) % 10**11


@dataclass(frozen=True)
class Call:
    """One callback, as it goes over the wire."""

    headers: dict[str, str]
    body: bytes


FORMS: dict[str, tuple[Callable[[str], bytes], Callable[[bytes], str]]] = {
    "hex": (bytes.fromhex, bytes.hex),
    "HEX": (bytes.fromhex, lambda raw: raw.hex().upper()),
    "base64": (base64.b64decode, lambda raw: base64.b64encode(raw).decode()),
    "base64url": (
        lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)),
        lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ),
    "text": (lambda text: text.encode("latin-1"), lambda raw: raw.decode("latin-1")),
}


@dataclass(frozen=True)
class Proof:
    """Where the signature stands: in a header, or in a field of the JSON; behind `after`."""

    header: str | None = None
    field: str | None = None
    after: str = ""
    form: str = "hex"

    def of(self, call: Call) -> bytes:
        value = self.text(call)
        return FORMS[self.form][0](value.rpartition(self.after)[2] if self.after else value)

    def text(self, call: Call) -> str:
        return str(call.headers[self.header] if self.header else json.loads(call.body)[self.field])

    def altered(self, call: Call, signature: bytes) -> Call:
        """The same callback with other bytes for its signature."""
        before, mark, _ = self.text(call).rpartition(self.after) if self.after else ("", "", "")
        return self.put(call, before + mark + FORMS[self.form][1](signature))

    def put(self, call: Call, text: str | None) -> Call:
        """The same callback with another text where the signature was; None: with nothing."""
        if self.header:
            headers = {name: v for name, v in call.headers.items() if name != self.header}
            return replace(
                call, headers=headers | ({self.header: text} if text is not None else {})
            )
        fields = {name: v for name, v in json.loads(call.body).items() if name != self.field}
        if text is not None:
            fields[self.field] = text
        return replace(call, body=json.dumps(fields, ensure_ascii=False).encode())


@dataclass(frozen=True)
class Case:
    """One receiver of callbacks.

    `rail` is the row its attempts are begun on; None: its callbacks name the order. `settings`
    are those without which it is not there, given the address where it answers questions.
    `outcomes`: what its callbacks can say. `unsigned`: the fields of the body that its signature
    does not cover; `covers_body` False: it proves its sender, and nothing of the body.
    `begun` adds what `start` would have kept with the attempt.
    `answers` only where the callback is a doorbell: the provider's answer to a question at this
    path, given what is true of each reference.
    """

    key: str
    rail: str | None
    currency: str
    price: int
    settings: Callable[[str], Mapping[str, str]]
    call: Callable[[Said], Call]
    proof: Proof
    outcomes: tuple[Kind, ...] = (Kind.SUCCEEDED, Kind.FAILED, Kind.PROCESSING)
    payer_sets_amount: bool = False
    names_currency: bool = True
    covers_body: bool = True
    unsigned: frozenset[str] = frozenset()
    begun: Callable[[Payment], Payment] = lambda payment: payment
    answers: Callable[[str, Mapping[str, Said]], tuple[int, Json]] | None = None

    @property
    def doorbell(self) -> bool:
        return self.answers is not None


def case_of(key: str) -> Case:
    """The case of a row; a row without one fails."""
    name = f"tests.providers.cases.{key.replace('-', '_')}"
    try:
        case: Case = import_module(name).CASE
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        pytest.fail(f"{key} takes callbacks and has no contract: write {name.replace('.', '/')}.py")
    assert case.key == key
    return case
