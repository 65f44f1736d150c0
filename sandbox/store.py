"""What the pretended providers remember: one SQLite file, or memory alone.

Each provider brings its own tables (`define`); `transaction` is the only place that commits.
"""

import sqlite3
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BUSY_SECONDS = 5.0


class Store:
    def __init__(self, path: str | None) -> None:
        """`path` is made with its folders where it is not there yet; None keeps all in memory."""
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        # One connection behind one lock: a database in memory belongs to its connection.
        self._db = sqlite3.connect(
            path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._db.row_factory = sqlite3.Row
        self._lock = threading.RLock()
        # Closed with the app that made it: nobody else knows when that ends.
        weakref.finalize(self, self._db.close)
        self._db.execute("PRAGMA journal_mode=WAL")

    def define(self, script: str) -> None:
        """Run `CREATE TABLE IF NOT EXISTS ...` statements."""
        with self._lock:
            self._db.executescript(script)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()
