"""What all pretended providers' pages share: their tools, headers, words for money and time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Flask, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from .chance import Chance
from .courier import Courier
from .store import Store

POLICY = (
    "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; form-action "
)
# A browser applies form-action to the whole chain of redirects after a form, and the chain of a
# hosted page leads to the shop and on to wherever the shop's customer came from.
ANYWHERE = "'self' http: https:"


@dataclass(frozen=True)
class Kit:
    """What a pretended provider is given. `public_url` has no slash at its end."""

    store: Store
    courier: Courier
    chance: Chance
    public_url: str
    knobs: Mapping[str, Any]


def add_manners(app: Flask) -> None:
    """Headers on every answer, and errors in the form that the caller reads."""
    app.add_template_filter(dong)
    app.add_template_filter(clock)
    app.add_template_filter(iso)
    app.register_error_handler(HTTPException, told_error)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", f"{POLICY}'self'")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def wants_json() -> bool:
    """The caller prefers JSON, or sent it."""
    taken = request.accept_mimetypes
    return taken["application/json"] > taken["text/html"] or request.is_json


def wants_page() -> bool:
    """The caller is a browser: scripts take HTML and JSON alike."""
    taken = request.accept_mimetypes
    return taken["text/html"] > taken["application/json"]


def told_error(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if not wants_page():
        return {"error": error.description}, code
    return render_template("error.html", code=code, name=error.name, words=error.description), code


def refreshing(page: str, seconds: int | None) -> Response:
    """Shows itself again after `seconds`, without a script."""
    response = make_response(page)
    if seconds is not None:
        response.headers["Refresh"] = str(seconds)
    return response


def leading_out(page: str) -> Response:
    """A page whose form may end at another host."""
    response = make_response(page)
    response.headers["Content-Security-Policy"] = POLICY + ANYWHERE
    return response


def posting_out(page: str) -> Response:
    """A page that sends its form to another host by itself; without scripts, by its button."""
    response = leading_out(page)
    policy = response.headers["Content-Security-Policy"]
    opened = policy.replace("script-src 'none'", "script-src 'self'")
    response.headers["Content-Security-Policy"] = opened
    return response


def dong(amount: int) -> str:
    """VND has no minor unit."""
    return f"{amount:,} ₫"


def clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S")


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
