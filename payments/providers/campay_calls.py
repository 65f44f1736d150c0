"""Calls to CamPay with the shop's token: the permanent one, or one that a login is given."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from payments.domain.errors import ProviderUnavailable
from payments.providers.http import READ_SECONDS, TRIES, Reply, call_json
from payments.settings.rails import CampaySettings

RENEW_SECONDS = 60.0
"""So long before a token's end a new one is asked for."""


@dataclass(frozen=True, slots=True)
class Login:
    """A token that is good until `until` by the monotonic clock."""

    token: str
    until: float


class Calls:
    """Keeps the token of a login between calls; two that sign in at once do no harm."""

    def __init__(self, campay: CampaySettings) -> None:
        self._campay = campay
        self._login: Login | None = None

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        seconds: float = READ_SECONDS,
        *,
        again: bool = True,
        tries: int = TRIES,
    ) -> Reply:
        """One call; once more with a new token where CamPay no longer takes a login's.

        Whoever is told 401 has asked for nothing. Raises ProviderUnavailable.
        """

        def ask() -> Reply:
            headers = {"Authorization": f"Token {self._token()}"}
            url = f"{self._campay.api_url}{path}"
            return call_json(method, url, seconds, body, headers, again=again, tries=tries)

        reply = ask()
        if reply.status == 401 and self._login is not None:
            self._login = None
            reply = ask()
        if reply.status == 401:
            raise ProviderUnavailable("CamPay does not take our token.")
        return reply

    def _token(self) -> str:
        if self._campay.access_token is not None:
            return self._campay.access_token
        login = self._login
        if login is None or time.monotonic() >= login.until:
            login = self._login = self._signed_in()
        return login.token

    def _signed_in(self) -> Login:
        named = {"username": self._campay.username, "password": self._campay.password}
        asked_at = time.monotonic()
        try:
            reply = call_json("POST", f"{self._campay.api_url}/token/", body=named)
        except ProviderUnavailable as away:
            # Without its fact `sent`: what the token was for has not been asked.
            raise ProviderUnavailable(away.message) from None
        token, seconds = reply.body.get("token"), reply.body.get("expires_in")
        if not reply.ok or not isinstance(token, str) or not token.isascii():
            raise ProviderUnavailable("CamPay does not take our login.")
        life = float(seconds) if isinstance(seconds, int | float) else 0.0
        return Login(token, asked_at + life - RENEW_SECONDS)
