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


@web.route("/callbacks/campay", methods=["GET", "POST"])
@web.route("/api/payment/webhook", methods=["GET", "POST"])
def campay_callback() -> Response:
    """CamPay calls as its dashboard is told: by GET the fields stand in the address.

    The second address is the one that an existing tracking backend has registered.
    """
    return _receive("campay", in_address=not request.get_data())


@web.post("/webhook/payment")
def payment_webhook() -> Response:
    return _receive("generic")


def _receive(provider: str, *, in_address: bool = False) -> Response:
    # get_data raises 413 over MAX_CONTENT_LENGTH, for a chunked body too, before it is kept.
    body = request.get_data(cache=False)
    headers = dict(request.headers.items())
    if in_address:
        body = request.query_string
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    answer = receive(house().rails, provider, headers, body)
    return Response(
        answer.body, answer.status, content_type=answer.content_type if answer.body else None
    )
