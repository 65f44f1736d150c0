"""Calls out, against a real server: bounded in time, tries and size, and quiet about secrets."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from flask import Flask, Response, request

from payments.domain.errors import ProviderUnavailable
from payments.providers import http
from payments.providers.http import MAX_ANSWER_BYTES, TRIES, call_json
from tests.sandbox.world import served
from tests.servers import free_port

SECRET = "a-secret-that-nobody-may-read"
GOOD = '{"good": true}'

Answer = Response | Callable[[], Response] | None
"""None: none, until the test is over."""

PATIENCE_SECONDS = 20
"""How late an answer is that nobody should wait for."""


@dataclass
class Theirs:
    """The provider: what it answers, one after the other, then `GOOD`; what it has heard."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    heard_at: list[float] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def theirs() -> Iterator[Theirs]:
    provider, app = Theirs(), Flask(__name__)

    @app.route("/<path:path>", methods=["GET", "POST"])
    def answer(path: str) -> Response:
        provider.heard.append(request.get_data(as_text=True))
        provider.heard_at.append(time.monotonic())
        provider.headers.append(dict(request.headers))
        given = provider.answers.pop(0) if provider.answers else good()
        if given is None:
            provider.over.wait(PATIENCE_SECONDS)
            return good()
        return given if isinstance(given, Response) else given()

    with served(app) as provider.url:
        yield provider
        provider.over.set()


def good() -> Response:
    return Response(GOOD, content_type="application/json")


def status(code: int, body: str = GOOD) -> Response:
    return Response(body, code, content_type="application/json")


def test_a_call_goes_out_once_and_its_answer_comes_back(theirs: Theirs) -> None:
    reply = call_json("POST", f"{theirs.url}/pay", body={"a": 1}, headers={"X-Key": "k"})
    assert (reply.status, reply.ok, reply.body, reply.raw) == (
        *(200, True, {"good": True}),
        GOOD.encode(),
    )
    assert theirs.heard == ['{"a": 1}']
    assert theirs.headers[0]["X-Key"] == "k"
    assert theirs.headers[0]["Content-Type"] == "application/json"


@pytest.mark.parametrize("code", [400, 401, 403, 404, 409, 422])
def test_a_refusal_comes_back_to_be_read_and_is_not_tried_again(theirs: Theirs, code: int) -> None:
    theirs.answers = [status(code, '{"message": "no"}')]
    reply = call_json("POST", f"{theirs.url}/pay")
    assert (reply.status, reply.ok, reply.body) == (code, False, {"message": "no"})
    assert len(theirs.heard) == 1


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_after_a_pause(theirs: Theirs, code: int) -> None:
    theirs.answers = [status(code), status(code)]
    assert call_json("POST", f"{theirs.url}/pay").ok
    assert len(theirs.heard) == 3


def test_there_is_an_end_to_trying(theirs: Theirs) -> None:
    theirs.answers = [status(503) for _ in range(10)]
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        call_json("POST", f"{theirs.url}/pay")
    assert len(theirs.heard) == TRIES
    assert time.monotonic() - began < 10


def test_two_shops_that_failed_together_do_not_come_back_together(theirs: Theirs) -> None:
    pauses = set()
    for _ in range(5):
        theirs.answers, theirs.heard_at = [status(503)], []
        call_json("GET", f"{theirs.url}/pay")
        first, second = theirs.heard_at
        pauses.add(round(second - first, 3))
    assert len(pauses) > 1


@pytest.mark.parametrize("code", [429, 500, 503])
def test_what_would_be_two_payments_is_never_sent_twice(theirs: Theirs, code: int) -> None:
    theirs.answers = [status(code)]
    with pytest.raises(ProviderUnavailable):
        call_json("POST", f"{theirs.url}/withdraw", again=False)
    assert len(theirs.heard) == 1


@pytest.mark.parametrize("again", [True, False])
def test_a_provider_that_says_nothing_in_time_is_not_asked_twice(
    theirs: Theirs, again: bool
) -> None:
    """It may have taken the call: how it stands is another question."""
    theirs.answers = [None]
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        call_json("POST", f"{theirs.url}/pay", 0.3, again=again)
    assert time.monotonic() - began < PATIENCE_SECONDS, "it waited for the answer"
    assert len(theirs.heard) == 1


def dripping(pause: float, pieces: int, until: threading.Event) -> Callable[[], Response]:
    def drops() -> Iterator[bytes]:
        yield b'{"good": true'
        for _ in range(pieces):
            until.wait(pause)
            yield b" "
        yield b"}"

    return lambda: Response(drops(), content_type="application/json")


def test_an_answer_that_drips_is_given_up_at_the_limit_of_the_whole(theirs: Theirs) -> None:
    theirs.answers = [dripping(0.1, 10 * PATIENCE_SECONDS, theirs.over)]
    began = time.monotonic()
    with pytest.raises(ProviderUnavailable):
        call_json("GET", f"{theirs.url}/pay", 0.5)
    assert time.monotonic() - began < PATIENCE_SECONDS, "it waited for the last drop"
    assert len(theirs.heard) == 1


def test_an_answer_in_pieces_is_put_together(theirs: Theirs) -> None:
    theirs.answers = [dripping(0.02, 4, theirs.over)]
    assert call_json("GET", f"{theirs.url}/pay", 5).body == {"good": True}


def test_nobody_listens(theirs: Theirs) -> None:
    began = time.monotonic()
    for again in (True, False):
        with pytest.raises(ProviderUnavailable):
            call_json("POST", f"http://127.0.0.1:{free_port()}/pay", again=again)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("again", [True, False])
