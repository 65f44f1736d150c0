"""Row 26: a shop names an address for its webhooks that leads into the operator's own network."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

from payments.domain.addresses import target_of
from payments.domain.errors import InvalidInput
from payments.providers.outgoing import NotSent, Reply, post, resolve
from tests.faults.report import Outcome

BODY = b'{"type":"order.paid"}'
PUBLIC = "93.184.215.14"


class Listener:
    """Somebody on the loopback who must not be met; `says` is the answer to whoever comes."""

    def __init__(self, says: bytes = b"HTTP/1.1 204 No Content\r\n\r\n") -> None:
        self.met = 0
        self._says = says
        self._socket = socket.create_server(
            ("::", 0), family=socket.AF_INET6, dualstack_ipv6=True
        )  # the loopback of both families
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._socket.accept()
                self.met += 1
                with line, suppress(OSError):
                    line.recv(65_536)
                    line.sendall(self._says)


@contextmanager
def listening(says: bytes = b"HTTP/1.1 204 No Content\r\n\r\n") -> Iterator[Listener]:
    one = Listener(says)
    try:
        yield one
    finally:
        one.close()


def send(url: str, *, production: bool, names: Sequence[Sequence[str]] = ()) -> Reply:
    """As the courier sends; `names`: what the host's name leads to, one answer after the other."""
    answers = iter(names)

    def told(host: str, port: int) -> Sequence[str]:
        return next(answers) if names else resolve(host, port)

    return post(
        target_of(url, production=production), BODY, {}, production=production, resolve=told
    )


LITERAL = {
    "loopback": ("127.0.0.1", "127.8.8.8", "[::1]", "0.0.0.0", "[::]", "localhost"),  # noqa: S104
    "link-local": ("169.254.169.254", "[fe80::1]", "[fe80::1%25lo]"),
    "private": ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "[fd00::1]", "[fec0::1]"),
    "decimal": ("2130706433", "167772161", "127.1", "10.1"),
    "octal": ("0177.0.0.1", "0177.1", "017700000001", "012.0.0.1"),
    "hexadecimal": ("0x7f000001", "0x7f.0.0.1", "0x7f.1"),
    "IPv6-mapped": ("[::ffff:127.0.0.1]", "[::ffff:a00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
}
"""Ways to write an address inside."""


@pytest.mark.fault(26)
@pytest.mark.parametrize("form", LITERAL)
def test_an_inside_address_is_not_called_however_it_is_written(form: str, figures: Outcome) -> None:
    with listening() as inside:
        assert send(f"http://127.0.0.1:{inside.port}/", production=False).status == 204
        assert inside.met == 1, "the listener is there, and is met where it may be"
        for host in LITERAL[form]:
            with pytest.raises((InvalidInput, NotSent)) as refused:
                send(f"https://{host}:{inside.port}/", production=True)
            if isinstance(refused.value, NotSent):
                assert refused.value.fault == "inside_address", "nobody has tried"
        assert inside.met == 1
    figures.note(f"{form}: {', '.join(LITERAL[form])}: no connection")


@pytest.mark.fault(26)
def test_a_name_that_leads_inside_is_not_called_even_if_it_did_not_before(
    figures: Outcome,
) -> None:
    """Rebinding: a name is asked once for each try, and what it says then is checked and called."""
    with listening() as inside, listening() as other:
        url = f"https://shop.example:{inside.port}/"
        for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"):
            for answer in ((address,), (PUBLIC, address), (address, PUBLIC)):
                with pytest.raises(NotSent) as refused:
                    send(url, production=True, names=[answer])
                assert refused.value.fault == "inside_address", answer
        assert inside.met == 0
        # In development the loopback may be called: its second answer would be a third party.
        again = f"http://shop.example:{other.port}/"
        reply = send(again, production=False, names=[("127.0.0.1",), ("10.0.0.1",)])
        assert (reply.status, other.met) == (204, 1), "asked once, called where it was checked"
    figures.note("names that lead inside, at once, among others or later: no connection")


@pytest.mark.fault(26)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, figures: Outcome) -> None:
    with listening() as inside:
        to = f"http://127.0.0.1:{inside.port}/"
        head = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
        with listening(head.encode()) as receiver:
            reply = send(f"http://127.0.0.1:{receiver.port}/", production=False)
            assert (reply.status, receiver.met, inside.met) == (status, 1, 0)
    figures.note(f"{status} to inside: not followed")
