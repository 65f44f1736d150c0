"""OpenAPI 3.1 from the schemas that check the bodies, and a page to read it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import Blueprint, render_template
from pydantic import BaseModel

from payments import __version__
from payments.api import schemas as s
from payments.api.operations import OPERATIONS, Operation

docs = Blueprint("docs", __name__, url_prefix="/api")


@cache
def document() -> dict[str, Any]:
    # Imported by who asks for it: a server would need longer to begin, and few are ever asked.
    from openapi_pydantic import OpenAPI
    from openapi_pydantic.util import construct_open_api_with_schema_class

    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = _operation(one)
    api = OpenAPI.model_validate(
        {
            "info": {"title": "Paychime", "version": __version__},
            "paths": paths,
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"bearer": []}],
        }
    )
    whole = construct_open_api_with_schema_class(api)
    return whole.model_dump(by_alias=True, exclude_none=True, mode="json")


def _operation(one: Operation) -> dict[str, Any]:
    answers = {
        str(status): {"description": "done", "content": _content("application/json", model)}
        for status, model in one.answers.items()
    }
    answers["default"] = {
        "description": "refused",
        "content": _content("application/problem+json", s.Problem),
    }
    operation: dict[str, Any] = {
        "summary": one.summary,
        "responses": answers,
        "parameters": list(_parameters(one)),
    }
    if one.open_to_all:
        operation["security"] = []
    if one.body:
        operation["requestBody"] = {
            "required": True,
            "content": _content("application/json", one.body),
        }
    return operation


def _parameters(one: Operation) -> Iterator[dict[str, Any]]:
    for part in one.path.split("/"):
        if part.startswith("{"):
            yield _parameter(part[1:-1], "path", required=True)
    for name in one.asks:
        kind = "integer" if name in {"limit", "after"} else "string"
        yield _parameter(name, "query", kind)
    if one.method != "get" and not one.open_to_all:
        yield _parameter("Idempotency-Key", "header")


def _parameter(
    name: str, place: str, kind: str = "string", *, required: bool = False
) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": {"type": kind}}


def _content(kind: str, model: type[BaseModel]) -> dict[str, Any]:
    from openapi_pydantic.util import PydanticSchema

    return {kind: {"schema": PydanticSchema.model_validate({"schema_class": model})}}


@docs.get("/openapi.json")
def openapi() -> dict[str, Any]:
    return document()


@docs.get("/docs")
def page() -> str:
    return render_template("api_docs.html", document=document())
