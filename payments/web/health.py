"""For load balancers and Prometheus."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from payments import __version__
from payments.front.request import house
from payments.services import readings
from payments.services.figures import RESPONSES
from payments.store.db import db
from payments.web.blueprint import web


@web.get("/healthz")
def healthz() -> dict[str, str]:
    return {"status": "ok", "version": __version__}


@web.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    try:
        db.session.execute(text("SELECT 1"))
        database = "ok"
    except SQLAlchemyError:
        database = "away"
    return {
        "status": "ready" if database == "ok" else "unavailable",
        "database": database,
        "queue": "ok" if house().queue.healthy() else "degraded",
        "sandbox": house().settings.sandbox,
        "version": __version__,
    }, 200 if database == "ok" else 503


@web.get("/metrics")
def metrics() -> Response:
    readings.take(house().rails, house().queue)
    return Response(generate_latest(), content_type=CONTENT_TYPE_LATEST)


@web.after_app_request
def count(response: Response) -> Response:
    """By the name of who answered: an address is a stranger's, and there is no end of them."""
    RESPONSES.labels(request.endpoint or "none", response.status_code).inc()
    return response
