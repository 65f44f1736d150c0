"""Calls out: with a time limit, a bounded retry with jitter, and none after a permanent refusal."""

from __future__ import annotations

from typing import Any

import requests
import tenacity

from payments.domain.errors import ProviderUnavailable
from payments.domain.strict_json import parse_object

CONNECT_SECONDS = 5.0
MAX_ANSWER_BYTES = 1_000_000


class _Passing(Exception):
    """May be different the next time."""


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(_Passing),
    stop=tenacity.stop_after_attempt(3),
    wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
    reraise=True,
)
def _post(url: str, body: dict[str, Any], read_seconds: float) -> tuple[int, bytes]:
    try:
        answer = requests.post(
            url,
            json=body,
            timeout=(CONNECT_SECONDS, read_seconds),
            allow_redirects=False,
            stream=True,
        )
        with answer:
            content = answer.raw.read(MAX_ANSWER_BYTES + 1, decode_content=True)
    except requests.ReadTimeout as error:
        # It may have been taken: asking again is for `fetch`, not for a retry.
        raise ProviderUnavailable("The provider did not answer in time.") from error
    except (requests.RequestException, OSError) as error:
        raise _Passing from error
    if answer.status_code >= 500:
        raise _Passing
    return answer.status_code, content


def post_json(url: str, body: dict[str, Any], read_seconds: float) -> tuple[dict[str, Any], bytes]:
    """The provider's JSON answer and its bytes, whatever its HTTP status below 500.

    Raises ProviderUnavailable; its words hold nothing of the request, where secrets could be.
    """
    try:
        _, content = _post(url, body, read_seconds)
        return parse_object(content), content
    except _Passing as error:
        raise ProviderUnavailable("The provider cannot be reached.") from error
    except ValueError as error:
        raise ProviderUnavailable("The provider's answer makes no sense.") from error
