"""The server: `python wsgi.py [--workers N]`. The only file that knows eventlet.

Everything else is imported only after the standard library has been made green.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import resource
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from flask import Flask

    from payments.settings import Settings

    StartResponse = Callable[..., Any]
    Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

BACKLOG = 4096
MAX_FILES = 65_536
FILES_KEPT_BACK = 256
"""For the database, the log and calls to providers."""
FIRST_REQUEST_SECONDS = 20
"""From the connection to the end of the first request's headers."""
KEEP_ALIVE_SECONDS = 75
BODY_SECONDS = 30
"""Between two pieces of a body."""
SIP_BYTES = 1_000_000
ANSWER_SECONDS = 12
"""PostgreSQL ends a statement that takes longer than 10 s: whoever is silent for longer hangs."""
CONNECT_SECONDS = 5
FRAMES_PER_TURN = 16
"""What always has something to read would never let the others have their turn."""

GRACE_SECONDS = 0.3
"""For the requests of connections that were made just before the end."""
REQUESTS_SECONDS = 6.0
SOCKETS_SECONDS = 1.0
LOOPS_SECONDS = 1.0
END_SECONDS = 9.0


class Front:
    """Stands before the application: counts what is open, and mends what the servers leave."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app
        self._lock = Lock()
        self.open = {"requests": 0, "sockets": 0}

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        from werkzeug.wsgi import ClosingIterator

        # Deflate costs three times the memory of a page, and joining takes as much longer.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            # eventlet ends the stream but does not say so, and Werkzeug would read nothing.
            environ["wsgi.input_terminated"] = True
        kind = "sockets" if environ.get("PATH_INFO", "").startswith("/socket.io") else "requests"
        self._count(kind, 1)
        try:
            answer = self._app(environ, start_response)
        except BaseException:
            self._count(kind, -1)
            raise
        if isinstance(answer, list):
            # Whole, and as a list the server can tell its length.
            self._count(kind, -1)
            return answer
        return ClosingIterator(answer, lambda: self._count(kind, -1))

    def _count(self, kind: str, more: int) -> None:
        with self._lock:
            self.open[kind] += more

    def wait_for(self, kind: str, seconds: float) -> None:
        """Until none of them is open, or the seconds are over."""
        end = time.monotonic() + seconds
        while self.open[kind] and time.monotonic() < end:
            time.sleep(0.02)


class Server(Protocol):
    def start(self) -> None: ...

    def stop_accepting(self) -> None: ...


class ThreadingServer:
    """Werkzeug's: a thread for each connection, and one request in each."""

    def __init__(self, listener: socket.socket, front: Front) -> None:
        from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

        class Handler(WSGIRequestHandler):
            timeout = BODY_SECONDS

            def setup(self) -> None:
                super().setup()
                self.rfile = _Sips(self.rfile)  # type: ignore[assignment]

            def version_string(self) -> str:
                return "Paychime"

            def run_wsgi(self) -> None:
                super().run_wsgi()
                # Else it would wait for another request on what has been a WebSocket.
                self.close_connection = True

            def log_request(self, code: object = "-", size: object = "-") -> None:
                """No access log."""

            def log_error(self, format: str, *args: object) -> None:
                """Clients that went away or were too slow."""

        host, port = listener.getsockname()[:2]
        self._listener = listener
        self._server = ThreadedWSGIServer(host, port, front, Handler, fd=listener.fileno())
        self._server.daemon_threads = True

    def start(self) -> None:
        Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def stop_accepting(self) -> None:
        self._server.shutdown()
        # Werkzeug has closed its own copy. Whoever stands before ours is let in before it closes.
        self._listener.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self._server.process_request(*self._listener.accept())
        self._listener.close()


class _Sips:
    """Werkzeug throws the rest of a body away in pieces of 10 MB; here it holds less at once."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return bytes(self._file.read(min(size, SIP_BYTES)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


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

    bound_queries(ready)


def stay_grey() -> None:
    def ready(connection: Any, reads: bool, seconds: float) -> bool:
        # Not select(), which knows no descriptor above 1023.
        poll = select.poll()
        poll.register(connection, select.POLLIN if reads else select.POLLOUT)
        return bool(poll.poll(seconds * 1000))

    bound_queries(ready)


def bound_queries(ready: Callable[[Any, bool, float], bool]) -> None:
    """Else whoever asks a PostgreSQL that hangs would wait for ever, and hold a connection.

    psycopg2 closes it when this raises, and the pool replaces it.
    """
    from psycopg2 import OperationalError, extensions

    connected = {extensions.STATUS_READY, extensions.STATUS_BEGIN, extensions.STATUS_PREPARED}

    def wait(connection: Any) -> None:
        while (state := connection.poll()) != extensions.POLL_OK:
            seconds = ANSWER_SECONDS if connection.status in connected else CONNECT_SECONDS
            if not ready(connection, state == extensions.POLL_READ, seconds):
                raise OperationalError("PostgreSQL does not answer.")

    extensions.set_wait_callback(wait)


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # A start right after an end finds the old connections still closing on this port.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Every accepted connection inherits it. Else the second of two small pushes waits until the
    # page's system has acknowledged the first, which takes it up to 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener


def raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def stop_signals() -> Callable[[], None]:
    """What waits until the process is asked to end. The signal itself arrives through a socket:
    an event loop that sleeps in the kernel would not notice a flag."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: None)

    def wait() -> None:
        reader.recv(1)
        writer.fileno()  # kept open as long as somebody waits

    return wait


def serve(app: Flask, settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then drains."""
    from payments.realtime import start_background

    green = settings.async_mode == "eventlet"
    front = Front(app)
    raise_file_limit()
    stopped = stop_signals()
    listener = listen(settings.host, settings.port)
    server: Server = GreenServer(listener, front) if green else ThreadingServer(listener, front)
    sockets = app.extensions["socketio"]
    house = app.extensions["paychime"]
    # What is here now stays: the collector need not look at it again, and stops fewer pages.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    server.start()
    background = start_background(app, sockets, house.queue, house.rails)
    print(f"Paychime is listening on {settings.own_url}", flush=True)
    stopped()
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.setitimer(signal.ITIMER_REAL, END_SECONDS)
    server.stop_accepting()
    time.sleep(GRACE_SECONDS)
    front.wait_for("requests", REQUESTS_SECONDS)
    for connection in sockets.connections():
        sockets.hang_up(connection, "shutdown")
    front.wait_for("sockets", SOCKETS_SECONDS)
    background.stop(LOOPS_SECONDS)


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
    mode = os.environ.get("ASYNC_MODE", "").strip() or "eventlet"
    if mode == "eventlet":
        go_green()
    else:
        stay_grey()
    from payments.settings import BadSetting, load

    try:
        settings = load()
        from payments import bootstrap

        app = bootstrap.create_app(settings, offload=_offload(mode))
        bootstrap.check_schema(app)
    except BadSetting as fault:
        _refuse(str(fault))
    _check_driver(settings)
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
