"""What sockets may say. Every event is answered; nothing that a client sends can raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import flask
import structlog
from flask import Flask, Request
from flask_socketio import ConnectionRefusedError

from payments.dialects import ALL_ORDERS, DIALECTS, Dialect
from payments.domain.errors import Unauthenticated
from payments.domain.facts import Fact, order_topic, wallet_topic
from payments.domain.order import Order
from payments.domain.snapshot import iso
from payments.realtime.catchup import (
    Refused,
    Target,
    find_target,
    own_name,
    read_wish,
    state_of,
)
from payments.realtime.deliveries import Deliveries
from payments.realtime.doors import Doors, guard_doors
from payments.realtime.engine import Engine
from payments.realtime.rooms import MAX_SUBSCRIPTIONS, Rooms, Visitor
from payments.realtime.server import Sockets
from payments.realtime.sighting import Sightings
from payments.realtime.tracking import Tracking
from payments.realtime.wire import Received
from payments.services.access import Identity
from payments.services.figures import SOCKET_PACKETS_DROPPED
from payments.settings import Settings
from payments.store import outbox
from payments.store.db import db, end_read, now

log = structlog.get_logger()

Identify = Callable[[Request, str | None], Identity]
"""Who opened this handshake: by the token, or else by its cookies. Raises Unauthenticated."""

Act = Callable[[Visitor, Dialect, tuple[Any, ...]], dict[str, Any]]


def register(
    socketio: Sockets,
    app: Flask,
    *,
    identify: Identify,
    settings: Settings,
    dialects: tuple[Dialect, ...] = DIALECTS,
) -> Tracking:
    """Puts the handlers on `socketio`, whose `init_app` has been called."""
    realtime = Realtime(socketio, identify, settings, dialects)
    realtime.register()
    app.extensions["realtime"] = realtime
    return realtime.tracking


class Realtime:
    """The socket side of one process: doors, rooms, engine and handlers."""

    def __init__(
        self,
        socketio: Sockets,
        identify: Identify,
        settings: Settings,
        dialects: tuple[Dialect, ...],
    ) -> None:
        self.socketio = socketio
        self.dialects = dialects
        self.deliveries = Deliveries(socketio)
        self.rooms = Rooms(socketio, self.deliveries)
        self.doors = Doors(settings.sockets_per_address)
        self.engine = Engine(self.rooms, dialects)
        self.tracking = Tracking(self.rooms, self.doors, settings.redis_url)
        self._identify = identify
        self._sightings = Sightings(self.engine)

    def register(self) -> None:
        guard_doors(self.socketio, self.doors)
        self._greet_after_connect()
        for namespace in {_registered(dialect) for dialect in self.dialects}:
            self.socketio.on_event("connect", self._connect, namespace=namespace)
            self.socketio.on_event("disconnect", self._disconnect, namespace=namespace)
            # Past Flask-SocketIO, which confuses its arguments where the namespace is "*" too.
            self.socketio.server.on("*", self._unknown, namespace=namespace)
        for dialect in self.dialects:
            acts: list[tuple[tuple[str, ...], Act]] = [
                (dialect.subscribe, self._watch),
                (dialect.unsubscribe, self._unwatch),
                (dialect.seen, self._seen),
            ]
            for events, act in acts:
                for event in events:
                    self._on(dialect, event, act)
            for event, reply in dialect.replies.items():
                self._on(dialect, event, self._replier(reply))

    def _greet_after_connect(self) -> None:
        """A page may listen for the greeting only once it is connected: not before that is said."""
        server = self.socketio.server
        connect = server._handle_connect

        def connect_and_greet(connection_id: str, namespace: str | None, data: Any) -> None:
            connect(connection_id, namespace, data)
            sid = server.manager.sid_from_eio_sid(connection_id, namespace or "/")
            visitor = self.rooms.find(sid) if sid else None
            if visitor is not None and not visitor.greeted:
                visitor.greeted = True
                self._greet(visitor)

        server._handle_connect = connect_and_greet

    def _greet(self, visitor: Visitor) -> None:
        for dialect in self.dialects:
            if dialect.greeting is not None and dialect.spoken_in(visitor.namespace):
                event, payload = dialect.greeting(visitor.sid, iso(now()) or "")
                self.rooms.say(visitor, event, payload)

    def _on(self, dialect: Dialect, event: str, act: Act) -> None:
        def handle(received: Received) -> dict[str, Any] | None:
            visitor = self.rooms.find(_sid())
            return self._answer(visitor, dialect, event, act, received) if visitor else None

        self.socketio.on_event(event, handle, namespace=_registered(dialect))

    def _answer(
        self, visitor: Visitor, dialect: Dialect, event: str, act: Act, received: Received
    ) -> dict[str, Any]:
        self.rooms.heard()
        try:
            if not visitor.events.take():
                raise Refused("too_many")
            return {"ok": True, **act(visitor, dialect, received.args)}
        except Refused as refusal:
            if event in dialect.subscribe and not received.asked:
                told = {"id": refusal.named, "error": refusal.error}
                self.rooms.say(visitor, "subscription-error", told)
            return {"ok": False, "error": refusal.error}
        except Exception:
            log.exception("socket.event_failed", name=event)
            return {"ok": False, "error": "unavailable"}
        finally:
            db.session.remove()

    def _connect(self, auth: Any = None) -> None:
        try:
            self._welcome(auth)
        except Unauthenticated:
            raise ConnectionRefusedError("unauthorized") from None
        except Refused as refusal:
            raise ConnectionRefusedError(refusal.error) from None
        except Exception:
            # A refusal would be final for the official client; a lost connection it tries again.
            log.exception("socket.connect_failed")
            connection = self.socketio.server.eio.sockets.get(self._connection_id())
            if connection is not None:
                self.socketio.hang_up(connection, "failed")
            raise ConnectionRefusedError("unavailable") from None
        finally:
            db.session.remove()

    def _welcome(self, auth: Any) -> None:
        spoken = [one for one in self.dialects if one.spoken_in(_namespace())]
        if not spoken:
            raise Unauthenticated("Nothing is said in this namespace.")
        identity = self._identify(flask.request, _token(flask.request, auth))
        visitor = Visitor(_sid(), _namespace(), self._connection_id(), identity)
        if not self.rooms.welcome(visitor):
            raise Refused("too_many")
        log.info(
            "socket.connected",
            socket=visitor.sid,
            namespace=visitor.namespace,
            kind=identity.kind,
            actor=identity.actor,
        )
        own = {dialect.own_room for dialect in spoken if dialect.own_room is not None}
        if identity.user is not None and own:
            topic = wallet_topic(identity.user.id)
            # What was told before they came is not told again, whatever the queue repeats.
            given = outbox.newest_version(topic, published=True)
            for room in {room(identity.user.id) for room in own}:
                self.rooms.enter_own(visitor, room, topic, given)

    def _disconnect(self, _reason: Any = None) -> None:
        self.rooms.farewell(_sid())

    def _unknown(self, *_args: Any) -> Any:
        self.rooms.heard()
        SOCKET_PACKETS_DROPPED.labels("unknown_event").inc()
        # Sent only where the client asked for an ack.
        return {"ok": False, "error": "bad_request"}

    def _watch(self, visitor: Visitor, dialect: Dialect, args: tuple[Any, ...]) -> dict[str, Any]:
        wish = read_wish(dialect, args)
        named = own_name(visitor.identity, dialect, wish.named)
        room = dialect.room(named)
        if room not in visitor.watching and len(visitor.watching) >= MAX_SUBSCRIPTIONS:
            raise Refused("too_many", wish.named)
        target = find_target(visitor.identity, dialect, named)
        # Into the room before the read, which begins anew: no change can fall between the two.
        self.rooms.enter(visitor, room, target.topic)
        try:
            end_read()
            found = state_of(dialect, target, wish.after, self.engine.newest_id)
            if found is None or not dialect.admits(visitor.namespace, found[0]["snapshot"] or {}):
                raise Refused("not_found", wish.named)
            self._settle(visitor, dialect, room, target, *found)
        except BaseException:
            self.rooms.leave(visitor, room)
            raise
        return dialect.answer(wish.named, found[0])

    def _settle(
        self,
        visitor: Visitor,
        dialect: Dialect,
        room: str,
        target: Target,
        events: dict[str, Any],
        here: Fact | None,
    ) -> None:
        given = events["version"] if target.topic != ALL_ORDERS else 0
        if given:
            self.engine.shown(target.topic, given)
        if here is not None and dialect.at_once is not None:
            self.rooms.present(visitor, room, dialect.at_once(here), here)
        self.rooms.settle(visitor, room, given)

    def _unwatch(self, visitor: Visitor, dialect: Dialect, args: tuple[Any, ...]) -> dict[str, Any]:
        wish = read_wish(dialect, args)
        named = own_name(visitor.identity, dialect, wish.named)
        self.rooms.leave(visitor, dialect.room(named))
        return {dialect.id_field: wish.named}

    def _seen(self, visitor: Visitor, _dialect: Dialect, args: tuple[Any, ...]) -> dict[str, Any]:
        order = self._sightings.take(visitor, args[0] if args else None)
        if order is not None:
            self._tell_staff(order)
        return {}

    def _tell_staff(self, order: Order) -> None:
        """No fact, and no version: staff's pages look again, the payer's know this version."""
        topics = {ALL_ORDERS: self.engine.newest_id, order_topic(order.id): order.version}
        for topic, version in topics.items():
            told = {"topic": topic, "version": version, "event": "payer.saw", "snapshot": None}
            told["sent_at"] = iso(now())
            self.rooms.announce("update", told, to=topic, namespace="/")

    def _replier(self, reply: Callable[[str], tuple[str, dict[str, Any]]]) -> Act:
        def act(visitor: Visitor, _dialect: Dialect, _args: tuple[Any, ...]) -> dict[str, Any]:
            event, payload = reply(iso(now()) or "")
            self.rooms.say(visitor, event, payload)
            return {}

        return act

    def _connection_id(self) -> str:
        manager = self.socketio.server.manager
        return str(manager.eio_sid_from_sid(_sid(), _namespace()))


def _token(request: Request, auth: Any) -> str | None:
    """The token of the CONNECT packet. Raises Unauthenticated where nothing says who opened it."""
    token = auth.get("token") if isinstance(auth, dict) else None
    if token is not None and not isinstance(token, str):
        raise Unauthenticated("A token is a text.")
    if token:
        return token
    # Every browser names the page's origin, or says that it is our own: others need a token.
    if not request.headers.get("Origin") and request.headers.get("Sec-Fetch-Site") != "same-origin":
        raise Unauthenticated("Say who you are first.")
    return None


def _registered(dialect: Dialect) -> str:
    return "*" if dialect.namespace.endswith("*") else dialect.namespace


def _sid() -> str:
    return str(cast(Any, flask.request).sid)


def _namespace() -> str:
    return str(cast(Any, flask.request).namespace)
