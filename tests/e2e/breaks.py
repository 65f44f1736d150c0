"""`wsgi.py` with two faults in it: the order BREAKS is a bug of ours, AWAY is a lost database."""

from __future__ import annotations

from typing import Any

from sqlalchemy.exc import OperationalError

import wsgi

real_serve = wsgi.serve


def serve(app: Any, settings: Any) -> None:
    from payments.store import orders

    real_find = orders.find

    def find(order_id: str) -> Any:
        if order_id == "BREAKS":
            raise RuntimeError("on purpose")
        if order_id == "AWAY":
            raise OperationalError("SELECT 1", {}, Exception("on purpose"))
        return real_find(order_id)

    orders.find = find
    real_serve(app, settings)


if __name__ == "__main__":
    wsgi.serve = serve
    wsgi.main()
