"""One frozen object, read once from the environment.

A bad or missing value stops the start, by name.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from payments.domain.errors import UnknownCurrency
from payments.domain.money import exponent

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
SHORTEST_SECRET = 16
LOCALES = ("en", "vi", "fr", "hi", "si")

SANDBOX_VALUES = {
    # MoMo's own public test credentials.
    "MOMO_PARTNER_CODE": "MOMO",
    "MOMO_ACCESS_KEY": "F8BBA842ECF85",
    "MOMO_SECRET_KEY": "K951B6PE1waDMi640xX08PD3vg6EkVlz",
    "GENERIC_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
"""Hold only where SANDBOX=1; whatever the environment sets wins over them."""


class BadSetting(Exception):
    """Names the setting and what is wrong with it; never its value where that may be a secret."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"{name}: {fault}")
        self.name = name


@dataclass(frozen=True, slots=True)
class MomoSettings:
    """`secret_keys`: the first signs, all verify (two while a secret is rotated)."""

    partner_code: str
    access_key: str = field(repr=False)
    secret_keys: tuple[str, ...] = field(repr=False)
    api_url: str


@dataclass(frozen=True, slots=True)
class Settings:
    env: str
    host: str
    port: int
    public_url: str
    trusted_proxies: int
    secret_keys: tuple[str, ...] = field(repr=False)
    jwt_secrets: tuple[str, ...] = field(repr=False)
    database_url: str = field(repr=False)
    redis_url: str | None = field(repr=False)
    async_mode: str
    cors_origins: tuple[str, ...]
    shop_name: str
    shop_timezone: str
    shop_locale: str
    sandbox: bool
    order_ttl: timedelta
    api_rate: int
    sockets_per_address: int
    confirm_limit: Mapping[str, int]
    momo: MomoSettings | None
    generic_webhook_secrets: tuple[str, ...] = field(repr=False)
    instance: Path

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def own_url(self) -> str:
        """Where this very process answers, for calls to its own simulators."""
        return _own_url(self.host, self.port)

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https:")


def _host(name: str) -> str:
    """As it stands in an address: IPv6 in brackets."""
    return f"[{name}]" if ":" in name else name


def _own_url(host: str, port: int) -> str:
    everywhere = {"0.0.0.0", "::", ""}  # noqa: S104 (to listen on; nobody can open it)
    return f"http://{_host('127.0.0.1' if host in everywhere else host)}:{port}"


class _Reader:
    def __init__(self, environ: Mapping[str, str], sandbox: bool) -> None:
        self.environ = environ
        self.sandbox = sandbox

    def text(self, name: str, default: str | None = None) -> str | None:
        value = self.environ.get(name, "").strip()
        if not value and self.sandbox:
            value = SANDBOX_VALUES.get(name, "")
        return value or default

    def read(self, name: str, cast: Callable[[str], T], default: T, expected: str) -> T:
        value = self.text(name)
        if value is None:
            return default
        try:
            return cast(value)
        except (ValueError, KeyError, OSError, ArgumentError):
            # Not `from` the cause: its words may hold a part of the value.
            raise BadSetting(name, f"expected {expected}") from None

    def number(self, name: str, default: int, low: int, high: int) -> int:
        def cast(value: str) -> int:
            number = int(value)
            if not low <= number <= high:
                raise ValueError
            return number

        return self.read(name, cast, default, f"a whole number from {low} to {high}")

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        def cast(value: str) -> str:
            return choices[choices.index(value)]

        return self.read(name, cast, default, f"one of {', '.join(choices)}")

    def url(self, name: str, default: str) -> str:
        def cast(value: str) -> str:
            parts = urlsplit(value)
            if parts.query or parts.fragment:
                raise ValueError
            origin_of(value)
            return value.rstrip("/")

        return self.read(name, cast, default, "an http or https address")

    def secrets(self, name: str) -> tuple[str, ...]:
        """One value, or two while it is rotated, comma-separated."""
        values = tuple(part.strip() for part in (self.text(name) or "").split(",") if part.strip())
        if len(values) > 2:
            raise BadSetting(
                name, "expected one secret, or two comma-separated while it is rotated"
            )
        return values


