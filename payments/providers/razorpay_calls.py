"""Calls to Razorpay with the shop's key, by HTTP Basic, and what its refusals mean."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from payments.domain.errors import ProviderRefused, ProviderUnavailable
from payments.providers.http import Reply, call_json
from payments.providers.razorpay_events import failure
from payments.settings.rails import RazorpaySettings

UNAUTHORIZED, IN_PROGRESS = 401, 409


class Calls:
    def __init__(self, razorpay: RazorpaySettings) -> None:
        self._razorpay = razorpay

    @property
    def key_id(self) -> str:
        """Public: a browser shows it to Razorpay's own page."""
        return self._razorpay.key_id

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> Reply:
        """One call, which Razorpay may refuse. Raises ProviderUnavailable."""
        known = f"{self._razorpay.key_id}:{self._razorpay.key_secret}"
        basic = {"Authorization": f"Basic {base64.b64encode(known.encode()).decode()}"}
        url = f"{self._razorpay.api_url}{path}"
        reply = call_json(method, url, body=body, headers={**basic, **(headers or {})}, again=again)
        if reply.status == UNAUTHORIZED:
            raise ProviderUnavailable("Razorpay does not take our key.")
        return reply

    def get(self, path: str) -> Reply:
        """Raises ProviderRefused and ProviderUnavailable."""
        reply = self.ask("GET", path)
        if not reply.ok:
            raise refusal(reply)
        return reply


def id_of(said: object, prefix: str) -> str:
    """Razorpay's own id of something, which goes into addresses that we ask later."""
    if not isinstance(said, str) or not said.startswith(prefix):
        raise ProviderUnavailable("The provider's answer makes no sense.")
    if not said.removeprefix(prefix).isalnum() or not said.isascii() or len(said) > 64:
        raise ProviderUnavailable("The provider's answer makes no sense.")
    return said


def refusal(reply: Reply, code: str = "unknown") -> ProviderRefused | ProviderUnavailable:
    """Final where the same request would be refused again. Its description stays out of our log."""
    if reply.status == IN_PROGRESS:
        return ProviderUnavailable("Razorpay is still at work on the same request.")
    error = reply.body.get("error")
    told = error if isinstance(error, dict) else {}
    why = failure(told)
    if why == "unknown":
        why = "invalid_amount" if code == "unknown" and told.get("field") == "amount" else code
    return ProviderRefused(f"Razorpay does not take this ({reply.status}).", code=why)