def test_a_connection_that_breaks_in_the_middle(again: bool) -> None:
    """Half an answer, and the line is dead: an error of ours, never one of the library's."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        door.settimeout(20)
        calls = 0

        def serve() -> None:
            nonlocal calls
            while True:
                try:
                    line, _ = door.accept()
                except OSError:
                    return
                calls += 1
                with line:
                    line.recv(65_536)
                    line.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"a": 1')

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(ProviderUnavailable):
            call_json("POST", f"http://127.0.0.1:{door.getsockname()[1]}/pay", 2, again=again)
        assert calls == (TRIES if again else 1)
        door.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_provider_that_sends_us_elsewhere_is_not_followed(theirs: Theirs, code: int) -> None:
    theirs.answers = [Response(GOOD, code, {"Location": f"{theirs.url}/elsewhere"})]
    with pytest.raises(ProviderUnavailable):
        call_json("POST", f"{theirs.url}/pay", headers={"Authorization": SECRET})
    assert len(theirs.heard) == 1


@pytest.mark.parametrize(
    "body",
    [
        *("", "<html>", "[]", "null", "7", '"x"', "{", '{"a": NaN}', '{"a": 1, "a": 2}'),
        *('{"a": "\\ud800"}', "[" * 30_000, '{"a":' * 30_000),
    ],
    ids=lambda body: body[:12],
)
def test_an_answer_that_makes_no_sense(theirs: Theirs, body: str) -> None:
    theirs.answers = [Response(body, content_type="application/json")]
    with pytest.raises(ProviderUnavailable) as refused:
        call_json("GET", f"{theirs.url}/pay")
    assert body not in refused.value.message or not body


def test_an_answer_of_more_than_a_megabyte_is_not_read_to_its_end(theirs: Theirs) -> None:
    sent = 0

    def flood() -> Iterator[bytes]:
        nonlocal sent
        yield GOOD.encode()
        for _ in range(2_000):
            sent += 1
            yield b" " * 65_536

    theirs.answers = [Response(flood(), content_type="application/json")]
    with pytest.raises(ProviderUnavailable):
        call_json("GET", f"{theirs.url}/pay")
    assert sent < 500


def test_a_small_answer_that_unpacks_to_a_large_one_is_refused(theirs: Theirs) -> None:
    packed = gzip.compress(b'{"a": "' + b"x" * 50_000_000 + b'"}')
    theirs.answers = [Response(packed, headers={"Content-Encoding": "gzip"})]
    with pytest.raises(ProviderUnavailable):
        call_json("GET", f"{theirs.url}/pay")


def test_an_answer_of_just_a_megabyte_is_read(theirs: Theirs) -> None:
    theirs.answers = [Response(GOOD.ljust(MAX_ANSWER_BYTES))]
    assert call_json("GET", f"{theirs.url}/pay").ok


def test_an_answer_may_be_packed_and_its_packing_broken(theirs: Theirs) -> None:
    packed = {"Content-Encoding": "gzip"}
    theirs.answers = [Response(gzip.compress(GOOD.encode()), headers=packed)]
    assert call_json("GET", f"{theirs.url}/pay").body == {"good": True}
    theirs.answers = [Response(b"no gzip at all", headers=packed) for _ in range(TRIES)]
    with pytest.raises(ProviderUnavailable):
        call_json("GET", f"{theirs.url}/pay")


def test_secrets_stand_in_no_message_and_no_log(
    theirs: Theirs, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    away = [status(500), status(500)]
    firsts = (None, status(503), status(302), Response(f"<b>{SECRET}"), status(500))
    for first in firsts:
        theirs.answers = [first, *away]
        with pytest.raises(ProviderUnavailable) as refused:
            call_json(
                "POST",
                f"{theirs.url}/pay",
                0.3,
                {"token": SECRET},
                {"Authorization": f"Bearer {SECRET}"},
            )
        shown = f"{refused.value!r} {refused.value} {refused.value.message} {refused.value.facts}"
        assert SECRET not in shown
        assert refused.value.__suppress_context__, "a traceback would show what lies beneath"
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capfd.readouterr())


def test_a_netrc_of_the_machine_does_not_replace_our_login(
    theirs: Theirs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    call_json("GET", f"{theirs.url}/pay", headers={"Authorization": f"Token {SECRET}"})
    assert theirs.headers[0]["Authorization"] == f"Token {SECRET}"


def test_the_limits_are_what_they_are_said_to_be() -> None:
    """Somebody who waits for a page waits for this."""
    assert (http.CONNECT_SECONDS, http.READ_SECONDS) == (5.0, 15.0)
    assert (MAX_ANSWER_BYTES, TRIES) == (1_000_000, 3)


@pytest.mark.parametrize(
    "first",
    [None, status(503), status(302), Response("<html>")],
    ids=["late", "503", "302", "html"],
)
def test_who_must_not_send_twice_learns_whether_it_may_have_been_taken(
    theirs: Theirs, first: Answer
) -> None:
    theirs.answers = [first]
    with pytest.raises(ProviderUnavailable) as refused:
        call_json("POST", f"{theirs.url}/withdraw", 0.3, again=False)
    assert refused.value.facts.get("sent") is True


def test_where_nobody_listens_nothing_was_taken() -> None:
    with pytest.raises(ProviderUnavailable) as refused:
        call_json("POST", f"http://127.0.0.1:{free_port()}/withdraw", again=False)
    assert not refused.value.facts.get("sent")


def test_a_call_that_one_can_do_without_is_tried_once(theirs: Theirs) -> None:
    theirs.answers = [status(503), status(503)]
    with pytest.raises(ProviderUnavailable):
        call_json("POST", f"{theirs.url}/extra", tries=1)
    assert len(theirs.heard) == 1