def origin_of(url: str) -> str:
    """The origin as browsers write it, without the scheme's own port. Raises ValueError."""
    parts = urlsplit(url.strip().lower())
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in {None, _PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


_PORTS = {"http": 80, "https": 443}


def _limits(value: str) -> dict[str, int]:
    limits = {}
    for part in filter(None, (part.strip() for part in value.split(","))):
        match = re.fullmatch(r"([A-Z]{3}):(\d{1,12})", part)
        if match is None:
            raise ValueError(part)
        try:
            exponent(match[1])
        except UnknownCurrency as error:
            raise ValueError(part) from error
        if match[1] in limits:
            raise ValueError(part)
        limits[match[1]] = int(match[2])
    return limits


def _secret_key(read: _Reader, env: str, instance: Path) -> tuple[str, ...]:
    keys = _long_enough(read, "SECRET_KEY", env)
    if keys:
        return keys
    if env == "production":
        raise BadSetting("SECRET_KEY", "is required in production")
    return (_made_once(instance / "secret_key"),)


def _long_enough(read: _Reader, name: str, env: str) -> tuple[str, ...]:
    """In production a secret that could be guessed is none; a developer's own protects nothing."""
    values = read.secrets(name)
    if env == "production" and any(len(value) < SHORTEST_SECRET for value in values):
        raise BadSetting(name, f"expected at least {SHORTEST_SECRET} characters")
    return values


def _jwt_secrets(read: _Reader, env: str, secret_keys: tuple[str, ...]) -> tuple[str, ...]:
    """Those set, else one derived from each SECRET_KEY, so that both of a rotation verify."""
    given = _long_enough(read, "JWT_SECRET", env)
    return given or tuple(
        hmac.new(key.encode(), b"paychime.jwt", hashlib.sha256).hexdigest() for key in secret_keys
    )


def _made_once(path: Path) -> str:
    """Two processes that start together agree on one key: only the first may create the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        key = secrets.token_hex(32)
        file.write(key)
    return key


def _redis_url(read: _Reader) -> str | None:
    def cast(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"redis", "rediss", "redis+sentinel", "unix"}:
            raise ValueError
        # Sentinels are several hosts with a port each.
        if parts.scheme in {"redis", "rediss"} and parts.port == 0:
            raise ValueError
        return value

    url = read.read("REDIS_URL", cast, None, "a redis://, rediss:// or redis+sentinel:// address")
    if url or not read.text("REDIS_HOST"):
        return url
    password = quote(read.text("REDIS_PASSWORD") or "", safe="")
    host, port = _host(read.text("REDIS_HOST") or ""), read.number("REDIS_PORT", 6379, 1, 65535)
    database = read.number("REDIS_DB", 0, 0, 1000)
    return f"redis://{f':{password}@' if password else ''}{host}:{port}/{database}"


def _momo(read: _Reader, sandbox_url: str) -> MomoSettings | None:
    names = ("MOMO_PARTNER_CODE", "MOMO_ACCESS_KEY", "MOMO_SECRET_KEY")
    missing = [name for name in names if not read.text(name)]
    if len(missing) == len(names):
        return None
    if missing:
        raise BadSetting(missing[0], "is missing, while other settings of MoMo are set")
    default = sandbox_url + "/momo" if read.sandbox else "https://payment.momo.vn"
    return MomoSettings(
        partner_code=read.text("MOMO_PARTNER_CODE") or "",
        access_key=read.text("MOMO_ACCESS_KEY") or "",
        secret_keys=read.secrets("MOMO_SECRET_KEY"),
        api_url=read.url("MOMO_API_URL", default),
    )


def _webhook_secrets(read: _Reader) -> tuple[str, ...]:
    values = read.secrets("GENERIC_WEBHOOK_SECRET")
    for value in values:
        try:
            key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not value.startswith("whsec_") or len(key) < 16:
            raise BadSetting("GENERIC_WEBHOOK_SECRET", "expected whsec_ and the base64 of a key")
    return values


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads every setting. Raises BadSetting naming the first that is wrong."""
    environ = os.environ if environ is None else environ
    plain = _Reader(environ, sandbox=False)
    env = plain.choice("APP_ENV", "development", ("development", "test", "production"))
    sandbox = plain.choice("SANDBOX", "1" if env == "development" else "0", ("0", "1")) == "1"
    if sandbox and env == "production":
        raise BadSetting("SANDBOX", "is refused in production")
    read = _Reader(environ, sandbox)
    instance = Path(read.text("INSTANCE_PATH") or ROOT / "instance")
    host = read.text("HOST") or "127.0.0.1"
    port = read.number("PORT", 5000, 1, 65535)
    own = _own_url(host, port)
    secret_keys = _secret_key(read, env, instance)
    return Settings(
        env=env,
        host=host,
        port=port,
        public_url=read.url("PUBLIC_URL", own),
        trusted_proxies=read.number("TRUSTED_PROXIES", 0, 0, 10),
        secret_keys=secret_keys,
        jwt_secrets=_jwt_secrets(read, env, secret_keys),
        database_url=_database(read, instance),
        redis_url=_redis_url(read),
        async_mode=read.choice("ASYNC_MODE", "eventlet", ("eventlet", "threading")),
        cors_origins=_origins(read, "CORS_ORIGINS") + _origins(read, "FRONTEND_URL"),
        shop_name=read.text("SHOP_NAME") or "Paychime",
        shop_timezone=read.read("SHOP_TIMEZONE", lambda v: ZoneInfo(v).key, "UTC", "a time zone"),
        shop_locale=read.choice("SHOP_LOCALE", "en", LOCALES),
        sandbox=sandbox,
        order_ttl=timedelta(seconds=read.number("ORDER_TTL_SECONDS", 3600, 5, 30 * 86400)),
        api_rate=read.number("API_RATE", 100 if env == "production" else 1000, 1, 10**6),
        sockets_per_address=read.number(
            "SOCKETS_PER_ADDRESS", 500 if env == "production" else 5000, 1, 10**6
        ),
        confirm_limit=read.read(
            "CONFIRM_LIMIT", _limits, {}, "for example VND:5000000,INR:4000000"
        ),
        momo=_momo(read, own + "/sandbox"),
        generic_webhook_secrets=_webhook_secrets(read),
        instance=instance,
    )


def _origins(read: _Reader, name: str) -> tuple[str, ...]:
    def cast(value: str) -> tuple[str, ...]:
        return tuple(_bare_origin(part) for part in value.split(",") if part.strip())

    return read.read(name, cast, (), "origins such as https://shop.example")


def _bare_origin(value: str) -> str:
    origin, parts = origin_of(value), urlsplit(value.strip())
    if parts.path.strip("/") or parts.query or parts.fragment or "*" in origin:
        raise ValueError
    return origin


def _database(read: _Reader, instance: Path) -> str:
    def cast(value: str) -> str:
        url = make_url(value)
        if url.drivername not in {"sqlite", "postgresql", "postgresql+psycopg2"}:
            raise ValueError
        return value

    default = f"sqlite:///{instance / 'paychime.db'}"
    return read.read("DATABASE_URL", cast, default, "sqlite:/// or postgresql://")
