"""Worker: posts callbacks over keep-alive connections, each as soon as the one before is answered.

A latency is from the first byte written to the last byte of the answer. The requests are made
before the clock starts.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from benchmarks import worker
from benchmarks.due import CALLBACK_PATH

ANSWER_SECONDS = 20.0


def request_of(callback: str, port: int) -> bytes:
    body = callback.encode()
    head = (
        f"POST {CALLBACK_PATH} HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{port}\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def read_answer(reader: asyncio.StreamReader) -> int:
    """The status; the body is read and dropped, so that the connection can be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    length = 0
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name == "content-length":
            length = int(value)
    if length:
        await reader.readexactly(length)
    return status


class Load:
    def __init__(self, port: int, callbacks: list[str], seconds: float) -> None:
        self._port = port
        self._waiting: Iterator[bytes] = iter([request_of(one, port) for one in callbacks])
        self._seconds = seconds
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()

    async def run(self, connections: int) -> float:
        """How many seconds it took."""
        opened = [
            await asyncio.open_connection("127.0.0.1", self._port) for _ in range(connections)
        ]
        start = time.perf_counter()
        self._end = start + self._seconds
        await asyncio.gather(*(self._post(*streams) for streams in opened))
        seconds = time.perf_counter() - start
        for _, writer in opened:
            writer.close()
        return seconds

    async def _post(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (start := time.perf_counter()) < self._end:
            request = next(self._waiting, None)
            if request is None:
                return
            writer.write(request)
            status = await asyncio.wait_for(read_answer(reader), ANSWER_SECONDS)
            self.latencies.append(time.perf_counter() - start)
            self.statuses[status] += 1


def main(asked: dict[str, Any]) -> dict[str, Any]:
    load = Load(asked["port"], asked["callbacks"], asked["seconds"])
    seconds = asyncio.run(load.run(asked["connections"]))
    return {"seconds": seconds, "latencies": load.latencies, "statuses": dict(load.statuses)}


if __name__ == "__main__":
    worker.answer(main(worker.job()))
