"""Reads QR codes off pictures, as a phone's camera would."""

from __future__ import annotations

from io import BytesIO

import zxingcpp
from PIL import Image


def codes_on(picture: bytes) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(Image.open(BytesIO(picture)))]
