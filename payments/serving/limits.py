"""What bounds a process, whichever server it runs: descriptors, and the seconds of each wait."""

from __future__ import annotations

import resource
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from psycopg2 import OperationalError, extensions

MAX_FILES = 65_536
FIRST_REQUEST_SECONDS = 20
"""From the connection to the end of the first request's headers."""
KEEP_ALIVE_SECONDS = 75
BODY_SECONDS = 30
"""Between two pieces of a body."""
ANSWER_SECONDS = 12
"""PostgreSQL ends a statement that takes longer than 10 s: whoever is silent for longer hangs."""
CONNECT_SECONDS = 5


def raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bound_queries(ready: Callable[[Any, bool, float], bool]) -> None:
    """Else whoever asks a PostgreSQL that hangs would wait for ever, and hold a connection.

    psycopg2 closes it when this raises, and the pool replaces it.
    """
    connected = {extensions.STATUS_READY, extensions.STATUS_BEGIN, extensions.STATUS_PREPARED}

    def wait(connection: Any) -> None:
        while (state := connection.poll()) != extensions.POLL_OK:
            seconds = ANSWER_SECONDS if connection.status in connected else CONNECT_SECONDS
            if not ready(connection, state == extensions.POLL_READ, seconds):
                raise OperationalError("PostgreSQL does not answer.")

    extensions.set_wait_callback(wait)
