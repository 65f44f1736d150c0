"""Calls to addresses that shops name: to public ones alone, bounded in time and in size.

`http.py` calls providers, whose addresses are the operator's own. Here a stranger names the
address, so the name is resolved once, every answer is checked, and the connection is made to a
checked one: a name that changes its answer in between (rebinding) is not asked again. Nothing
follows a redirect, and no proxy of the environment is asked, which would resolve by itself.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from payments.domain.addresses import Target, callable_at

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
"""From the connection to the end of the answer, however slowly it drips."""
KEPT_BYTES = 4096
MOST_BYTES = 64 * 1024
"""Of a whole answer with its head; who sends more is cut off."""
MOST_ADDRESSES = 4
"""Of one name, tried one after the other."""

Resolve = Callable[[str, int], Sequence[str]]
"""The IP addresses of a host name. Raises OSError."""


class NotSent(Exception):
    """No answer came. `fault` is one of FAULTS; whether the call was taken nobody knows."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


FAULTS = ("unknown_host", "inside_address", "not_reached", "tls", "timeout", "broken_answer")


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is its beginning, KEPT_BYTES at most, as text that every database takes."""

    status: int
    body: str
    retry_after: str | None


def resolve(host: str, port: int) -> Sequence[str]:
    """By the system's resolver. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("no host name") from error
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def checked(target: Target, *, production: bool, resolve: Resolve = resolve) -> Sequence[str]:
    """The addresses of the target. Raises NotSent where one of them is not to be called."""
    try:
        addresses = resolve(target.host, target.port)
    except OSError:
        raise NotSent("unknown_host") from None
    if not addresses:
        raise NotSent("unknown_host")
    if not all(callable_at(one, production=production) for one in addresses):
        raise NotSent("inside_address")
    return addresses[:MOST_ADDRESSES]


@cache
def trust() -> ssl.SSLContext:
    """Whom the machine trusts; whom browsers do, where it knows of nobody.

    Read once: it takes longer than a call, and nobody else has a turn meanwhile.
    """
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    *,
    production: bool,
    resolve: Resolve = resolve,
    trusting: Callable[[], ssl.SSLContext] = trust,
    seconds: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
) -> Reply:
    """One POST, sent once. `seconds` are for the connection and for all that follows.

    Raises NotSent.
    """
    addresses = checked(target, production=production, resolve=resolve)
    line = _connected(target, addresses, trusting, seconds[0])
    try:
        return _told(target, _Line(line, time.monotonic() + seconds[1]), body, headers)
    except TimeoutError:
        raise NotSent("timeout") from None
    except (HTTPException, OSError, ValueError):
        raise NotSent("broken_answer") from None
    finally:
        line.close()


def _connected(
    target: Target,
    addresses: Sequence[str],
    trusting: Callable[[], ssl.SSLContext],
    seconds: float,
) -> socket.socket:
    """To the first of them that listens; TLS is for the name, whatever the address."""
    deadline, fault = time.monotonic() + seconds, "not_reached"
    for address in addresses:
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            line = socket.create_connection((address, target.port), left)
        except TimeoutError:
            fault = "timeout"
            continue
        except OSError:
            fault = "not_reached"
            continue
        if not target.tls:
            return line
        try:
            line.settimeout(max(0.1, deadline - time.monotonic()))
            return trusting().wrap_socket(line, server_hostname=target.host)
        except (OSError, ValueError) as error:
            line.close()
            fault = "timeout" if isinstance(error, TimeoutError) else "tls"
    raise NotSent(fault)


def _told(target: Target, line: _Line, body: bytes, headers: Mapping[str, str]) -> Reply:
    connection = HTTPConnection(target.host, target.port)
    # Given to it, so that it neither resolves nor connects by itself.
    connection.sock = line
    connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
    own = {"Host": target.named, "Content-Length": str(len(body)), "Connection": "close"}
    for name, value in {**own, **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    return Reply(answer.status, _beginning(answer), answer.headers.get("Retry-After"))


def _beginning(answer: HTTPResponse) -> str:
    """What follows the head is for people to read; where it breaks off, the status stands."""
    kept = b""
    try:
        while len(kept) < KEPT_BYTES and (piece := answer.read1(KEPT_BYTES - len(kept))):
            kept += piece
    except (HTTPException, OSError, ValueError):
        pass
    return kept.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


class _Line:
    """A socket whose time and bytes run out over the whole call, not for each piece of it."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line = line
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        self._line.settimeout(_left(self._deadline))
        self._line.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Drops(self._line, self._deadline))

    def close(self) -> None:
        """Whoever opened it closes it."""


class _Drops(io.RawIOBase):
    def __init__(self, line: socket.socket, deadline: float) -> None:
        super().__init__()
        self._line = line
        self._deadline = deadline
        self._bytes = MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._bytes <= 0:
            raise OSError("The answer is too long.")
        self._line.settimeout(_left(self._deadline))
        size = self._line.recv_into(buffer)
        self._bytes -= size
        return size


def _left(deadline: float) -> float:
    """Raises TimeoutError where nothing is left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
