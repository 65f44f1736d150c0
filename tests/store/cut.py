"""A line to PostgreSQL that breaks where a test wants it: between a COMMIT and its answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from select import select

PIECE = 65_536


@dataclass
class Line:
    """`cuts`: how many answers to COMMIT are still to be swallowed, the connection with them.

    `done`: the server is to commit first; else it never hears the COMMIT. `away`: nobody gets
    through any more; `away_after_cut` makes that so with the next cut.
    """

    port: int
    cuts: int = 0
    done: bool = True
    away: bool = False
    away_after_cut: bool = False
    cut: int = 0

    def carry(self, client: socket.socket, server: socket.socket) -> None:
        """Both ways, until one of them ends or the line is cut."""
        while not self.away:
            for end in select([client, server], [], [], 0.05)[0]:
                said = end.recv(PIECE)
                if not said:
                    return
                if end is client and self.cuts and b"COMMIT\x00" in said:
                    self._cut(server, said)
                    return
                (server if end is client else client).sendall(said)

    def _cut(self, server: socket.socket, said: bytes) -> None:
        self.cuts -= 1
        if self.done:
            server.sendall(said)
            assert b"COMMIT\x00" in server.recv(PIECE), "it is to be committed, and not heard of"
        self.cut += 1
        self.away = self.away_after_cut


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line on a port of its own to the server on this one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(listener.getsockname()[1])
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    client = listener.accept()[0]
                    threading.Thread(target=carry, args=(client,), daemon=True).start()

        def carry(client: socket.socket) -> None:
            with client, ExitStack() as both, suppress(OSError):
                if not line.away:
                    server = both.enter_context(socket.create_connection(("127.0.0.1", port)))
                    line.carry(client, server)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield line
        finally:
            ended.set()
            line.away = True
            with suppress(OSError), socket.create_connection(("127.0.0.1", line.port), 1):
                pass
            thread.join(5)
