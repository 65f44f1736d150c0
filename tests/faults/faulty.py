"""`wsgi.py` that dies by kill -9 where it is told to, and is started again at once.

FAULT_FILE names a file: while it holds the name of a point, the process that reaches this point in
the payment of an order removes it and kills itself.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wsgi

if TYPE_CHECKING:
    from payments.domain.facts import Fact

BEFORE_COMMIT = "before the commit"
AFTER_COMMIT = "after the commit, before the answer"
BEFORE_PUBLISH = "before the fact is published"
BEFORE_MARK = "after it is published, before it is marked"

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def _strike(point: str) -> None:
    armed = Path(os.environ["FAULT_FILE"])
    # Whoever removes it has decided: the test may take it back.
    with suppress(FileNotFoundError):
        if armed.read_text() == point:
            armed.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


def _paid(facts: Sequence[Fact]) -> bool:
    return any(fact.event == "order.paid" for fact in facts)


def plant() -> None:
    """Into the seams that the product has anyway; it knows nothing of this."""
    _in_transactions()
    _in_the_relay()


def _in_transactions() -> None:
    from payments.store import outbox
    from payments.store.db import db

    session: Any = db.session
    add, commit = outbox.add, session.commit

    def added(fact: Fact) -> None:
        add(fact)
        if _paid([fact]):
            session.info["paid"] = True

    def committed() -> None:
        of_payment = session.info.pop("paid", False)
        if of_payment:
            _strike(BEFORE_COMMIT)
        commit()
        if of_payment:
            _strike(AFTER_COMMIT)

    outbox.add, session.commit = added, committed


def _in_the_relay() -> None:
    from payments.services import relay
    from payments.store import outbox

    publish, mark = relay.relay_once, outbox.mark_published

    def published(queue: Any) -> int:
        if _paid(outbox.unpublished(10)):
            _strike(BEFORE_PUBLISH)
        return publish(queue)

    def marked(facts: Sequence[Fact]) -> None:
        if _paid(facts):
            _strike(BEFORE_MARK)
        mark(facts)

    relay.relay_once, outbox.mark_published = published, marked


def main() -> None:
    """The imports are done once, so that a restart takes a fifth of a second."""
    wsgi.go_green()
    from eventlet import patcher

    from payments import bootstrap

    assert bootstrap
    real: Any = patcher.original("os")
    parent = os.getpid()
    while True:
        child = real.fork()
        if child == 0:
            # Whoever kills the parent means this one.
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() == parent:
                plant()
                wsgi.one()
            real._exit(0)
        _, ended = real.waitpid(child, 0)
        if not (os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL):
            raise SystemExit(f"the server ended by itself: {ended}")


if __name__ == "__main__":
    main()
