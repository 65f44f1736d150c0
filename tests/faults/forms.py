"""Callbacks of every receiver, signed at any moment, sent to a real server as raw bytes."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, tzinfo
from typing import Self

import pytest

from payments.providers.registry import CALLBACK, PROVIDERS
from tests import signing
from tests.providers.case import Call, Case, Said, case_of
from tests.servers import AppServer

RECEIVERS = [
    key
    for key, spec in PROVIDERS.items()
    if any(CALLBACK in adapter.abilities for adapter in spec.adapters)
]

TIMED = ("generic", "sepay", "casso")
"""Whose signature covers the time at which it was made, with five minutes of tolerance."""

SECRETS = {
    "momo": "MOMO_SECRET_KEY",
    "campay": "CAMPAY_WEBHOOK_KEY",
    "pay2s": "PAY2S_WEBHOOK_TOKEN",
    "pay2s-gateway": "PAY2S_SECRET_KEY",
    "sepay": "SEPAY_WEBHOOK_SECRET",
    "casso": "CASSO_WEBHOOK_KEY",
    "payos": "PAYOS_CHECKSUM_KEY",
    "razorpay": "RAZORPAY_WEBHOOK_SECRET",
    "payable": "PAYABLE_MERCHANT_TOKEN",
    "generic": "GENERIC_WEBHOOK_SECRET",
}
"""The setting that holds what a receiver's callbacks are signed with."""


def signed_at(case: Case, said: Said, moment: float) -> Call:
    """As by a provider whose clock stands at `moment`, in seconds since 1970."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(moment, tz)

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(time, "time", lambda: moment)
        changed.setattr(signing, "datetime", Clock)
        return case.call(said)


ADDRESSES = tuple(f"{name}_API_URL" for name in ("MOMO", "CAMPAY", "PAY2S", "RAZORPAY", "PAYABLE"))


def settings_of_all(url: str, keys: Sequence[str] = RECEIVERS) -> dict[str, str]:
    """Every receiver at once; `url` is where all that are asked answer, and no real provider."""
    together = dict.fromkeys(ADDRESSES, url)
    for key in keys:
        together |= case_of(key).settings(url)
    return together


def send_raw(server: AppServer, key: str, call: Call, more: Sequence[tuple[str, str]] = ()) -> int:
    """The status. The headers go over the wire as they are, also those that stand twice."""
    lines = [f"POST /callbacks/{key} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (*call.headers.items(), *more)]
    lines += [f"Content-Length: {len(call.body)}", "", ""]
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=20)) as line:
        line.sendall("\r\n".join(lines).encode("latin-1") + call.body)
        answer = b""
        while piece := line.recv(65_536):
            answer += piece
    return int(answer.split(b" ", 2)[1])


def with_body(call: Call, body: bytes) -> Call:
    return replace(call, body=body)
