"""The one place that knows everybody: settings, database, rails, blueprints, sockets, sandbox."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from flask import Flask
from flask_wtf import CSRFProtect
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from payments.api import api
from payments.api.docs import docs
from payments.api.frontends import frontends
from payments.domain.ports import Presence
from payments.front import limits, pages, refusals
from payments.front.request import House, identity_by_cookie
from payments.providers.registry import Rails
from payments.queue import open_queue
from payments.realtime import make_socketio, register
from payments.services.access import Identity
from payments.services.tokens import Tokens
from payments.settings import ROOT, Settings, load
from payments.staff import staff
from payments.store import outbox, schema, tables
from payments.store.db import db
from payments.store.engine import database_url, engine_options, prepare
from payments.web import web

MAX_BODY_BYTES = 256 * 1024


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
    rails, queue = Rails(settings), open_queue(settings, outbox)
    tokens = Tokens(settings)
    presence = _sockets(app, settings, tokens)
    app.extensions["paychime"] = House(settings, rails, tokens, queue, offload, presence)
    forms = CSRFProtect(app)
    pages.dress(app)
    refusals.explain(app)
    for blueprint in (web, staff, api, frontends, docs):
        app.register_blueprint(blueprint)
    for programs in (api, frontends):
        forms.exempt(programs)
    for name in ("callback", "momo_callback", "campay_callback", "payment_webhook", "come_back"):
        forms.exempt(app.view_functions[f"web.{name}"])
    limits.limit(app, (api, frontends), settings.api_rate)
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
    assert tables.orders is not None  # noqa: S101 (the tables are known to the migrations)
    with app.app_context():
        prepare(db.engine)


def add_commands(app: Flask) -> Flask:
    """For `flask --app app`: our commands, and `db` to bring the tables up to date.

    A server has no use for them, and begins sooner without what they need.
    """
    from flask_migrate import Migrate

    from payments.cli import register_commands
    from payments.store.elsewhere import MIGRATIONS

    Migrate(app, db, directory=str(MIGRATIONS))
    register_commands(app)
    return app


def check_schema(app: Flask) -> None:
    """Raises SystemExit, with what to do, unless the database is of this version."""
    with app.app_context():
        try:
            with db.engine.connect() as connection:
                found = schema.revision(connection)
        except SQLAlchemyError as error:
            raise SystemExit(f"The database cannot be reached: {type(error).__name__}.") from error
    if found != schema.REVISION:
        raise SystemExit(
            f"The database's tables are at {found or 'nothing'}, this version needs "
            f"{schema.REVISION}. Run: flask --app app db upgrade"
        )


def _sockets(app: Flask, settings: Settings, tokens: Tokens) -> Presence:
    def identify(asked: Any, token: str | None) -> Identity:
        return tokens.identify(token) if token else identity_by_cookie(asked)

    socketio = make_socketio(settings)
    socketio.init_app(app)
    app.extensions["paychime.socketio"] = socketio
    return register(socketio, app, identify=identify, settings=settings)


def _sandbox(app: Flask, settings: Settings) -> None:
    """The pretended providers: strangers, but for their address and secrets."""
    from sandbox import create_sandbox

    stranger = create_sandbox(
        f"{settings.public_url}/sandbox",
        str(settings.instance / "sandbox.db"),
        _pretended(settings),
    )
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/sandbox": stranger})  # type: ignore[method-assign]


def _pretended(settings: Settings) -> list[Any]:
    """The secrets in force and our addresses, in the words of each pretended provider."""
    from sandbox import (
        BankKeys,
        CampayKeys,
        GatewayKeys,
        MomoKeys,
        PayableKeys,
        RazorpayKeys,
        UpiKeys,
    )

    rails, keys = settings.rails, list[Any]()
    if rails.momo:
        momo = rails.momo
        keys.append(MomoKeys(momo.partner_code, momo.access_key, momo.secret_keys[0]))
    if rails.campay:
        campay = rails.campay
        login = (campay.access_token, campay.username, campay.password)
        signing_key = campay.webhook_keys[0] if campay.webhook_keys else ""
        address = settings.callback_url("campay")
        keys.append(CampayKeys(*login, signing_key, address, settings.shop_name))
    if rails.bank:
        gate, sepay, payos = rails.pay2s_gateway, rails.sepay, rails.payos
        signing = gate and (gate.partner_code, gate.access_key, gate.secret_keys[0])
        keys.append(
            BankKeys(
                f"{settings.public_url}/callbacks",
                pay2s_token=_first(rails.pay2s_tokens),
                gateway=GatewayKeys(*signing) if signing else None,
                sepay_secret=_first(sepay.webhook_secrets if sepay else ()),
                sepay_api_key=_first(sepay.api_keys if sepay else ()),
                casso_key=_first(rails.casso_keys),
                payos_checksum_key=_first(payos.checksum_keys if payos else ()),
            )
        )
    if rails.razorpay:
        razorpay = rails.razorpay
        secrets = (razorpay.key_secret, razorpay.webhook_secrets[0])
        address = settings.callback_url("razorpay")
        keys.append(RazorpayKeys(razorpay.key_id, *secrets, address, settings.shop_name))
    if rails.upi:
        keys.append(UpiKeys(rails.upi.vpa))
    if rails.payable:
        card = rails.payable
        business = (card.business_key or "", card.business_token or "")
        keys.append(PayableKeys(card.merchant_key, card.merchant_tokens[0], *business))
    return keys


def _first(secrets: Sequence[str]) -> str | None:
    """The one that signs."""
    return secrets[0] if secrets else None
