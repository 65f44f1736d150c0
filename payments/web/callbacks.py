"""Where providers call. The raw bytes go to one service; nothing slow stands before the answer."""

from __future__ import annotations

from flask import Response, request

from payments.front.request import house
from payments.services.callbacks import receive
from payments.web.blueprint import web


@web.post("/callbacks/<provider>")
def callback(provider: str) -> Response:
    return _receive(provider)


@web.post("/api/v1/payment/momo/callback")
def momo_callback() -> Response:
    """The address that an existing wallet backend has registered with MoMo."""
    return _receive("momo")


@web.post("/webhook/payment")
def payment_webhook() -> Response:
    return _receive("generic")


def _receive(provider: str) -> Response:
    # get_data raises 413 over MAX_CONTENT_LENGTH, for a chunked body too, before it is kept.
    body = request.get_data(cache=False)
    answer = receive(house().rails, provider, dict(request.headers.items()), body)
    return Response(
        answer.body, answer.status, content_type=answer.content_type if answer.body else None
    )
