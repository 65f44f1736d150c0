"""A shop names an address, and we call it: never one that lies inside, never for long."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from payments.domain.addresses import Target, target_of
from payments.providers import outgoing
from payments.providers.outgoing import NotSent, Reply, post
from tests.receivers import Receiver, listening

BODY = b'{"type":"order.paid"}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


def send(url: str, *, production: bool = False, **more: Any) -> Reply:
    return post(
        target_of(url, production=False), BODY, {"webhook-id": "m"}, production=production, **more
    )


def fault(*args: Any, **more: Any) -> str:
    with pytest.raises(NotSent) as refused:
        send(*args, **more)
    return refused.value.fault


def always(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda _host, _port: addresses


def test_a_receiver_hears_the_body_and_its_answer_comes_back(receiver: Receiver) -> None:
    receiver.always = (202, {}, b"thanks")
    assert send(f"{receiver.url}?a=b") == Reply(202, "thanks", None)
    (heard,) = receiver.heard
    assert (heard.body, heard.path) == (BODY, "/hooks?a=b")
    assert heard.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert heard.headers["webhook-id"] == "m"


def test_in_production_nobody_on_the_loopback_hears_a_connection(receiver: Receiver) -> None:
    """The premise is the test above: the same listener is heard in development."""
    names = {
        f"http://shop.example:{receiver.port}/": always("127.0.0.1"),
        f"http://mapped.example:{receiver.port}/": always("::ffff:127.0.0.1"),
        f"http://both.example:{receiver.port}/": always("8.8.8.8", "127.0.0.1"),
        f"http://odd.example:{receiver.port}/": always("127.1"),
        f"http://localhost:{receiver.port}/": outgoing.resolve,
        f"http://127.0.0.1:{receiver.port}/": outgoing.resolve,
    }
    for url, resolve in names.items():
        assert fault(url, production=True, resolve=resolve) == "inside_address", url
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "inside",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254"),  # noqa: S104
        "172.31.0.1",
        *("192.168.1.1", "192.0.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%lo", "fd00::1", "ff02::1", "2001:db8::1", "2001::1"),
        *("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "::127.0.0.1", "fec0::1"),
    ],
)
def test_a_name_that_leads_inside_is_not_called(inside: str) -> None:
    assert fault("http://shop.example/", production=True, resolve=always(inside)) == (
        "inside_address"
    )


def test_in_development_the_loopback_alone_is_let_in(receiver: Receiver) -> None:
    url = f"http://shop.example:{receiver.port}/"
    assert send(url, resolve=always("127.0.0.1")).status == 204
    assert fault(url, resolve=always("10.0.0.1")) == "inside_address"
    assert fault(url, resolve=always("127.0.0.1", "192.168.0.1")) == "inside_address"
    assert receiver.connections == 1


def test_a_name_that_changes_its_answer_is_asked_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebinding: the second answer leads inside, and whoever asked again would be led there."""
    answers, dialled = [["203.0.114.7"], ["127.0.0.1"]], []

    def resolve(_host: str, _port: int) -> Sequence[str]:
        return answers.pop(0)

    def dial(address: tuple[str, int], _seconds: float) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", dial)
    url = f"http://rebinding.example:{receiver.port}/"
    assert fault(url, production=True, resolve=resolve) == "not_reached"
    assert dialled == [("203.0.114.7", receiver.port)], "the address that was checked"
    assert answers == [["127.0.0.1"]], "nobody asked again"
    assert receiver.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(receiver: Receiver, status: int) -> None:
    with listening() as elsewhere:
        receiver.always = (status, {"Location": elsewhere.url}, b"")
        assert send(receiver.url).status == status
        assert elsewhere.connections == 0


