"""Razorpay's API on the web, under /razorpay/v1, behind HTTP Basic."""

import hmac
from collections.abc import Callable

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import RequestEntityTooLarge

from . import check
from .gateway import Gateway
from .told import Entity
from .wire import Refused


def add_api(paths: Blueprint, gateway: Gateway) -> None:
    def route(method: str, path: str, name: str, work: Callable[..., Entity]) -> None:
        def view(**parts: str) -> ResponseReturnValue:
            try:
                prove(gateway)
                return work(**parts)
            except RequestEntityTooLarge:
                refusal = Refused("The request body is too large.", status=413)
            except Refused as refused:
                refusal = refused
            return refusal.body, refusal.status

        paths.add_url_rule(f"/v1{path}", name, view, methods=[method])

    def said() -> dict[str, object]:
        return check.read_json(request.get_data())

    code, link = "/payments/qr_codes", "/payment_links"
    route("POST", code, "create_code", lambda: gateway.create_code(said()))
    route("GET", f"{code}/<one>", "code", lambda one: gateway.show_ask(one, "qr_code"))
    route("GET", f"{code}/<one>/payments", "code_payments", lambda one: gateway.paid_by_code(one))
    route("POST", f"{code}/<one>/close", "close_code", lambda one: gateway.close_code(one))
    route("POST", link, "create_link", lambda: gateway.create_link(said()))
    route("GET", f"{link}/<one>", "link", lambda one: gateway.show_ask(one, "payment_link"))
    route("POST", "/orders", "create_order", lambda: gateway.create_order(said()))
    route("GET", "/orders/<one>", "order", lambda one: gateway.show_order(one))
    route("GET", "/orders/<one>/payments", "order_payments", lambda one: gateway.paid_by_order(one))
    route("GET", "/payments/<one>", "payment", lambda one: gateway.show_payment(one))
    route(
        *("POST", "/payments/<one>/refund", "refund"),
        lambda one: gateway.refund(one, said(), request.headers.get("X-Refund-Idempotency")),
    )
    route(
        *("GET", "/payments/<one>/refunds/<back>", "payment_refund"),
        lambda one, back: gateway.show_refund(back, one),
    )
    route("GET", "/refunds/<back>", "show_refund", lambda back: gateway.show_refund(back))


def prove(gateway: Gateway) -> None:
    """The caller knows the key and its secret."""
    given = request.authorization
    known = (gateway.keys.key_id, gateway.keys.key_secret)
    named = (given.username or "", given.password or "") if given else ("", "")
    if not all(
        hmac.compare_digest(one.encode(), other.encode())
        for one, other in zip(known, named, strict=True)
    ):
        raise Refused("Authentication failed", status=401)
