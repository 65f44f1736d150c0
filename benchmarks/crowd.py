"""Worker: pages that stay open, answering pings, until its input ends. Says when all are in."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from benchmarks import worker
from benchmarks.pages import Page, open_all


async def stay(asked: dict[str, Any]) -> None:
    pages = [Page(asked["port"], about) for about in asked["pages"]]
    seconds = await open_all(pages, asked["at_once"])
    worker.answer({"joined": len(pages), "seconds": seconds})
    await asyncio.to_thread(sys.stdin.read)
    for page in pages:
        await page.leave()


if __name__ == "__main__":
    # One line: whoever asks keeps the input open as long as the pages are to stay.
    asyncio.run(stay(json.loads(sys.stdin.readline())))
