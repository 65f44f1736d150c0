"""`wsgi.py` with one event more: `tell-me-all`, which is answered with 8 MiB in one frame."""

from __future__ import annotations

import os
from typing import Any

import wsgi

ANSWER_BYTES = 8 << 20


def text() -> str:
    """Any piece of it says where it stands."""
    return "".join(f"{number:08x}" for number in range(ANSWER_BYTES // 8))


def main() -> None:
    if os.environ.get("ASYNC_MODE") != "threading":
        wsgi.go_green()
    from payments import bootstrap

    create = bootstrap.create_app

    def created(*args: Any, **kwargs: Any) -> Any:
        app = create(*args, **kwargs)
        app.extensions["socketio"].on_event("tell-me-all", lambda _asked: text())
        return app

    bootstrap.create_app = created
    wsgi.one()


if __name__ == "__main__":
    main()
