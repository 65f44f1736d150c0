"""A way to a server on the loopback on which everything takes its time."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import Self

PIECE_BYTES = 65_536


class SlowLine:
    """Listens on `port`; `delay_seconds` holds for each direction, and may be changed meanwhile."""

    def __init__(self, to_port: int) -> None:
        self.delay_seconds = 0.0
        self._to = to_port
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in (self._listener, *self._ends):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            self._ends += [near, far]
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, target in ((near, far), (far, near)):
                pieces: Queue[tuple[float, bytes]] = Queue()
                Thread(target=self._read, args=(source, pieces), daemon=True).start()
                Thread(target=self._write, args=(pieces, target), daemon=True).start()

    def _read(self, source: socket.socket, pieces: Queue[tuple[float, bytes]]) -> None:
        piece = b"-"
        while piece:
            try:
                piece = source.recv(PIECE_BYTES)
            except OSError:
                piece = b""
            pieces.put((time.monotonic() + self.delay_seconds, piece))

    def _write(self, pieces: Queue[tuple[float, bytes]], target: socket.socket) -> None:
        while True:
            due, piece = pieces.get()
            time.sleep(max(0.0, due - time.monotonic()))
            with suppress(OSError):
                if not piece:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(piece)
