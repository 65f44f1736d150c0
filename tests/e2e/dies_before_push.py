"""`wsgi.py`, but the process kills itself between the commit of a payment and its push."""

from __future__ import annotations

import os
import signal
from typing import Any

import wsgi

real_serve = wsgi.serve


def serve(app: Any, settings: Any) -> None:
    from payments.domain.ports import Queue
    from payments.services import relay
    from payments.store import outbox

    real_relay = relay.relay_once

    def relay_once(queue: Queue) -> int:
        if any(fact.event == "order.paid" for fact in outbox.unpublished(10)):
            os.kill(os.getpid(), signal.SIGKILL)
        return real_relay(queue)

    relay.relay_once = relay_once
    real_serve(app, settings)


if __name__ == "__main__":
    wsgi.serve = serve
    wsgi.main()
