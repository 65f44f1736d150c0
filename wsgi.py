"""The server: `python wsgi.py [--workers N]`. The only file that knows eventlet.

Everything else is imported only after the standard library has been made green.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import resource
import socket
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from flask import Flask

    from payments.serving.front import Front
    from payments.settings import Settings

FILES_KEPT_BACK = 256
"""For the database, the log and calls to providers."""
FRAMES_PER_TURN = 16
"""What always has something to read would never let the others have their turn."""


class _Door:
    """The listener. Told to shut, it takes on whoever stands before it, and closes in one breath.

    Nobody has a turn in between: who came then would be cut off without an answer.
    """

    def __init__(self, listener: Any) -> None:
        from eventlet.support import greenlets

        self._listener = listener
        self._told: type[BaseException] = greenlets.GreenletExit
        self._shutting = False

    def accept(self) -> Any:
        if not self._shutting:
            try:
                return self._listener.accept()
            except self._told:
                self._shutting = True
                self._listener.setblocking(False)
        try:
            return self._listener.accept()
        except BlockingIOError:
            self._listener.close()
            # One of those after which eventlet's server ends in good order.
            raise OSError(errno.ESHUTDOWN, "The door is shut.") from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listener, name)


class GreenServer:
    """eventlet's, with a whole message bounded and a drain that cuts no request."""

    def __init__(self, listener: socket.socket, front: Front) -> None:
        import eventlet.wsgi

        _bound_sockets()
        self._listener = listener
        self._door = _Door(listener)
        self._front = front
        self._draining = False
        self._wsgi = eventlet.wsgi
        self._spawn = eventlet.spawn

    def start(self) -> None:
        from structlog import get_logger

        from payments.serving.limits import BODY_SECONDS, KEEP_ALIVE_SECONDS

        self._task = self._spawn(
            self._wsgi.server,
            self._door,
            self._front,
            log=_Faults(get_logger()),
            log_format="",
            custom_pool=self._pool(),
            protocol=self._protocol(),
            keepalive=KEEP_ALIVE_SECONDS,
            socket_timeout=BODY_SECONDS,
            debug=False,
        )

    def stop_accepting(self) -> None:
        import eventlet

        self._draining = True
        # It wakes where it waits for somebody: in the door, which shuts.
        eventlet.kill(self._task)
        self._listener.close()

    def _pool(self) -> Any:
        """Of a green thread for each connection that there may be."""
        import eventlet

        busy = self._wsgi.STATE_REQUEST

        class Pool(eventlet.GreenPool):  # type: ignore[misc]
            def spawn(self, function: Any, *args: Any, **options: Any) -> Any:
                # A connection just made has its request on the way: it is not idle, and a drain
                # must not close it, not even before its own thread had a turn.
                connection = args[0]
                connection[2] = busy
                return super().spawn(function, *args, **options)

        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return Pool(max(64, files - FILES_KEPT_BACK))

    def _protocol(self) -> type[Any]:
        import eventlet

        from payments.serving.limits import FIRST_REQUEST_SECONDS, KEEP_ALIVE_SECONDS

        server = self

        class Http(self._wsgi.HttpProtocol):  # type: ignore[misc,name-defined]
            first = True

            def handle(self) -> None:
                # Again, where the drain began between the door and here.
                self.conn_state[2] = server._wsgi.STATE_REQUEST
                super().handle()

            def log_message(self, format: str, *args: object) -> None:
                """Requests that are none."""

            def handle_one_request(self) -> None:
                eventlet.sleep(0)
                seconds = FIRST_REQUEST_SECONDS if self.first else KEEP_ALIVE_SECONDS
                self.first = False
                # Over the whole head: one byte now and then does not keep a connection open.
                self.head = eventlet.Timeout(seconds, TimeoutError("slow headers"))
                try:
                    super().handle_one_request()
                finally:
                    self.head.cancel()

            def parse_request(self) -> bool:
                try:
                    return bool(super().parse_request())
                finally:
                    self.head.cancel()

            def handle_one_response(self) -> None:
                if server._draining:
                    self.close_connection = 1
                super().handle_one_response()

            def get_environ(self) -> dict[str, Any]:
                environ: dict[str, Any] = super().get_environ()
                # Open sockets are not idle: they are closed last, and by us.
                environ["eventlet.set_idle"] = lambda: None
                return environ

        return Http


