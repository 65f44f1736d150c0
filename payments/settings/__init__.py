"""One frozen object, read once from the environment.

A bad or missing value stops the start, by name.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy.engine import make_url

from payments.settings.rails import RailSettings
from payments.settings.read_rails import SANDBOX_VALUES, read_rails
from payments.settings.reader import BadSetting, Reader, origin_of
from payments.settings.wallets import WalletSettings, amounts, read_wallets

__all__ = ["LOCALES", "ROOT", "BadSetting", "Settings", "load", "origin_of"]

ROOT = Path(__file__).resolve().parents[2]
SHORTEST_SECRET = 16
LOCALES = ("en", "vi", "fr", "hi", "si")


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
    wallets: WalletSettings
    rails: RailSettings
    instance: Path

    @property
    def production(self) -> bool:
        return self.env == "production"

    @property
    def own_url(self) -> str:
        """Where this very process answers, for calls to its own simulators."""
        return _own_url(self.host, self.port)

    def in_browser(self, address: str) -> str:
        """The same as a browser reaches it: our simulators we call at our own address."""
        near = f"{self.own_url}/sandbox/"
        if not self.sandbox or not address.startswith(near):
            return address
        return f"{self.public_url}/sandbox/{address.removeprefix(near)}"

    def callback_url(self, provider: str) -> str:
        """Where this provider posts its callbacks."""
        return f"{self.public_url}/callbacks/{provider}"

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https:")


def _host(name: str) -> str:
    """As it stands in an address: IPv6 in brackets."""
    return f"[{name}]" if ":" in name else name


def _own_url(host: str, port: int) -> str:
    everywhere = {"0.0.0.0", "::", ""}  # noqa: S104 (to listen on; nobody can open it)
    return f"http://{_host('127.0.0.1' if host in everywhere else host)}:{port}"


def _secret_key(read: Reader, env: str, instance: Path) -> tuple[str, ...]:
    keys = _long_enough(read, "SECRET_KEY", env)
    if keys:
        return keys
    if env == "production":
        raise BadSetting("SECRET_KEY", "is required in production")
    return (_made_once(instance / "secret_key"),)


def _long_enough(read: Reader, name: str, env: str) -> tuple[str, ...]:
    """In production a secret that could be guessed is none; a developer's own protects nothing."""
    values = read.secrets(name)
    if env == "production" and any(len(value) < SHORTEST_SECRET for value in values):
        raise BadSetting(name, f"expected at least {SHORTEST_SECRET} characters")
    return values


def _jwt_secrets(read: Reader, env: str, secret_keys: tuple[str, ...]) -> tuple[str, ...]:
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


def _redis_url(read: Reader) -> str | None:
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


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads every setting. Raises BadSetting naming the first that is wrong."""
    environ = os.environ if environ is None else environ
    plain = Reader(environ, {})
    env = plain.choice("APP_ENV", "development", ("development", "test", "production"))
    sandbox = plain.choice("SANDBOX", "1" if env == "development" else "0", ("0", "1")) == "1"
    if sandbox and env == "production":
        raise BadSetting("SANDBOX", "is refused in production")
    read = Reader(environ, SANDBOX_VALUES if sandbox else {})
    instance = Path(read.text("INSTANCE_PATH") or ROOT / "instance")
    host = read.text("HOST") or "127.0.0.1"
    port = read.number("PORT", 5000, 1, 65535)
    own = _own_url(host, port)
    secret_keys = _secret_key(read, env, instance)
    shop_name = read.text("SHOP_NAME") or "Paychime"
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
        shop_name=shop_name,
        shop_timezone=read.read("SHOP_TIMEZONE", lambda v: ZoneInfo(v).key, "UTC", "a time zone"),
        shop_locale=read.choice("SHOP_LOCALE", "en", LOCALES),
        sandbox=sandbox,
        order_ttl=timedelta(seconds=read.number("ORDER_TTL_SECONDS", 3600, 5, 30 * 86400)),
        api_rate=read.number("API_RATE", 100 if env == "production" else 1000, 1, 10**6),
        sockets_per_address=read.number(
            "SOCKETS_PER_ADDRESS", 500 if env == "production" else 5000, 1, 10**6
        ),
        confirm_limit=read.read(
            "CONFIRM_LIMIT", amounts, {}, "for example VND:5000000,INR:4000000"
        ),
        wallets=read_wallets(read),
        rails=read_rails(read, own + "/sandbox" if sandbox else None, shop_name),
        instance=instance,
    )


def _origins(read: Reader, name: str) -> tuple[str, ...]:
    def cast(value: str) -> tuple[str, ...]:
        return tuple(_bare_origin(part) for part in value.split(",") if part.strip())

    return read.read(name, cast, (), "origins such as https://shop.example")


def _bare_origin(value: str) -> str:
    origin, parts = origin_of(value), urlsplit(value.strip())
    if parts.path.strip("/") or parts.query or parts.fragment or "*" in origin:
        raise ValueError
    return origin


def _database(read: Reader, instance: Path) -> str:
    def cast(value: str) -> str:
        url = make_url(value)
        if url.drivername not in {"sqlite", "postgresql", "postgresql+psycopg2"}:
            raise ValueError
        return value

    default = f"sqlite:///{instance / 'paychime.db'}"
    return read.read("DATABASE_URL", cast, default, "sqlite:/// or postgresql://")
