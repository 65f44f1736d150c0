"""Every page's language, its money and times, and the headers that guard it."""

from __future__ import annotations

import re
from copy import copy
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime
from flask import Flask, Response, has_request_context, request
from flask_babel import Babel, get_locale
from flask_compress import Compress
from flask_login import LoginManager

from payments.domain.errors import UnknownCurrency
from payments.domain.money import exponent, to_major
from payments.front.request import (
    LANGUAGES,
    LOCALE_COOKIE,
    for_programs,
    house,
    identity,
    load_login,
    locale,
    own_origins,
)
from payments.settings import LOCALES, origin_of

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src {sockets}; object-src 'none'; base-uri 'none'; form-action {forms}; "
    "frame-ancestors {ancestors}"
)

FRAMED = frozenset({"web.checkout", "web.pay", "web.claim", "web.come_back", "web.login"})
"""What `/three-screens` shows in frames beside staff's pages: in the sandbox, and by us alone."""

PAID_FROM = frozenset({"web.checkout", "web.pay", "web.claim", "web.payment_test"})
"""The pages whose forms may lead to a provider's: some of those are opened by POST."""

SANE_ORIGIN = re.compile(r"wss?://[a-z0-9.:\[\]-]+")
"""A Host header is a stranger's: nothing of it may end one directive and begin another."""

SQUEEZED = ["text/css", "text/javascript", "image/svg+xml"]


def dress(app: Flask) -> None:
    """Language, templates' words and filters, headers."""
    LoginManager(app).user_loader(load_login)
    Babel(app, locale_selector=locale)
    # Pages hold secrets beside what strangers wrote: only files that are everybody's are squeezed.
    app.config["COMPRESS_MIMETYPES"] = SQUEEZED
    Compress(app)
    app.after_request(_read_whole)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.add_template_filter(money)
    app.add_template_filter(when)
    app.add_template_filter(day)
    app.context_processor(_words)
    app.url_defaults(_in_this_language)
    app.after_request(_headers)


def _read_whole(response: Response) -> Response:
    """A file that is compressed as a stream is left open, and never as gzip."""
    if request.endpoint == "static" and response.mimetype in SQUEEZED and response.is_streamed:
        response.direct_passthrough = False
        content = response.get_data()
        response.close()
        response.set_data(content)
    return response


def money(amount: int, currency: str | None) -> str:
    """Minor units in the reader's form, with the digits of ISO 4217 (CLDR's differ for some).

    A kept callback may name no currency, or one that is none: then the number is shown as it came.
    """
    try:
        digits = exponent(currency or "")
    except UnknownCurrency:
        return f"{amount} {currency or ''}".strip()
    assert currency is not None  # noqa: S101 (for the type checker; it has digits)
    reader = get_locale()
    pattern = copy(reader.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    value = Decimal(to_major(amount, currency))
    return str(pattern.apply(value, reader, currency=currency, currency_digits=False))


def when(moment: str | datetime | None) -> str:
    """A moment in the reader's form and the shop's time zone."""
    if not moment:
        return ""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    zone = ZoneInfo(house().settings.shop_timezone)
    return str(format_datetime(at.astimezone(zone), "medium", locale=get_locale()))


def day(of: date) -> str:
    """A day in the reader's form."""
    return str(format_date(of, "medium", locale=get_locale()))


def _words() -> dict[str, Any]:
    settings = house().settings
    return {
        "shop": {"name": settings.shop_name},
        "sandbox": settings.sandbox,
        "locale": locale(),
        "languages": LANGUAGES,
        "in_language": in_language,
        "may": lambda permission: identity().may(permission),
    }


def _in_this_language(endpoint: str, values: dict[str, Any]) -> None:
    """What was asked for by `?lang=` holds for what this page leads to, whoever reads it.

    The cookie alone would give way to the account's language, in a live page's next fragment too.
    """
    if not has_request_context() or for_programs() or request.args.get("lang") not in LOCALES:
        return
    if endpoint.startswith(("web.", "staff.")):
        values.setdefault("lang", request.args["lang"])


def in_language(code: str, here: str | None = None) -> str | None:
    """The address of this page in another language, with all else that was asked for.

    `here` is the page's own address where it may answer a form; None where it then has none.
    """
    if here is not None:
        path, query = urlsplit(here).path, parse_qsl(urlsplit(here).query, keep_blank_values=True)
    elif request.method in {"GET", "HEAD"} or "GET" in getattr(request.url_rule, "methods", ()):
        # Relative: a path may begin with what browsers take for another host.
        path, query = "", list(request.args.items(multi=True))
    else:
        return None
    kept = [(name, value) for name, value in query if name != "lang"]
    return f"{path}?{urlencode([*kept, ('lang', code)])}"


def _sockets() -> str:
    """Where a page may connect to: us. Not every browser takes `'self'` for a WebSocket."""
    ours = sorted(origin.replace("http", "ws", 1) for origin in own_origins())
    return " ".join(["'self'", *(one for one in ours if SANE_ORIGIN.fullmatch(one))])


def _ancestors() -> str:
    framed = request.endpoint in FRAMED or request.blueprint == "staff"
    return "'self'" if framed and house().settings.sandbox else "'none'"


def _forms() -> str:
    """Where a page's forms may lead: to us, and from a payment to Razorpay where it is set up."""
    settings = house().settings
    razorpay = settings.rails.razorpay
    if razorpay is None or request.endpoint not in PAID_FROM:
        return "'self'"
    return f"'self' {origin_of(settings.in_browser(razorpay.api_url))}"


def _headers(response: Response) -> Response:
    secure = house().settings.secure_cookies
    leads = {"sockets": _sockets(), "forms": _forms(), "ancestors": _ancestors()}
    for name, value in (
        ("Content-Security-Policy", CSP.format(**leads)),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ):
        response.headers.setdefault(name, value)
    if secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    chosen = request.args.get("lang")
    if chosen in LOCALES:
        response.set_cookie(
            LOCALE_COOKIE, chosen, max_age=31536000, samesite="Lax", httponly=True, secure=secure
        )
    return response
