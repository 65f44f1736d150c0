"""The peer: the smallest honest program that shows its visitors the same, as a tutorial writes it.

Flask-SocketIO on eventlet. It believes a callback by the same signature, updates one row of SQLite
in one transaction that is on disk before the answer, and emits from the request. It keeps no
callback, ledger, outbox or audit, asks nobody who they are, and loses a push where it ends between
the commit and the emit. Its one database connection stays open: that is in its favour.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import sys
from typing import Any

from benchmarks.due import CALLBACK_PATH
from tests.signing import MOMO_ACCESS, MOMO_SECRET
from wsgi import go_green

TABLE = """CREATE TABLE orders (
    id TEXT PRIMARY KEY, reference TEXT UNIQUE, amount INTEGER, status TEXT, transaction_id TEXT
)"""
PAY = """UPDATE orders SET status = 'paid', transaction_id = ?
    WHERE reference = ? AND amount = ? AND status = 'pending' RETURNING id"""
SIGNED = (
    *("accessKey", "amount", "extraData", "message", "orderId", "orderInfo", "orderType"),
    *("partnerCode", "payType", "requestId", "responseTime", "resultCode", "transId"),
)


def connect(path: str) -> sqlite3.Connection:
    """Every statement is a transaction of its own, and on disk when it returns."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def believable(message: dict[str, Any]) -> bool:
    values = {**message, "accessKey": MOMO_ACCESS}
    text = "&".join(f"{name}={values.get(name)}" for name in SIGNED)
    expected = hmac.new(MOMO_SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, str(message.get("signature")))


def serve(path: str, port: int) -> None:
    from flask import Flask, request
    from flask_socketio import SocketIO, join_room

    app = Flask("peer")
    socketio = SocketIO(app, async_mode="eventlet")
    database = connect(path)

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    @app.post(CALLBACK_PATH)
    def callback() -> tuple[str, int]:
        message = request.get_json()
        if not believable(message):
            return "", 401
        transaction = str(message["transId"])
        paid = database.execute(PAY, (transaction, message["orderId"], message["amount"]))
        for (order_id,) in paid.fetchall():
            told = {"orderId": order_id, "status": "paid", "amount": message["amount"]}
            socketio.emit("payment", told, to=order_id)
        return "", 204

    @socketio.on("join")  # type: ignore[untyped-decorator]  # published without types
    def join(order_id: str) -> dict[str, Any]:
        join_room(order_id)
        return {"ok": True}

    socketio.run(app, host="127.0.0.1", port=port)


if __name__ == "__main__":
    go_green()
    serve(sys.argv[1], int(sys.argv[2]))
