"""The bounds of what is read from a socket."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import pytest

from payments.realtime.wire import (
    Allowance,
    BoundedJson,
    BoundedPacket,
    BoundedWebSocket,
    Received,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":[1,"[[[["]}', {"a": [1, "[[[["]}),
        ('["' + "[" * 900 + '"]', ["[" * 900]),
        ('["\\"' + "[" * 40 + '"]', ['"' + "[" * 40]),
        ("[" + "[]," * 200 + "1]", [[]] * 200 + [1]),
    ],
)
def test_sane_json_is_read(text: str, value: Any) -> None:
    assert BoundedJson.loads(text) == value


def test_the_depth_is_thirty_two() -> None:
    assert BoundedJson.loads("[" * 32 + "]" * 32)
    with pytest.raises(ValueError, match="deep"):
        BoundedJson.loads("[" * 33 + "]" * 33)


@pytest.mark.parametrize(
    "text",
    ["[" * 30_000, '{"a":' * 30_000, '["', "NaN", "[Infinity]", "[" * 1_001 + "]" * 1_001, ""],
)
def test_anything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (its words are the decoder's)
        BoundedJson.loads(text)


@pytest.mark.parametrize("nonsense", ["[" * 30_000, '{"a":' * 6_000])
def test_nonsense_takes_hardly_longer_than_sense_of_its_length(nonsense: str) -> None:
    sense = "[" + "0," * 14_999 + "0]"
    assert processor_time(nonsense) < 10 * processor_time(sense)


def processor_time(text: str) -> float:
    took = []
    for _ in range(7):
        began = time.process_time()
        with suppress(ValueError):
            BoundedJson.loads(text)
        took.append(time.process_time() - began)
    return min(took)


def test_an_event_reaches_its_handler_as_one_object() -> None:
    asked = BoundedPacket(encoded_packet='25["watch",{"topic":"order:1"},7]')
    assert asked.data == ["watch", Received(({"topic": "order:1"}, 7), asked=True)]
    assert asked.id == 5
    silent = BoundedPacket(encoded_packet='2["watch"]')
    assert silent.data == ["watch", Received((), asked=False)]


def test_what_we_send_is_encoded_as_ever() -> None:
    assert BoundedPacket(2, data=["update", {"a": 1}]).encode() == '2["update",{"a":1}]'


def test_an_allowance_fills_up_again() -> None:
    allowance = Allowance(50)
    assert [allowance.take() for _ in range(60)].count(True) >= 50
    began = time.monotonic()
    time.sleep(0.1)
    taken = [allowance.take() for _ in range(20)].count(True)
    assert 4 <= taken <= 50 * (time.monotonic() - began) + 2


class Scripted:
    def __init__(self, *messages: Any) -> None:
        self._messages = list(messages)

    def wait(self) -> Any:
        message = self._messages.pop(0) if self._messages else None
        if isinstance(message, Exception):
            raise message
        return message


def read_all(*messages: Any) -> list[str]:
    bounded = BoundedWebSocket(Scripted(*messages), lambda _seconds: None)
    return list(iter(bounded.wait, None))


def test_only_text_that_begins_with_a_number_is_passed_on() -> None:
    assert read_all("", "x", b"4", "40", "4é") == ["40", "4é"]


@pytest.mark.parametrize("end", [OSError("gone"), ValueError("bad"), "4" * 64_001, "é" * 32_001])
def test_a_fault_or_a_large_message_is_the_end(end: Any) -> None:
    assert read_all("40", end, "41") == ["40"]


def test_a_flood_waits() -> None:
    waited: list[float] = []
    bounded = BoundedWebSocket(Scripted(*["40"] * 300), waited.append)
    assert len(list(iter(bounded.wait, None))) == 300
    assert len(waited) > 80
