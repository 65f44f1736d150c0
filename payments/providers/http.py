"""Calls out: with a time limit, a bounded retry with jitter, and none after a permanent refusal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
import tenacity
from urllib3.exceptions import HTTPError, NewConnectionError, ReadTimeoutError

from payments.domain.errors import ProviderUnavailable
from payments.domain.strict_json import parse_object

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
MAX_ANSWER_BYTES = 1_000_000
PIECE_BYTES = 65_536
TRIES = 3
TOO_MANY = 429


@dataclass(frozen=True, slots=True)
class Reply:
    """A provider's JSON answer: its HTTP status is 2xx, or 4xx where it refuses."""

    status: int
    body: dict[str, Any]
    raw: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class _Passing(Exception):
    """May be different the next time."""


class _Unsure(Exception):
    """It may have been taken: asking how it stands is for `fetch`, not for a retry."""


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without this a `.netrc` on the machine would replace the Authorization header."""
    return request


def _never_left(error: Exception) -> bool:
    """Nobody listened there: nothing was sent."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), NewConnectionError)


def _content(answer: requests.Response, seconds: float) -> bytes:
    """The body, up to one byte too many. The limit of requests is for each piece, this for all.

    Raises _Unsure where it does not end in time.
    """
    deadline, content = time.monotonic() + seconds, b""
    while len(content) <= MAX_ANSWER_BYTES:
        piece = answer.raw.read1(PIECE_BYTES, decode_content=True)
        if not piece:
            break
        content += piece
        if time.monotonic() > deadline:
            raise _Unsure
    return content


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(_Passing),
    stop=tenacity.stop_after_attempt(TRIES),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
    reraise=True,
)
def _send(
    method: str,
    url: str,
    seconds: tuple[float, float],
    body: Any,
    headers: Mapping[str, str],
    again: bool,
) -> tuple[int, bytes]:
    try:
        answer = requests.request(
            method,
            url,
            json=body,
            headers=dict(headers),
            auth=_as_it_is,
            timeout=seconds,
            allow_redirects=False,
            stream=True,
        )
        with answer:
            content = _content(answer, seconds[1])
    except requests.ConnectTimeout as error:
        raise _Passing from error
    except (requests.Timeout, ReadTimeoutError) as error:
        raise _Unsure from error
    except (requests.RequestException, HTTPError, OSError) as error:
        raise (_Passing if again or _never_left(error) else _Unsure) from error
    if answer.status_code >= 500 or answer.status_code == TOO_MANY:
        raise _Passing if again else _Unsure
    return answer.status_code, content


def call_json(
    method: str,
    url: str,
    read_seconds: float = READ_SECONDS,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    *,
    again: bool = True,
    connect_seconds: float = CONNECT_SECONDS,
    tries: int = TRIES,
) -> Reply:
    """One call with a JSON body, where it has one. `again`: sent twice it is still one request.

    `connect_seconds` and `tries` are for a call that one can do without while a payer waits.

    Raises ProviderUnavailable; its words hold nothing of the request, where secrets could be. Its
    fact `sent` says that the provider may have taken the call all the same.
    """
    try:
        send = _send.retry_with(stop=tenacity.stop_after_attempt(tries))
        seconds = (connect_seconds, read_seconds)
        status, content = send(method, url, seconds, body, headers or {}, again)
        if 300 <= status < 400 or len(content) > MAX_ANSWER_BYTES:
            raise ValueError("sent elsewhere, or too long")
        return Reply(status, parse_object(content), content)
    except _Unsure:
        raise ProviderUnavailable("The provider did not answer in time.", sent=True) from None
    except _Passing:
        raise ProviderUnavailable("The provider cannot be reached.") from None
    except ValueError:
        raise ProviderUnavailable("The provider's answer makes no sense.", sent=True) from None
