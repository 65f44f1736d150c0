"""Clients that a server must bear: raw bytes over TCP, and sockets that break the rules."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import websocket

from tests.servers import AppServer

HANDSHAKE = "/socket.io/?EIO=4&transport=websocket"


@dataclass(frozen=True, slots=True)
class Said:
    """What was answered, as bytes; `status` 0: the connection was closed without a word."""

    status: int
    head: bytes
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}

    @property
    def whole(self) -> bool:
        """As long as it says to be. Without a length it ends with the connection."""
        length = self.headers.get("content-length")
        return length is not None and len(self.body) >= int(length)


def connected(server: AppServer, timeout: float = 20.0) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)


def request(method: str, path: str, body: bytes = b"", /, **headers: str) -> bytes:
    """One request as it goes over the wire; header names with `_` for `-`."""
    lines = {"Host": "127.0.0.1", "Connection": "close", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def exchange(server: AppServer, pieces: Iterable[bytes], timeout: float = 20.0) -> Said:
    """Sends the pieces until nobody takes them any more; then reads the answer to its end."""
    with closing(connected(server, timeout)) as plain:
        # Whoever refuses a body closes before all of it was sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                plain.sendall(piece)
        said = Said(0, b"", b"")
        heard = b""
        with suppress(ConnectionResetError):
            while not said.whole and (more := plain.recv(65_536)):
                heard += more
                said = _taken_apart(heard)
    return said


def _taken_apart(heard: bytes) -> Said:
    head, end, body = heard.partition(b"\r\n\r\n")
    return Said(int(head.split()[1]), head, body) if end else Said(0, b"", b"")


def ask(server: AppServer, method: str, path: str, body: bytes = b"", /, **headers: str) -> Said:
    return exchange(server, [request(method, path, body, **headers)])


class Stranger:
    """A socket that speaks the protocol by hand. `window`: bytes that its kernel takes at most."""

    def __init__(
        self, server: AppServer, token: str | None = None, *, window: int = 0, **about: Any
    ) -> None:
        options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, window)] if window else []
        self.socket: Any = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}{HANDSHAKE}",
            timeout=20,
            sockopt=options,
            enable_multithread=False,
            **({"suppress_origin": True} | about),
        )
        self._numbers = 0
        assert self.hear().startswith("0{")
        self.socket.send("40" + (json.dumps({"token": token}) if token else ""))
        self.answer = self.until("40", "44")

    def hear(self) -> str:
        return str(self.socket.recv())

    def until(self, *starts: str) -> str:
        """The first message with one of these beginnings; pings are answered meanwhile."""
        while True:
            message = self.hear()
            if message == "2":
                self.socket.send("3")
            elif message.startswith(starts):
                return message

    def say(self, event: str, *args: Any) -> int:
        self._numbers += 1
        self.socket.send(f"42{self._numbers}{json.dumps([event, *args])}")
        return self._numbers

    def ask(self, event: str, *args: Any) -> Any:
        return self.ack(self.say(event, *args))

    def ack(self, number: int) -> Any:
        start = f"43{number}["
        return json.loads(self.until(start)[len(start) - 1 :])[0]

    def watch(self, order_id: str) -> Any:
        return self.ask("watch", {"topic": f"order:{order_id}"})

    def close(self) -> None:
        """Without a goodbye, as a browser that is gone."""
        with suppress(OSError):
            self.socket.sock.close()


@contextmanager
def strangers(servers: Iterable[AppServer], **about: Any) -> Iterator[list[Stranger]]:
    """One at each of these servers; a server named twice has two."""
    come: list[Stranger] = []
    try:
        for server in servers:
            come.append(Stranger(server, **about))
        yield come
    finally:
        for one in come:
            one.close()


def eventually(wanted: Any, seconds: float) -> float:
    """Seconds until it came true."""
    began = time.monotonic()
    while not wanted():
        assert time.monotonic() - began < seconds, "it did not become true"
        time.sleep(0.05)
    return time.monotonic() - began
