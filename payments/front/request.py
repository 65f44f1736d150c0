"""What every blueprint needs of the request before it: the house, who is asking, in which language.

The blueprints do not import each other, so what they share stands here, between them and the
services.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import Request, Response, current_app, g, request
from flask_login import UserMixin, current_user

from payments.domain.errors import Forbidden, PaychimeError, Unauthenticated
from payments.domain.ports import Presence, Queue
from payments.providers.registry import Rails
from payments.services.access import NOBODY, Identity
from payments.services.tokens import Tokens
from payments.settings import LOCALES, Settings, origin_of
from payments.store import people

BROWSER_COOKIE = "paychime_orders"
BROWSER_DAYS = 60
BROWSER_ORDERS = 40
"""A cookie holds 4 kB: the oldest orders of a browser give way to the newest."""

LOCALE_COOKIE = "paychime_lang"
LANGUAGES = (
    ("en", "English"),
    ("vi", "Tiếng Việt"),
    ("fr", "Français"),
    ("hi", "हिन्दी"),
    ("si", "සිංහල"),
)


@dataclass(frozen=True, slots=True)
class House:
    """What `bootstrap` built, for whoever serves a request."""

    settings: Settings
    rails: Rails
    tokens: Tokens
    queue: Queue
    offload: Callable[..., Any]
    presence: Presence


def house() -> House:
    built = current_app.extensions["paychime"]
    assert isinstance(built, House)  # noqa: S101 (for the type checker; bootstrap put it there)
    return built


class LoggedIn(UserMixin):  # type: ignore[misc]  # published without types
    """A person by the login cookie, which holds the id of that one login."""

    def __init__(self, user: people.User, login_id: str) -> None:
        self.user = user
        self.login_id = login_id
        self.email, self.name, self.role = user.email, user.name, user.role

    def get_id(self) -> str:
        return self.login_id


def load_login(cookie_id: str) -> LoggedIn | None:
    user = people.find_login(cookie_id)
    if user is None or user.disabled_at is not None:
        return None
    return LoggedIn(user, cookie_id)


def bearer(asked: Request) -> str | None:
    scheme, _, token = asked.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def browser_orders(asked: Request) -> list[str]:
    """The orders this browser has opened by an access link, oldest first."""
    cookie = asked.cookies.get(BROWSER_COOKIE)
    held = house().tokens.read("browser", cookie) if cookie else None
    return [str(one) for one in held] if isinstance(held, list) else []


def remember_order(response: Response, order_id: str) -> Response:
    held = [one for one in browser_orders(request) if one != order_id] + [order_id]
    response.set_cookie(
        BROWSER_COOKIE,
        house().tokens.browser(held[-BROWSER_ORDERS:]),
        max_age=BROWSER_DAYS * 86400,
        httponly=True,
        samesite="Lax",
        secure=house().settings.secure_cookies,
    )
    return response


def identity() -> Identity:
    """Who asks: by token, else by login cookie and the browser's orders. Raises Unauthenticated."""
    if "identity" not in g:
        token = bearer(request)
        g.identity = house().tokens.identify(token) if token else identity_by_cookie(request)
    found = g.identity
    assert isinstance(found, Identity)  # noqa: S101 (for the type checker)
    return found


def somebody() -> Identity:
    """Who asks, for calls that nobody may make. Raises Unauthenticated."""
    if identity().nobody:
        raise Unauthenticated("Say who you are first.")
    return identity()


def identity_by_cookie(asked: Request) -> Identity:
    orders = frozenset(browser_orders(asked))
    if current_user and current_user.is_authenticated:
        login_id = current_user.login_id
        return Identity("person", user=current_user.user, order_ids=orders, login_id=login_id)
    return Identity("browser", order_ids=orders) if orders else NOBODY


def base_url() -> str:
    """Our address as this reader reaches us: in development by whatever name they typed."""
    settings = house().settings
    return request.url_root.rstrip("/") if settings.env == "development" else settings.public_url


def return_url(order_id: str) -> str:
    """Where a provider sends the payer's browser back to."""
    return f"{base_url()}/checkout/{order_id}/return"


def own_origins() -> set[str]:
    """Ours, the listed ones, and in development the Host that the request names."""
    settings = house().settings
    origins = {origin_of(settings.public_url), *settings.cors_origins}
    if settings.env == "development":
        # Whatever a stranger writes into Host may be no address at all.
        with suppress(ValueError):
            origins.add(origin_of(request.host_url))
    return origins


def for_programs() -> bool:
    """Whether a program asked, and is to be answered in problems instead of pages."""
    return request.path.startswith(("/api/", "/callbacks/", "/webhook/"))


def refuse_foreign_write() -> None:
    """A write that rests on a cookie alone must come from our pages or a listed frontend."""
    if request.method in {"GET", "HEAD", "OPTIONS"} or bearer(request):
        return
    if identity_by_cookie(request).nobody:
        return
    if request.headers.get("Origin", "").lower() not in own_origins():
        raise Forbidden("This request does not come from one of our pages.")


def locale() -> str:
    """By `?lang=`, then the account, then what was chosen before, the browser, the shop."""
    if "locale" not in g:
        g.locale = _locale()
    return str(g.locale)


def _locale() -> str:
    chosen = (request.args.get("lang"), _account_language(), request.cookies.get(LOCALE_COOKIE))
    for language in chosen:
        if language in LOCALES:
            return language
    best = request.accept_languages.best_match(LOCALES)
    return best or house().settings.shop_locale


def _account_language() -> str | None:
    """Tokens of a shop's backend name locales with their country, in either form."""
    try:
        user = identity().user
    except PaychimeError:
        return None
    return user.locale.replace("_", "-").split("-")[0] if user and user.locale else None
