"""Carries callbacks from a pretended provider to the merchant, and keeps a log of each try.

A batch is sent by one thread, one callback after the other, so that "out of order" means an order
chosen on purpose. What was written down but not sent when the process ended is sent after its
next start.
"""

import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from .store import Store

NOTE_CHARACTERS = 200

SCHEMA = """
CREATE TABLE IF NOT EXISTS callbacks (
    id INTEGER PRIMARY KEY, batch TEXT NOT NULL, provider TEXT NOT NULL, subject TEXT NOT NULL,
    label TEXT NOT NULL, url TEXT NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL,
    due_ms INTEGER NOT NULL, most_tries INTEGER, state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'answered', 'given up'))
);
CREATE INDEX IF NOT EXISTS callbacks_subject ON callbacks (provider, subject);
CREATE TABLE IF NOT EXISTS tries (
    callback_id INTEGER NOT NULL REFERENCES callbacks (id), at_ms INTEGER NOT NULL,
    status INTEGER, note TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS tries_callback ON tries (callback_id);
"""


@dataclass(frozen=True)
class Callback:
    """One POST to be made; a GET where `body` is empty.

    `subject` is what it is about, in the provider's own naming.
    """

    provider: str
    subject: str
    label: str
    url: str
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    most_tries: int | None = None


@dataclass(frozen=True)
class Try:
    """`status` is the HTTP status answered; None where there was no answer, `note` says why."""

    at_ms: int
    status: int | None
    note: str


@dataclass(frozen=True)
class Sent:
    """A callback as the log shows it. `state`: waiting, answered as asked, given up."""

    label: str
    url: str
    body: str
    due_ms: int
    state: str
    tries: tuple[Try, ...]


@dataclass(frozen=True)
class Manners:
    """`taken(status, body)`: what a provider takes for an answer, of which it sees the first
    letters; `tries`: how often it sends one callback."""

    taken: Callable[[int, str], bool]
    tries: int


class Courier:
    def __init__(self, store: Store, knobs: Mapping[str, Any]) -> None:
        """`knobs`: IPN_TRIES, IPN_BACKOFF_SECONDS, IPN_TIMEOUT_SECONDS, read at each use.

        `manners`, by provider, are of those that ask for more than 2xx or publish their tries.
        """
        self._store = store
        self._knobs = knobs
        self.manners: dict[str, Manners] = {}
        self._resumed = threading.Lock()
        store.define(SCHEMA)

    def schedule(self, db: sqlite3.Connection, callbacks: Sequence[Callback]) -> str:
        """Write a batch down in the caller's transaction; `dispatch` it once that is committed."""
        batch = uuid.uuid4().hex
        db.executemany(
            "INSERT INTO callbacks (batch, provider, subject, label, url, headers, body, due_ms,"
            " most_tries) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(batch, one.provider, one.subject, one.label, one.url),
                    *(json.dumps(dict(one.headers)), one.body),
                    *(now_ms() + int(one.delay_seconds * 1000), one.most_tries),
                )
                for one in callbacks
            ],
        )
        return batch

    def dispatch(self, batch: str) -> None:
        threading.Thread(target=self._run, args=(batch,), daemon=True).start()

    def resume_once(self) -> None:
        """Send what an earlier process left. The lock is never released: it marks this as done."""
        if self._resumed.acquire(blocking=False):
            left = self._store.rows("SELECT DISTINCT batch FROM callbacks WHERE state = 'waiting'")
            for row in left:
                self.dispatch(row["batch"])

    def log(self, provider: str, subject: str) -> list[Sent]:
        """Everything written down about one subject, oldest first."""
        rows = self._store.rows(
            "SELECT * FROM callbacks WHERE provider = ? AND subject = ? ORDER BY id",
            *(provider, subject),
        )
        return [self._sent(row) for row in rows]

    def _sent(self, row: sqlite3.Row) -> Sent:
        tries = self._store.rows(
            "SELECT at_ms, status, note FROM tries WHERE callback_id = ? ORDER BY rowid", row["id"]
        )
        return Sent(
            *(row["label"], row["url"], row["body"], row["due_ms"], row["state"]),
            tuple(Try(one["at_ms"], one["status"], one["note"]) for one in tries),
        )

    def _run(self, batch: str) -> None:
        for row in self._store.rows(
            "SELECT * FROM callbacks WHERE batch = ? AND state = 'waiting' ORDER BY id", batch
        ):
            time.sleep(max(0, row["due_ms"] - now_ms()) / 1000)
            self._carry(row)

    def _carry(self, row: sqlite3.Row) -> None:
        """Try until it is answered, a bounded number of times over all processes."""
        manners = self.manners.get(row["provider"])
        most = row["most_tries"] or (manners.tries if manners else int(self._knobs["IPN_TRIES"]))
        made = len(self._sent(row).tries)
        for number in range(made, most):
            if number > made:
                time.sleep(float(self._knobs["IPN_BACKOFF_SECONDS"]) * 2 ** (number - 1))
            answer = self._post(row)
            done = _is_taken(answer, manners)
            self._write(row["id"], answer, "answered" if done else "waiting")
            if done:
                return
        self._end(row["id"])

    def _post(self, row: sqlite3.Row) -> Try:
        at_ms = now_ms()
        try:
            with requests.Session() as session:
                session.trust_env = False
                with session.request(
                    "POST" if row["body"] else "GET",
                    row["url"],
                    data=row["body"].encode(),
                    headers=json.loads(row["headers"]),
                    timeout=float(self._knobs["IPN_TIMEOUT_SECONDS"]),
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    note = next(answer.iter_content(NOTE_CHARACTERS), b"")
                    return Try(at_ms, answer.status_code, note.decode(errors="replace"))
        except (requests.RequestException, ValueError) as error:
            return Try(at_ms, None, type(error).__name__)

    def _write(self, callback_id: int, answer: Try, state: str) -> None:
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO tries (callback_id, at_ms, status, note) VALUES (?, ?, ?, ?)",
                (callback_id, answer.at_ms, answer.status, answer.note),
            )
            db.execute("UPDATE callbacks SET state = ? WHERE id = ?", (state, callback_id))

    def _end(self, callback_id: int) -> None:
        with self._store.transaction() as db:
            db.execute("UPDATE callbacks SET state = 'given up' WHERE id = ?", (callback_id,))


def _is_taken(answer: Try, manners: Manners | None) -> bool:
    if answer.status is None:
        return False
    return manners.taken(answer.status, answer.note) if manners else 200 <= answer.status < 300


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