class _Faults:
    """eventlet's log without its access lines, which `log_format` makes empty."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def info(self, message: str, *args: Any) -> None:
        if "Traceback" in message:
            self._log.error("request.failed", said=message)

    def error(self, message: str, *args: Any) -> None:
        """Bodies that broke off."""

    def debug(self, message: str, *args: Any) -> None:
        """Every connection: never."""


def _bound_sockets() -> None:
    """eventlet bounds a frame; a message of many frames could take all memory, and all the time."""
    import eventlet
    from eventlet import websocket

    class WebSocket(websocket.RFC6455WebSocket):  # type: ignore[misc]
        frames = 0

        class Message(websocket.RFC6455WebSocket.Message):  # type: ignore[misc]
            received = 0

            def push(self, data: bytes, final: bool = False) -> None:
                # An empty fragment takes its place in the list as well.
                self.received += max(1, len(data))
                if self.received > self.max_frame_length:
                    raise websocket.FailedConnectionError(1009, "The message is too large.")
                super().push(data, final)

        def _recv_frame(self, message: Any = None) -> Any:
            self.frames += 1
            if not self.frames % FRAMES_PER_TURN:
                eventlet.sleep(0)
            return super()._recv_frame(message)

        @staticmethod
        def _apply_mask(
            data: bytes, mask: bytes, length: int | None = None, offset: int = 0
        ) -> bytes:
            # eventlet's own goes byte by byte in Python.
            size = len(data)
            turned = bytes(mask[(offset + place) % 4] for place in range(4))
            whole = (turned * (size // 4 + 1))[:size]
            both = int.from_bytes(data, "big") ^ int.from_bytes(whole, "big")
            return both.to_bytes(size, "big")

    websocket.RFC6455WebSocket = WebSocket


def go_green() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import eventlet
    eventlet.monkey_patch()
    from eventlet.hubs import trampoline

    def ready(connection: Any, reads: bool, seconds: float) -> bool:
        try:
            trampoline(
                connection, reads, write=not reads, timeout=seconds, timeout_exc=TimeoutError
            )
        except TimeoutError:
            return False
        return True

    from payments.serving.limits import bound_queries

    bound_queries(ready)


def serve(app: Flask, settings: Settings) -> None:
    from payments.serving import process
    from payments.serving.threads import ThreadingServer

    green = settings.async_mode == "eventlet"
    process.serve(app, settings, GreenServer if green else ThreadingServer)


class _Log:
    """Standard error that loses a line rather than the process.

    The disk may be full or the collector gone, and eventlet's loop ends where it cannot complain.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves Paychime until SIGTERM.")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="on PORT and above")
    count = parser.parse_args().workers
    if count != 1:
        several(count)
    else:
        one()


def several(count: int) -> None:
    """The parent of the server processes; it serves nothing and stays as it is, not green."""
    from payments import workers
    from payments.settings import BadSetting, load

    try:
        workers.run(load(), count, __file__)
    except BadSetting as fault:
        _refuse(str(fault))


def one() -> None:
    sys.stderr = _Log(sys.stderr)
    # Whatever is made from here to the first request stays for good: nobody need look for rubbish.
    gc.disable()
    mode = os.environ.get("ASYNC_MODE", "").strip() or "eventlet"
    if mode == "eventlet":
        go_green()
    else:
        from payments.serving.limits import bound_queries
        from payments.serving.threads import answers_within

        bound_queries(answers_within)
    from payments.settings import BadSetting, load

    try:
        settings = load()
        from payments import bootstrap

        app = bootstrap.create_app(settings, offload=_offload(mode))
        bootstrap.check_schema(app)
    except BadSetting as fault:
        _refuse(str(fault))
    _check_driver(settings)
    gc.freeze()
    gc.enable()
    try:
        serve(app, settings)
    except OSError as error:
        name = "PORT" if error.errno in {errno.EADDRINUSE, errno.EACCES} else "HOST"
        _refuse(f"{name}: cannot listen on {settings.host}:{settings.port} ({error.strerror})")


def _refuse(words: str) -> NoReturn:
    print(words, file=sys.stderr)
    sys.exit(2)


def _offload(mode: str) -> Callable[..., Any]:
    """Runs a long C call where it does not stop every other page."""
    if mode == "eventlet":
        from eventlet import tpool

        return tpool.execute  # type: ignore[no-any-return]
    return lambda work, *args: work(*args)


def _check_driver(settings: Settings) -> None:
    if settings.async_mode == "eventlet" and settings.database_url.startswith("postgresql"):
        from psycopg2 import extensions

        if extensions.get_wait_callback() is None:
            sys.exit("psycopg2 is not green: every query would stop every page.")


if __name__ == "__main__":
    main()
