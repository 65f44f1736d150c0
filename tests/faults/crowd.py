"""Many pages at once, light ones, which come back as our own page does: after 1 s, up to 30 s."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from benchmarks.pages import Page
from benchmarks.worker import RunFailed

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
JOIN_SECONDS = 20.0
COMING_SECONDS = 0.004
CLOSING_SECONDS = 0.2


class Watcher(Page):
    """A page that remembers what it was told of its order."""

    version = 0
    status = ""

    async def _until(self, beginning: str) -> str:
        packet = await super()._until(beginning)
        if beginning == "430":
            self._show(json.loads(packet[3:])[0])
        return packet

    async def _packet(self) -> str:
        packet = await super()._packet()
        if packet.startswith('42["update"'):
            self._show(json.loads(packet[2:])[1])
        return packet

    def _show(self, told: dict[str, Any]) -> None:
        if told.get("version", 0) > self.version:
            self.version, self.status = told["version"], told["snapshot"]["status"]

    async def stay(self) -> None:
        """Until the connection ends."""
        await self._rest

    def go(self) -> None:
        """Without a goodbye; also one that was never let in."""
        if hasattr(self, "_rest"):
            self._rest.cancel()
        if hasattr(self, "_writer"):
            self._writer.close()


class Returning:
    """One customer, who watches one order and comes back."""

    def __init__(self, port: int, order_id: str, token: str, chance: random.Random) -> None:
        self.order_id = order_id
        self.joined_at: float | None = None
        self._last = (0, "")
        self._port = port
        self._about = {
            "auth": {"token": token},
            "join": "watch",
            "argument": {"topic": f"order:{order_id}", "after": None},
        }
        self._chance = chance
        self._page = Watcher(port, self._about)

    @property
    def shown(self) -> tuple[int, str]:
        """Version and status; what was shown before the connection ended stays."""
        return max(self._last, (self._page.version, self._page.status))

    async def live(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                with suppress(OSError, RunFailed, TimeoutError, asyncio.IncompleteReadError):
                    await asyncio.wait_for(self._page.join(), JOIN_SECONDS)
                    self.joined_at, pause = time.monotonic(), FIRST_PAUSE_SECONDS
                    await self._page.stay()
            finally:
                self.joined_at, self._last = None, self.shown
                self._page.go()
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.5))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            self._page = Watcher(self._port, self._about)


class Crowd:
    """Runs in a thread of its own; `chance` makes the jitter repeatable."""

    def __init__(self, pages: Sequence[tuple[int, str, str]], chance: random.Random) -> None:
        """`pages`: port, order and token of each."""
        self.people = [Returning(*about, chance) for about in pages]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *_how: object) -> None:
        self._loop.call_soon_threadsafe(self._all.cancel)
        self._thread.join(30)

    def joined(self) -> int:
        return sum(one.joined_at is not None for one in self.people)

    def wait(self, wanted: Callable[[], bool], seconds: float) -> float:
        began = time.monotonic()
        while not wanted():
            assert time.monotonic() - began < seconds, f"{self.joined()} of {len(self.people)}"
            time.sleep(0.05)
        return time.monotonic() - began

    def _run(self) -> None:
        self._all = self._loop.create_task(self._everybody())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._all)
        self._loop.run_until_complete(asyncio.sleep(CLOSING_SECONDS))
        self._loop.close()

    async def _everybody(self) -> None:
        tasks = []
        for one in self.people:
            # They come one after the other, and return all at once.
            await asyncio.sleep(COMING_SECONDS)
            tasks.append(asyncio.ensure_future(one.live()))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