def test_a_proxy_of_the_environment_is_not_asked(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert send(receiver.url).status == 204
        assert proxy.connections == 0


def test_of_a_long_answer_the_beginning_is_kept(receiver: Receiver) -> None:
    receiver.always = (500, {}, b"x" * 10_000_000)
    assert send(receiver.url) == Reply(500, "x" * outgoing.KEPT_BYTES, None)


def test_what_no_database_takes_is_replaced(receiver: Receiver) -> None:
    receiver.always = (400, {"Retry-After": "7"}, b"a\0b\xff")
    assert send(receiver.url) == Reply(
        400, "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}", "7"
    )


@contextmanager
def raw(say: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listener that says what no server would."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            line, _ = listener.accept()
            with line:
                line.settimeout(10)
                try:
                    heard = b""
                    while BODY not in heard:
                        heard += line.recv(65_536)
                    say(line)
                except OSError:
                    return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(15)


def drip(line: socket.socket) -> None:
    """One byte of a head now and then, for ever."""
    line.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(200):
        line.sendall(b"x")
        time.sleep(0.05)


def hang(line: socket.socket) -> None:
    line.recv(1)


@pytest.mark.parametrize("say", [drip, hang])
def test_whoever_answers_slowly_is_left_after_a_while(say: Callable[[socket.socket], None]) -> None:
    with raw(say) as url:
        began = time.monotonic()
        assert fault(url, seconds=(1.0, 0.5)) == "timeout"
        assert time.monotonic() - began < 5, "half a second was allowed"


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x16\x03\x01 this is TLS",
        b"HTTP/1.1 two hundred\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000,
    ],
)
def test_what_is_no_answer_is_a_fault_and_bounded(said: bytes) -> None:
    with raw(lambda line: line.sendall(said)) as url:
        assert fault(url) == "broken_answer"


def test_a_body_that_breaks_off_leaves_its_status() -> None:
    with raw(
        lambda line: line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
    ) as url:
        assert send(url) == Reply(200, "half", None)


def test_nobody_there_and_no_such_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert fault(f"http://127.0.0.1:{port}/") == "not_reached"

    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror

    assert fault("http://shop.example/", resolve=unknown) == "unknown_host"
    assert fault("http://shop.example/", resolve=always()) == "unknown_host"
    assert fault("http://" + "a" * 63 + ".invalid/") == "unknown_host"


def test_the_second_address_is_tried_where_the_first_is_deaf(receiver: Receiver) -> None:
    url = f"http://shop.example:{receiver.port}/"
    assert send(url, resolve=always("::1", "127.0.0.1")).status == 204


class TestOverTls:
    """The certificate is for `hooks.test`, which only the resolver of the test knows."""

    @pytest.fixture
    def certificate(self, tmp_path: Path) -> tuple[Path, Path]:
        file, key = tmp_path / "one.pem", tmp_path / "one.key"
        openssl = which("openssl")
        assert openssl is not None
        subprocess.run(
            [
                *(openssl, "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
                *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=hooks.test"),
                *("-addext", "subjectAltName=DNS:hooks.test"),
                *("-keyout", str(key), "-out", str(file)),
            ],
            check=True,
            capture_output=True,
        )
        return file, key

    @pytest.fixture
    def shop(self, receiver: Receiver, certificate: tuple[Path, Path]) -> Receiver:
        asked: list[str | None] = []

        def heard(_line: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            asked.append(name)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        context.sni_callback = heard
        receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
        receiver.names = asked  # type: ignore[attr-defined]
        return receiver

    def test_the_name_is_asked_for_and_checked_at_the_checked_address(
        self, shop: Receiver, certificate: tuple[Path, Path]
    ) -> None:
        known = ssl.create_default_context(cafile=str(certificate[0]))
        reply = send(
            f"https://hooks.test:{shop.port}/",
            resolve=always("127.0.0.1"),
            trusting=lambda: known,
        )
        assert reply.status == 204
        assert shop.heard[0].headers["host"] == f"hooks.test:{shop.port}"
        assert shop.names == ["hooks.test"]  # type: ignore[attr-defined]

    def test_a_certificate_for_another_name_or_by_a_stranger_is_not_believed(
        self, shop: Receiver, certificate: tuple[Path, Path]
    ) -> None:
        known = ssl.create_default_context(cafile=str(certificate[0]))
        other = f"https://other.test:{shop.port}/"
        assert fault(other, resolve=always("127.0.0.1"), trusting=lambda: known) == "tls"
        assert fault(f"https://hooks.test:{shop.port}/", resolve=always("127.0.0.1")) == "tls"
        assert shop.heard == []


def test_a_machine_that_trusts_nobody_trusts_whom_browsers_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = tmp_path / "nobody.pem"
    nobody.touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(nobody))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    empty = ssl.create_default_context().cert_store_stats()["x509_ca"]
    assert empty == 0, "the premise"
    assert outgoing.trust.__wrapped__().cert_store_stats()["x509_ca"] > 50


def test_the_header_host_is_spelled_as_browsers_do() -> None:
    for url, host in {
        "https://shop.example/": "shop.example",
        "https://shop.example:8443/": "shop.example:8443",
        "http://[::1]/": "[::1]",
        "http://[::1]:81/": "[::1]:81",
    }.items():
        target: Target = target_of(url, production=False)
        assert target.named == host
