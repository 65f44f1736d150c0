"""Worker: opens many pages at once, as a browser does, and says what they cost.

The WebSocket and Socket.IO client is this file, so that the client of 500 pages weighs little. Like
every browser it offers permessage-deflate. A page is joined when the server has acknowledged that
it watches its order.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import subprocess
import time
import zlib
from collections.abc import Sequence
from typing import Any

from benchmarks import worker

JOIN_SECONDS = 20.0
SETTLE_SECONDS = 0.5
HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
    "Host: 127.0.0.1:{port}\r\n"
    "Upgrade: websocket\r\n"
    "Connection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
TEXT, CLOSE = 0x1, 0x8


class Page:
    """One open page. Reads on after it has joined, and answers the server's pings."""

    def __init__(self, port: int, about: dict[str, Any]) -> None:
        self._port = port
        self._about = about
        self._inflate = zlib.decompressobj(-15)

    async def join(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        key = base64.b64encode(os.urandom(16)).decode()
        self._writer.write(HANDSHAKE.format(port=self._port, key=key).encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise worker.RunFailed(f"no WebSocket: {head.splitlines()[0]!r}")
        await self._until("0{")
        self._send("40" + json.dumps(self._about["auth"] or {}))
        await self._until("40")
        self._send("420" + json.dumps([self._about["join"], self._about["argument"]]))
        acknowledged = json.loads((await self._until("430"))[3:])
        if acknowledged[0].get("ok") is not True:
            raise worker.RunFailed(f"a page was not let in: {acknowledged}")
        self._rest = asyncio.create_task(self._stay())

    async def leave(self) -> None:
        self._rest.cancel()
        await asyncio.gather(self._rest, return_exceptions=True)
        self._writer.close()

    async def _stay(self) -> None:
        while True:
            await self._packet()

    async def _until(self, beginning: str) -> str:
        while not (packet := await self._packet()).startswith(beginning):
            if packet.startswith("44"):
                raise worker.RunFailed(f"a page was refused: {packet}")
        return packet

    async def _packet(self) -> str:
        packet = await self._frame()
        if packet == "2":
            self._send("3")
        return packet

    async def _frame(self) -> str:
        first, second = await self._reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
        payload = await self._reader.readexactly(length)
        if first & 0x0F == CLOSE:
            raise worker.RunFailed("the server closed a page")
        if first & 0x40:
            payload = self._inflate.decompress(payload + b"\x00\x00\xff\xff")
        return payload.decode()

    def _send(self, text: str) -> None:
        payload, mask = text.encode(), os.urandom(4)
        size = len(payload)
        head = struct.pack(">BB", 0x80 | TEXT, 0x80 | min(size, 126))
        if size >= 126:
            head += struct.pack(">H", size)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        self._writer.write(head + mask + masked)


async def open_all(pages: Sequence[Page], at_once: int) -> float:
    """Seconds until every page has joined; no more than `at_once` are on their way."""
    doors = asyncio.Semaphore(at_once)

    async def enter(page: Page) -> None:
        async with doors:
            await asyncio.wait_for(page.join(), JOIN_SECONDS)

    start = time.perf_counter()
    await asyncio.gather(*(enter(page) for page in pages))
    return time.perf_counter() - start


def resident_kb(pid: int) -> int:
    found = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(pid)],  # noqa: S607 (wherever the system has it)
        capture_output=True,
        text=True,
        check=True,
    )
    return int(found.stdout)


async def measure(asked: dict[str, Any]) -> dict[str, Any]:
    pages = [Page(asked["port"], about) for about in asked["pages"]]
    begin, end = asked["warm_up"], asked["warm_up"] + asked["joined"]
    first, timed, rest = pages[:begin], pages[begin:end], pages[end:]
    await open_all(first, asked["at_once"])
    for page in first:
        await page.leave()
    await asyncio.sleep(SETTLE_SECONDS)
    before = resident_kb(asked["pid"])
    seconds = await open_all(timed, asked["at_once"])
    await open_all(rest, asked["at_once"])
    await asyncio.sleep(SETTLE_SECONDS)
    after = resident_kb(asked["pid"])
    for page in [*timed, *rest]:
        await page.leave()
    opened = len(timed) + len(rest)
    return {
        "joined": len(timed),
        "seconds": seconds,
        "open": opened,
        "kb_per_page": (after - before) / opened,
    }


if __name__ == "__main__":
    worker.answer(asyncio.run(measure(worker.job())))
