"""`wsgi.py` that writes down how long its event loop stood still.

BEAT_FILE names a file, and each server puts its PORT behind that name: each line is the moment
(monotonic clock) and the gap, both in seconds.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import wsgi

BEAT_SECONDS = 0.01

real_serve = wsgi.serve


def serve(app: Any, settings: Any) -> None:
    file = file_of(Path(os.environ["BEAT_FILE"]), settings.port)
    app.extensions["socketio"].start_background_task(beat, file)
    real_serve(app, settings)


def file_of(beats: Path, port: int) -> Path:
    """Where the server on this port beats."""
    return beats.with_name(f"{beats.name}-{port}")


def beat(file: Path) -> None:
    with file.open("w", buffering=1) as beats:
        last = time.monotonic()
        while True:
            time.sleep(BEAT_SECONDS)
            now = time.monotonic()
            beats.write(f"{now} {now - last - BEAT_SECONDS}\n")
            last = now


def worst_gap_ms(file: Path, start: float, end: float) -> float:
    """Of the beats between two moments. Fails where the loop did not beat at all."""
    beats = [line.split() for line in file.read_text().splitlines()]
    gaps = [
        float(gap) for at, gap in filter(lambda b: len(b) == 2, beats) if start <= float(at) < end
    ]
    assert gaps, "the event loop stood still all the time"
    return 1000 * max(gaps)


if __name__ == "__main__":
    wsgi.serve = serve
    wsgi.main()
