"""The system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

SHELL = "chromium-headless-shell"
"""The same engine without windows, which nobody would see: it takes a quarter less time."""

NAMES = (SHELL, "/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "Chromium is missing: `make test` installs it, or says how to get it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            headless=True,
            chromium_sandbox=os.geteuid() != 0,  # it refuses to work for root
            args=[
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                # A page of ours needs no outside host; neither does the browser.
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        try:
            yield browser
        finally:
            browser.close()
