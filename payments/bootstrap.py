"""The one place that knows everybody: settings, database, rails, blueprints, sockets, sandbox."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import structlog
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import Migrate
from flask_wtf import CSRFProtect
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from payments.api import api
from payments.api.docs import docs
from payments.cli import register_commands
from payments.front import limits, pages, refusals
from payments.front.request import House, identity_by_cookie
from payments.providers.registry import Rails
from payments.queue import open_queue
from payments.realtime import make_socketio, register
from payments.services.access import Identity, Tokens
from payments.settings import ROOT, Settings, load
from payments.staff import staff
from payments.store import tables
from payments.store.db import database_url, db, engine_options, prepare
from payments.web import web

MAX_BODY_BYTES = 256 * 1024
MIGRATIONS = ROOT / "payments" / "store" / "migrations"


def _plain_call(fn: Callable[..., Any], *args: Any) -> Any:
    return fn(*args)


def create_app(
    settings: Settings | None = None, offload: Callable[..., Any] = _plain_call
) -> Flask:
    """The whole application. Raises BadSetting; touches no database table."""
    settings = settings or load()
    app = Flask(
        "paychime",
        root_path=str(ROOT),
        template_folder="templates",
        static_folder="static",
        instance_path=str(settings.instance.resolve()),
    )
    _configure(app, settings)
    _database(app, settings)
    rails, queue = Rails(settings), open_queue(settings)
    tokens = Tokens(settings)
    app.extensions["paychime"] = House(settings, rails, tokens, queue, offload)
    forms = CSRFProtect(app)
    pages.dress(app)
    refusals.explain(app)
    for blueprint in (web, staff, api, docs):
        app.register_blueprint(blueprint)
    forms.exempt(api)
    for name in ("callback", "momo_callback", "payment_webhook"):
        forms.exempt(app.view_functions[f"web.{name}"])
    limits.limit(app, api, settings.api_rate)
    register_commands(app)
    _sockets(app, settings, tokens)
    if settings.sandbox:
        _sandbox(app, settings)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, count, count, count, count)  # type: ignore[method-assign]
    return app


def _configure(app: Flask, settings: Settings) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        # What a command prints is its answer; what it logs is not.
        logger_factory=lambda *_names: structlog.PrintLogger(sys.stderr),
    )
    app.config.update(
        SECRET_KEY=settings.secret_keys[0],
        SECRET_KEY_FALLBACKS=list(settings.secret_keys[1:]),
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=64 * 1024,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        TESTING=settings.env == "test",
        BABEL_DEFAULT_LOCALE=settings.shop_locale,
        BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "payments" / "translations"),
    )


def _database(app: Flask, settings: Settings) -> None:
    url = database_url(settings.database_url)
    settings.instance.mkdir(parents=True, exist_ok=True)
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=engine_options(url))
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS))
    assert tables.orders is not None  # noqa: S101 (the tables are known to the migrations)
    with app.app_context():
        prepare(db.engine)


def check_schema(app: Flask) -> None:
    """Raises SystemExit, with what to do, unless the database is of this version."""
    wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    with app.app_context():
        try:
            with db.engine.connect() as connection:
                found = MigrationContext.configure(connection).get_current_revision()
        except SQLAlchemyError as error:
            raise SystemExit(f"The database cannot be reached: {type(error).__name__}.") from error
    if found != wanted:
        raise SystemExit(
            f"The database's tables are at {found or 'nothing'}, this version needs {wanted}. "
            "Run: flask --app app db upgrade"
        )


def _sockets(app: Flask, settings: Settings, tokens: Tokens) -> None:
    def identify(asked: Any, token: str | None) -> Identity:
        return tokens.identify(token) if token else identity_by_cookie(asked)

    socketio = make_socketio(settings)
    socketio.init_app(app)
    register(socketio, app, identify=identify, settings=settings)
    app.extensions["paychime.socketio"] = socketio


def _sandbox(app: Flask, settings: Settings) -> None:
    """The pretended providers: strangers, but for their address and secrets."""
    from sandbox import MomoKeys, create_sandbox

    if settings.momo is None:
        return
    keys = MomoKeys(
        settings.momo.partner_code, settings.momo.access_key, settings.momo.secret_keys[0]
    )
    stranger = create_sandbox(
        f"{settings.public_url}/sandbox", str(settings.instance / "sandbox.db"), keys
    )
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/sandbox": stranger})  # type: ignore[method-assign]
