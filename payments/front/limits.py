"""How often one caller may call, and which other origins may. Counted in this process's memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Flask, Response, g, make_response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from werkzeug.exceptions import RequestEntityTooLarge

from payments.domain.errors import InvalidInput, NotFound, PaychimeError, UnsupportedMediaType
from payments.domain.strict_json import parse_object
from payments.front.request import for_programs, house, identity, refuse_foreign_write

SIGN_IN = "10/minute"
PROVE_THEMSELVES = frozenset(
    {"/api/v1/payment/momo/callback", "/api/payment/webhook", "/api/v1/auth/token"}
)
"""Under `/api/`, but resting on no cookie: a provider signs, a person gives the password."""


def limit(app: Flask, api: Sequence[Blueprint], api_rate: int) -> None:
    """`api_rate` a second by key or person; sign-in, and a password typed again, ten a minute.

    Staff and callbacks go free.
    """
    app.before_request(refuse_unreadable)
    limiter = Limiter(_caller, app=app, storage_uri="memory://")
    for calls in api:
        limiter.limit(f"{api_rate}/second", exempt_when=_is_staff)(calls)
    for view in ("web.login", "api.token"):
        sign_in: Any = app.view_functions[view]
        for counted in (_account, get_remote_address):
            one_door = limiter.shared_limit(SIGN_IN, "sign in", key_func=counted, methods=["POST"])
            sign_in = one_door(sign_in)
        app.view_functions[view] = sign_in
    for view in ("web.withdraw", "api.withdraw"):
        consent: Any = app.view_functions[view]
        for counted in (_caller, get_remote_address):
            one_door = limiter.shared_limit(
                *(SIGN_IN, "password"),
                key_func=counted,
                methods=["POST"],
                exempt_when=_without_password,
            )
            consent = one_door(consent)
        app.view_functions[view] = consent
    app.before_request(guard_api)
    app.after_request(allow_listed_origins)


def _caller() -> str:
    try:
        who = identity()
    except PaychimeError:
        return get_remote_address()
    return who.caller if who.kind in {"key", "person"} else get_remote_address()


def _is_staff() -> bool:
    try:
        return identity().staff
    except PaychimeError:
        return False


def _account() -> str:
    """The account that is tried; where none is named, nobody's is held up."""
    email = _said("email")
    if not isinstance(email, str):
        return f"no account:{get_remote_address()}"
    return f"account:{email.strip().lower()[:254]}"


def _without_password() -> bool:
    """What tries no password is not counted with those that do."""
    return not _said("password")


def _said(name: str) -> Any:
    """A field of the form, or of the JSON object; None where there is no such."""
    # Each limit asks anew: a long body is read once for all of them.
    if "said" not in g:
        g.said = _body()
    said: Mapping[str, Any] = g.said
    return said.get(name)


def _body() -> Mapping[str, Any]:
    if not request.is_json:
        return request.form
    try:
        return parse_object(request.get_data())
    except ValueError:
        return {}


def refuse_unreadable() -> None:
    """NUL is in no address and no form of ours, and PostgreSQL keeps none; nothing is unpacked."""
    if "\x00" in request.path:
        raise NotFound
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body as it is, not compressed.")
    if for_programs() and request.content_length is None:
        _refuse_overlong()
    # What programs send is read later, as bytes: a provider signed those.
    typed = request.args if for_programs() else request.values
    if any("\x00" in text for texts in typed.listvalues() for text in texts):
        raise InvalidInput("There is a NUL in it.", code="malformed")


def _refuse_overlong() -> None:
    """A body that comes in chunks is read up to the limit and no further: is there more of it?"""
    limit, body = request.max_content_length, request.get_data()
    if limit is not None and len(body) >= limit and request.environ["wsgi.input"].read(1):
        raise RequestEntityTooLarge


def guard_api() -> Response | None:
    """Answers preflights; a write that rests on a cookie alone needs an Origin of ours."""
    if not request.path.startswith("/api/"):
        return None
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return make_response("", 204)
    if request.path not in PROVE_THEMSELVES:
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
