"""What a phone reads off the screen."""

from __future__ import annotations

from io import BytesIO

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page

SCREENS = pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (320, "light"),
        (1280, "dark"),
        pytest.param(320, "dark", marks=pytest.mark.long),
        pytest.param(1280, "light", marks=pytest.mark.long),
    ],
)
"""What codes have to be read off."""


def codes_in(picture: bytes) -> list[str]:
    """What a phone's camera would read off this picture."""
    return [code.text for code in zxingcpp.read_barcodes(Image.open(BytesIO(picture)))]


def codes_shown(page: Page) -> list[str]:
    """On the whole page, once its pictures are there."""
    page.wait_for_function("[...document.images].every((one) => one.complete)")
    return codes_in(page.screenshot(full_page=True))
