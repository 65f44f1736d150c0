"""Goes round every few seconds: closes the sockets that have to go, forgets those that are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from payments.realtime.handlers import Realtime
from payments.realtime.rooms import Visitor
from payments.realtime.server import PING_TIMEOUT_SECONDS
from payments.services.figures import SOCKETS_CLOSED
from payments.store import people
from payments.store.people import User

ROUND_SECONDS = 3.0
SILENT_SECONDS = 20.0
"""How long a connection may stand there without saying who it is."""
GOODBYE_SECONDS = 10.0
"""How long a closed connection is kept: a page that polls has to fetch its last words."""
MAX_WAITING_PACKETS = 500
"""What may wait for one socket that does not read."""


def go_round(realtime: Realtime) -> None:
    spoken = {visitor.connection_id for visitor in realtime.rooms.everybody()}
    for connection in realtime.socketio.connections():
        if connection.closed:
            _forget(realtime, connection)
            continue
        silent = connection.sid not in spoken
        silent_seconds = realtime.doors.age_seconds(connection.sid) if silent else 0.0
        reason = _reason_to_cut(connection, silent_seconds)
        if reason:
            realtime.socketio.cut(connection, reason)
    close_ended_logins(realtime)


def _forget(realtime: Realtime, connection: Any) -> None:
    """One that said goodbye by a request of its own: the engine would keep it for ever."""
    if connection.seen_closed_at is None:
        connection.seen_closed_at = time.monotonic()
    elif time.monotonic() - connection.seen_closed_at > GOODBYE_SECONDS:
        realtime.socketio.forget(connection)


def _reason_to_cut(connection: Any, silent_seconds: float) -> str | None:
    if connection.last_ping and time.time() - connection.last_ping > PING_TIMEOUT_SECONDS:
        return "ping_timeout"
    if connection.queue.qsize() > MAX_WAITING_PACKETS:
        return "does_not_read"
    return "silent" if silent_seconds > SILENT_SECONDS else None


def close_ended_logins(realtime: Realtime) -> None:
    """Whose login has ended, and everybody who was disabled or has lost a role."""
    visitors = [one for one in realtime.rooms.everybody() if one.identity.user is not None]
    logins = {one.identity.login_id for one in visitors if one.identity.login_id}
    over = {login for few in _by_hundreds(logins) for login in people.ended_logins(few)}
    now = {user_id: people.find(user_id) for user_id in {_person(one) for one in visitors}}
    ended = [
        one
        for one in visitors
        if one.identity.login_id in over or _changed(one.identity.user, now[_person(one)])
    ]
    if ended:
        SOCKETS_CLOSED.labels("login_ended").inc(len(ended))
        realtime.rooms.disconnect(ended)


def _person(visitor: Visitor) -> str:
    return visitor.identity.user.id if visitor.identity.user is not None else ""


def _changed(then: User | None, present: User | None) -> bool:
    if then is None:
        return False
    return present is None or present.disabled_at is not None or then.role != present.role


def _by_hundreds(names: set[str]) -> Iterator[list[str]]:
    listed = list(names)
    return (listed[start : start + 100] for start in range(0, len(listed), 100))
