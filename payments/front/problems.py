"""`ERRORS`: the status of every domain error. The same table serves the API and the pages."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, json

from payments.domain.errors import (
    BadCallback,
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    InvalidInput,
    NotFound,
    PaychimeError,
    ProviderRefused,
    ProviderUnavailable,
    Unauthenticated,
    UnsupportedMediaType,
)
from payments.store.db import Busy

ERRORS: dict[type[Exception], int] = {
    InvalidInput: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    UnsupportedMediaType: 415,
    IdempotencyMismatch: 422,
    ProviderRefused: 422,
    ProviderUnavailable: 502,
    Busy: 503,
}


def status_of(error: Exception) -> int:
    """The status of the nearest class in the table; a callback's refusal carries its own."""
    if isinstance(error, BadCallback):
        return error.status
    for kind in type(error).__mro__:
        if kind in ERRORS:
            return ERRORS[kind]
    return 500


def problem(status: int, code: str, detail: str, field: str | None = None) -> Response:
    """RFC 9457, with our stable `code`."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field:
        body["field"] = field
    response = Response(json.dumps(body), status, content_type="application/problem+json")
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def problem_of(error: Exception) -> Response:
    status = status_of(error)
    if isinstance(error, PaychimeError):
        return problem(status, error.code, error.message, error.field)
    if isinstance(error, Busy):
        response = problem(status, "busy", "The database is busy; try again.")
        response.headers["Retry-After"] = "1"
        return response
    return problem(status, "bad_callback", str(error))
