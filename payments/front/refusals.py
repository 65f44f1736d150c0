"""A refusal or a fault: problem+json for programs, a page of the house for people."""

from __future__ import annotations

import secrets
from http import HTTPStatus

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from payments.domain.errors import BadCallback, PaychimeError
from payments.front.problems import problem, problem_of, status_of
from payments.front.request import for_programs, identity
from payments.front.words import refusal_words
from payments.services.access import NOBODY
from payments.store.db import Busy

log = structlog.get_logger()


def explain(app: Flask) -> None:
    """Registers the handlers: nobody ever sees a traceback."""
    for kind in (PaychimeError, BadCallback, Busy):
        app.register_error_handler(kind, _refused)
    for away in (OperationalError, InterfaceError, PoolTimeout):
        app.register_error_handler(away, _database_away)
    for broken in (CSRFError, HTTPException):
        app.register_error_handler(broken, _http_error)
    app.register_error_handler(Exception, _crashed)


def _refused(error: Exception) -> Response:
    if for_programs():
        return problem_of(error)
    return _page(
        status_of(error), refusal_words(error) if isinstance(error, PaychimeError) else None
    )


def _http_error(error: HTTPException) -> Response:
    if error.response is not None:
        return make_response(error.response)
    status = error.code or 500
    wait = error.limit.limit.get_expiry() if isinstance(error, RateLimitExceeded) else None
    if for_programs():
        code = HTTPStatus(status).phrase.lower().replace(" ", "_")
        answer = problem(status, code, str(error.description or ""))
    else:
        answer = _page(status, _wait_words(wait) if wait else None)
    for name, value in error.get_headers():
        if name.lower() in {"retry-after", "allow"}:
            answer.headers[name] = value
    if wait:
        answer.headers["Retry-After"] = str(wait)
    return answer


def _wait_words(seconds: int) -> str:
    return str(
        ngettext(
            "Please wait %(num)s second and try again.",
            "Please wait %(num)s seconds and try again.",
            seconds,
        )
    )


def _database_away(error: Exception) -> Response:
    log.error("database away", error=type(error).__name__)
    if for_programs():
        answer = problem(503, "database_away", "The database is away; try again.")
        answer.headers["Retry-After"] = "1"
        return answer
    return _page(503)


def _crashed(error: Exception) -> Response:
    """A fault of ours: words and a reference for people, the trace in the log alone."""
    reference = secrets.token_hex(6)
    log.exception("crashed", reference=reference, path=request.path)
    if for_programs():
        return problem(500, "internal", f"Something broke here. Reference: {reference}")
    return _page(500, reference=reference)


def _known_or_nobody(status: int) -> None:
    """Who looks at a refusal keeps their language and their way out, if that can be known."""
    try:
        if status < 500:
            identity()
            return
    except (PaychimeError, SQLAlchemyError):
        pass
    # A fault's page must not ask the database: it may be the database that is away.
    g.identity, g._login_user = NOBODY, None


def _page(status: int, text: str | None = None, reference: str | None = None) -> Response:
    _known_or_nobody(status)
    titles = {
        401: _("Please sign in"),
        403: _("This is not allowed"),
        404: _("There is nothing here"),
        410: _("This link has run out"),
        413: _("That was too large"),
        429: _("Too many tries"),
        503: _("One moment, please"),
    }
    texts = {
        400: _("The page was open for too long. Go back, load it again, and try once more."),
        404: _("There is no such page, or it is not yours. Open it by the link you were given."),
        410: _("Ask the shop for a new link."),
        429: _("Please wait a minute and try again."),
        503: _("We cannot reach our records just now. Nothing is lost; please try again."),
    }
    body = render_template(
        "error.html",
        code=status,
        title=titles.get(status, _("This did not work")),
        text=(texts.get(status) if status == 404 else text)
        or texts.get(status, _("Please try again.")),
        reference=reference,
    )
    return make_response(body, status)
