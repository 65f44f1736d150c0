"""One server process from its listening socket to the end of its drain."""

from __future__ import annotations

import gc
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import Protocol

from flask import Flask

from payments.realtime import start_background
from payments.serving.front import Front
from payments.serving.limits import raise_file_limit
from payments.settings import Settings

BACKLOG = 4096
GRACE_SECONDS = 0.3
"""For the requests of connections that were made just before the end."""
REQUESTS_SECONDS = 6.0
SOCKETS_SECONDS = 1.0
LOOPS_SECONDS = 1.0
END_SECONDS = 9.0


class Server(Protocol):
    def start(self) -> None: ...

    def stop_accepting(self) -> None: ...


def serve(app: Flask, settings: Settings, kind: Callable[[socket.socket, Front], Server]) -> None:
    """Serves by this kind of server until SIGTERM or SIGINT, then drains. Raises OSError."""
    front = Front(app)
    raise_file_limit()
    stopped = stop_signals()
    listener = listen(settings.host, settings.port)
    server = kind(listener, front)
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
