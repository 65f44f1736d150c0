"""How often one caller may call, and which other origins may. Counted in this process's memory."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, make_response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from payments.domain.errors import PaychimeError
from payments.front.request import house, identity, refuse_foreign_write

SIGN_IN = "10/minute"
PROVIDERS_OWN = "/api/v1/payment/momo/callback"
"""Under `/api/`, but a provider's: it signs what it sends and has no Origin."""


def limit(app: Flask, api: Blueprint, api_rate: int) -> None:
    """`api_rate` a second by key or person, sign-in ten a minute. Staff and callbacks go free."""
    limiter = Limiter(_caller, app=app, storage_uri="memory://")
    limiter.limit(f"{api_rate}/second", exempt_when=_is_staff)(api)
    for view in ("web.login", "api.token"):
        by_account = limiter.limit(SIGN_IN, key_func=_account, methods=["POST"])
        by_address = limiter.limit(SIGN_IN, key_func=get_remote_address, methods=["POST"])
        app.view_functions[view] = by_address(by_account(app.view_functions[view]))
    app.before_request(guard_api)
    app.after_request(allow_listed_origins)


def _caller() -> str:
    try:
        who = identity()
    except PaychimeError:
        return get_remote_address()
    return who.actor if who.kind in {"key", "person"} else get_remote_address()


def _is_staff() -> bool:
    try:
        return identity().staff
    except PaychimeError:
        return False


def _account() -> str:
    body = request.get_json(silent=True) if request.is_json else request.form
    email = body.get("email") if hasattr(body, "get") else None
    return f"account:{email.strip().lower()[:254]}" if isinstance(email, str) else "account:"


def guard_api() -> Response | None:
    """Preflights are answered; a write that rests on a cookie alone needs an Origin that is ours."""
    if not request.path.startswith("/api/") or request.path == PROVIDERS_OWN:
        return None
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return make_response("", 204)
    refuse_foreign_write()
    return None


def allow_listed_origins(response: Response) -> Response:
    """CORS for the listed frontends, with credentials, under `/api/` and on no other path."""
    if not request.path.startswith("/api/"):
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "").lower()
    if origin not in house().settings.cors_origins:
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH, DELETE"
        allowed = "Authorization, Content-Type, Idempotency-Key"
        response.headers["Access-Control-Allow-Headers"] = allowed
        response.headers["Access-Control-Max-Age"] = "600"
    return response
