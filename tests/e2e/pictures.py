"""Takes docs/pictures/: every page in every state, light, dark, on a phone and printed.

Run it by `make pictures`. A picture is WebP of a few colours, cut where the page is very long.
"""

from __future__ import annotations

import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import Page

from tests.e2e.browser import chromium
from tests.e2e.scenes import Scene, staged
from tests.servers import REPOSITORY

FOLDER = REPOSITORY / "docs" / "pictures"
MOST_HEIGHT = 1600
"""CSS pixels: below that a list only goes on."""


class Look(NamedTuple):
    width: int
    height: int
    media: dict[str, Any]


LOOKS = {
    "light": Look(1024, 720, {"media": "screen", "color_scheme": "light"}),
    "dark": Look(1024, 720, {"media": "screen", "color_scheme": "dark"}),
    "360": Look(360, 640, {"media": "screen", "color_scheme": "light"}),
    "print": Look(720, 1000, {"media": "print", "color_scheme": "light"}),
}
WIDE = {"three-screens": 1440}


def take(page: Page, scene: Scene, look: Look, into: Path) -> None:
    page.emulate_media(reduced_motion="reduce", **look.media)
    width = max(look.width, WIDE.get(scene.name, 0)) if look.width > 720 else look.width
    page.set_viewport_size({"width": width, "height": look.height})
    page.evaluate("document.activeElement.blur()")
    page.evaluate("scrollTo(0, 0)")
    height = min(MOST_HEIGHT, page.evaluate("document.documentElement.scrollHeight"))
    # As tall as the page, so that what sticks to the screen's edge stands where it ends.
    page.set_viewport_size({"width": width, "height": max(height, look.height)})
    taken = Image.open(BytesIO(page.screenshot()))
    taken.convert("RGB").save(into, "WEBP", quality=70, method=6)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    with (
        tempfile.TemporaryDirectory() as records,
        chromium() as browser,
        staged(browser, Path(records)) as stage,
    ):
        for scene in stage.scenes():
            # On paper there is nothing to press.
            stage.person(scene.who).page.emulate_media(media="screen")
            page = stage.open(scene)
            page.wait_for_timeout(400)  # the socket, so that the page says it is live
            for name, look in LOOKS.items():
                take(page, scene, look, folder / f"{scene.name}-{name}.webp")
    taken = list(folder.glob("*.webp"))
    size = sum(one.stat().st_size for one in taken)
    print(f"{len(taken)} pictures, {size / 1e6:.1f} MB, in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
