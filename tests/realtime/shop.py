"""A small application around the sockets, served as wsgi.py serves the real one.

Its orders move when it is told to, over HTTP (in the server's process) or by `Orders` (in another
process that writes to the same database, as a command or a crashed server does).
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask

    from payments.domain.facts import Fact
    from payments.domain.order import Order
    from payments.domain.ports import Presence, Queue
    from payments.services.tokens import Tokens
    from payments.settings import Settings


def database_app(settings: Settings) -> Flask:
    """Nothing but the tables, and words for what people are told of their money."""
    from flask import Flask
    from flask_babel import Babel

    from payments.store import tables
    from payments.store.db import db
    from payments.store.engine import database_url, engine_options, prepare

    assert tables.orders is not None
    app = Flask("shop")
    url = database_url(settings.database_url)
    app.config.update(
        SECRET_KEY=settings.secret_keys[0],
        SQLALCHEMY_DATABASE_URI=url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(url),
    )
    db.init_app(app)
    Babel(app)
    with app.app_context():
        prepare(db.engine)
    return app


def open_order(order_id: str, **about: Any) -> Order:
    from datetime import timedelta

    from payments.domain.order import Order
    from payments.domain.states import OrderStatus
    from payments.services.moves import tell
    from payments.store import orders
    from payments.store.db import in_transaction, now

    order = Order(
        id=order_id,
        status=OrderStatus.PENDING,
        version=1,
        amount=100_000,
        currency="VND",
        amount_paid=0,
        amount_excess=0,
        amount_refunded=0,
        amount_credited=0,
        purpose=about.get("purpose", "sale"),
        description="Coffee",
        late=False,
        customer_id=about.get("customer_id"),
        customer_email=None,
        customer_name=None,
        salon_id=about.get("salon_id"),
        return_url=None,
        metadata={},
        created_by="key:test",
        created_at=now(),
        expires_at=now() + timedelta(hours=1),
        ended_at=None,
    )

    def change() -> None:
        orders.add(order)
        tell(order, "order.created")

    in_transaction(change)
    return order


def move(order_id: str, event: str = "order.paid") -> int:
    """One version on, with its fact; answers the version."""
    from payments.store.db import in_transaction

    return in_transaction(lambda: _step(order_id, event))


def _step(order_id: str, event: str) -> int:
    from payments.domain.states import OrderStatus
    from payments.services.moves import tell
    from payments.store import orders

    order = orders.lock(order_id)
    assert order is not None
    changes: dict[str, Any] = {"version": order.version + 1}
    if event == "order.paid":
        changes |= {"status": OrderStatus.PAID, "amount_paid": order.amount}
    moved = orders.move(order, **changes)
    tell(moved, event)
    return moved.version


def move_untold(order_id: str, event: str = "order.paid") -> int:
    """As a fact that was published and lost on its way: the outbox has it, no queue brings it."""
    from payments.domain.facts import order_topic
    from payments.store import outbox
    from payments.store.db import in_transaction

    def change() -> int:
        version = _step(order_id, event)
        outbox.mark_published(outbox.of_topic(order_topic(order_id), version - 1))
        return version

    return in_transaction(change)


def make_app(settings: Settings) -> Flask:
    from types import SimpleNamespace

    import structlog
    from flask import Request

    from payments.providers.registry import Rails
    from payments.queue import open_queue
    from payments.realtime import make_socketio, register
    from payments.services.access import NOBODY, Identity
    from payments.services.tokens import Tokens
    from payments.store import outbox
    from payments.store.db import db
    from tests.realtime.vocabularies import ALL

    structlog.configure([structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])
    app = database_app(settings)
    with app.app_context():
        db.create_all()
    queue = open_queue(settings, outbox)
    tokens = Tokens(settings)
    app.extensions["paychime"] = SimpleNamespace(
        queue=queue, rails=Rails(settings), settings=settings
    )

    def identify(asked: Request, token: str | None) -> Identity:
        if token == "away":
            raise RuntimeError("as if the database were away")
        if token:
            return tokens.identify(token)
        order_id = asked.cookies.get("order")
        return Identity("browser", order_ids=frozenset({order_id})) if order_id else NOBODY

    socketio = make_socketio(settings, ALL)
    socketio.init_app(app)
    presence = register(socketio, app, identify=identify, settings=settings, dialects=ALL)

    _routes(app, queue, presence)
    return app


def _routes(app: Flask, queue: Queue, presence: Presence) -> None:
    from flask import Response, request
    from prometheus_client import generate_latest
    from sqlalchemy import text

    from payments.store.db import db

    @app.get("/healthz")
    def healthz() -> str:
        return str(os.getpid())

    @app.post("/move/<order_id>/<event>")
    def move_one(order_id: str, event: str) -> str:
        return str(move(order_id, event))

    @app.post("/again/<order_id>/<int:version>")
    def again(order_id: str, version: int) -> str:
        """Publishes a version once more, or one out of turn, past the outbox."""
        queue.publish([fact for fact in facts_of(order_id) if fact.version == version])
        return "ok"

    @app.get("/record/<reference>")
    def record(reference: str) -> dict[str, Any]:
        return {"record": presence.record(reference)}

    @app.get("/presence")
    def present() -> dict[str, Any]:
        return {
            **presence.connections(),
            "figures": presence.figures(),
            "storage": presence.storage(),
        }

    @app.post("/slow/<float:seconds>")
    def slow(seconds: float) -> str:
        time.sleep(seconds)
        return "done"

    @app.post("/slow-query/<float:seconds>")
    def slow_query(seconds: float) -> str:
        db.session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
        return "done"

    @app.post("/length")
    def length() -> str:
        return str(len(request.get_data()))

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(), mimetype="text/plain")


def facts_of(order_id: str) -> list[Fact]:
    from payments.domain.facts import order_topic
    from payments.store import outbox

    return list(outbox.of_topic(order_topic(order_id), 0))


def tokens_of(settings: Settings) -> Tokens:
    from payments.services.tokens import Tokens

    return Tokens(settings)


def main() -> None:
    import wsgi

    if os.environ["ASYNC_MODE"] == "eventlet":
        wsgi.go_green()
    from payments.settings import load

    settings = load()
    wsgi.serve(make_app(settings), settings)


if __name__ == "__main__":
    main()
