"""Reads a call's JSON, and answers the same Idempotency-Key with the same answer."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import Response, make_response, request
from pydantic import BaseModel, ValidationError

from payments.domain.errors import (
    Conflict,
    IdempotencyMismatch,
    InvalidInput,
    PaychimeError,
    UnsupportedMediaType,
)
from payments.domain.strict_json import parse_object
from payments.front.problems import problem_of, status_of
from payments.front.request import house, identity
from payments.store import idempotency
from payments.store.db import Unknown, in_transaction

M = TypeVar("M", bound=BaseModel)
View = Callable[..., Any]

MAX_LIMIT = 100


def read(model: type[M]) -> M:
    """The body as `model`. Raises InvalidInput naming the field; 415 where it is not JSON."""
    data = request.get_data(cache=True)
    if data and request.mimetype != "application/json":
        raise UnsupportedMediaType("Send application/json.")
    try:
        return model.model_validate(parse_object(data or b"{}"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(first["msg"], code=_code(field), field=field) from error
    except (ValueError, UnicodeError) as error:
        raise InvalidInput("The body is not a sane JSON object.", code="malformed") from error


def version_asked() -> int | None:
    """`?after=`: the version that a page shows. Raises InvalidInput."""
    after = request.args.get("after")
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise InvalidInput("after is a version.", code="invalid_after", field="after")
    return None if after is None else int(after)


def limit_asked() -> int:
    """`?limit=` of a list. Raises InvalidInput."""
    text = request.args.get("limit", "50")
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 0 < int(text) <= MAX_LIMIT:
        raise InvalidInput(f"limit is from 1 to {MAX_LIMIT}.", code="invalid_limit", field="limit")
    return int(text)


def _code(field: str) -> str:
    return {"amount": "invalid_amount", "currency": "unknown_currency"}.get(
        field, f"invalid_{field.replace('.', '_')}" if field else "invalid"
    )


def idempotent(view: View) -> View:
    """Scoped by caller: same key and body, same answer; other body, 422; not ended, 409."""

    @wraps(view)
    def once(**path: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        # Nobody is told to say who they are, and could only fill the table.
        if key is None or identity().nobody:
            return make_response(view(**path))
        if not 0 < len(key) <= 200 or not key.isprintable():
            raise InvalidInput("An Idempotency-Key takes 1 to 200 characters.", code="invalid_key")
        caller, digests = _caller(), _digests()
        kept = in_transaction(lambda: idempotency.begin(caller, key, digests[0]))
        if kept is None:
            return _run(caller, key, view, path)
        if kept.digest not in digests:
            raise IdempotencyMismatch("This Idempotency-Key came with another request.")
        if kept.cut_off:
            raise Conflict(
                "The server ended in the middle of the first request. Look what it has done, then "
                "ask with another Idempotency-Key.",
                code="outcome_unknown",
            )
        if kept.status is None or kept.body is None:
            raise Conflict("The first request is still running.", code="still_running")
        return _again(kept.status, kept.body)

    return once


def _digests() -> list[str]:
    """Of path and body, by each secret in force: a password in it cannot be guessed from them."""
    whole = request.full_path.encode() + b"\0" + request.get_data()
    keys = house().settings.secret_keys
    return [hmac.new(key.encode(), whole, hashlib.sha256).hexdigest() for key in keys]


def _caller() -> str:
    who = identity()
    if who.kind in {"key", "person"}:
        return who.caller
    return "browser:" + hashlib.sha256(",".join(sorted(who.order_ids)).encode()).hexdigest()


def _run(caller: str, key: str, view: View, path: dict[str, Any]) -> Response:
    try:
        response = make_response(view(**path))
    except PaychimeError as error:
        if status_of(error) >= 500:
            in_transaction(lambda: idempotency.forget(caller, key))
            raise
        response = problem_of(error)
    except Unknown:
        # It may have been done: the key stays taken, so that nobody does it again by accident.
        raise
    except BaseException:
        in_transaction(lambda: idempotency.forget(caller, key))
        raise
    status, body = response.status_code, response.get_data(as_text=True)
    in_transaction(lambda: idempotency.finish(caller, key, status, body))
    return response


def _again(status: int, body: str) -> Response:
    kind = "application/problem+json" if status >= 400 else "application/json"
    response = Response(body, status, content_type=kind)
    response.headers["Idempotent-Replayed"] = "true"
    return response
