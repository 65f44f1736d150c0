"""Every setting: what it is by default, and what stops the start by its name."""

from __future__ import annotations

import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio.connection import parse_url

from payments.settings import BadSetting, Settings, load

KEY = "0123456789abcdef"
SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture
def read(tmp_path: Path) -> Settings:
    return loaded(tmp_path)


def loaded(folder: Path, **environment: str) -> Settings:
    return load({"INSTANCE_PATH": str(folder), **environment})


def test_nothing_has_to_be_set_to_try_it(read: Settings, tmp_path: Path) -> None:
    assert (read.env, read.sandbox, read.production) == ("development", True, False)
    assert (read.host, read.port, read.public_url) == ("127.0.0.1", 5000, "http://127.0.0.1:5000")
    assert (read.trusted_proxies, read.cors_origins, read.redis_url) == (0, (), None)
    assert read.database_url == f"sqlite:///{tmp_path}/paychime.db"
    assert read.async_mode == "eventlet"
    assert (read.shop_name, read.shop_timezone, read.shop_locale) == ("Paychime", "UTC", "en")
    assert read.order_ttl == timedelta(seconds=3600)
    assert (read.api_rate, read.sockets_per_address) == (1000, 5000)
    assert read.confirm_limit == {}
    assert not read.secure_cookies
    assert read.rails.momo is not None
    assert read.rails.momo.partner_code == "MOMO"
    assert read.rails.momo.api_url == "http://127.0.0.1:5000/sandbox/momo"
    assert read.rails.generic_secrets[0].startswith("whsec_")


def test_production_is_stricter(tmp_path: Path) -> None:
    read = loaded(tmp_path, APP_ENV="production", SECRET_KEY=KEY)
    assert (read.production, read.sandbox) == (True, False)
    assert (read.api_rate, read.sockets_per_address) == (100, 500)
    assert read.rails.momo is None
    assert read.rails.generic_secrets == ()


def test_sandbox_values_hold_in_the_sandbox_alone(tmp_path: Path) -> None:
    assert loaded(tmp_path, SANDBOX="0").rails.momo is None
    own = loaded(tmp_path, SANDBOX="1", MOMO_SECRET_KEY=SECRET, MOMO_API_URL="https://momo.test")
    assert own.rails.momo is not None
    assert own.rails.momo.secret_keys == (SECRET,)
    assert own.rails.momo.api_url == "https://momo.test"
    real = {name: SECRET for name in ("MOMO_PARTNER_CODE", "MOMO_ACCESS_KEY", "MOMO_SECRET_KEY")}
    momo = loaded(tmp_path, SANDBOX="0", **real).rails.momo
    assert momo is not None
    assert momo.api_url == "https://payment.momo.vn"


def test_a_secret_key_is_made_once_and_kept_to_ourselves(tmp_path: Path) -> None:
    first = loaded(tmp_path)
    assert loaded(tmp_path).secret_keys == first.secret_keys
    assert len(first.secret_keys[0]) >= 32
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_mode & 0o077 == 0


BAD: list[tuple[dict[str, str], str]] = [
    *(({"APP_ENV": one}, "APP_ENV") for one in ("prod", "Production", "x")),
    *(({"PORT": one}, "PORT") for one in ("0", "65536", "-1", "x", "80.0", "5 000")),
    *(
        ({"PUBLIC_URL": one}, "PUBLIC_URL")
        for one in ("shop.test", "ftp://shop.test", "https://", "//shop.test", "https://a:x")
    ),
    *(
        ({"PUBLIC_URL": f"https://shop.test{one}"}, "PUBLIC_URL")
        for one in ("?a=b", "#top", ":99999")
    ),
    ({"PUBLIC_URL": f"https://me:{SECRET}@shop.test"}, "PUBLIC_URL"),
    *(({"TRUSTED_PROXIES": one}, "TRUSTED_PROXIES") for one in ("-1", "11", "yes", "1.5")),
    *(
        ({"APP_ENV": "production", "SECRET_KEY": one}, "SECRET_KEY")
        for one in ("short", f"{KEY},short", f"{KEY},{KEY},{KEY}")
    ),
    ({"APP_ENV": "production"}, "SECRET_KEY"),
    ({"APP_ENV": "production", "SECRET_KEY": KEY, "SANDBOX": "1"}, "SANDBOX"),
    *(({"SANDBOX": one}, "SANDBOX") for one in ("yes", "true", "2", "-1")),
    *(
        ({"DATABASE_URL": one}, "DATABASE_URL")
        for one in ("mysql://u@h/d", "x", "postgres", f"postgresql://u:{SECRET}@h:port/d", "://")
    ),
    ({"DATABASE_URL": f"postgresql://u:{SECRET}:{SECRET}@h:x/d"}, "DATABASE_URL"),
    *(
        ({"REDIS_URL": one}, "REDIS_URL")
        for one in ("http://h", "localhost:6379", f"redis://:{SECRET}@h:port/0", "redis://h:99999")
    ),
    *(({"REDIS_HOST": "h", "REDIS_PORT": one}, "REDIS_PORT") for one in ("x", "0", "65536")),
    *(({"REDIS_HOST": "h", "REDIS_DB": one}, "REDIS_DB") for one in ("x", "-1")),
    *(({"ASYNC_MODE": one}, "ASYNC_MODE") for one in ("gevent", "x")),
    *(
        ({"CORS_ORIGINS": one}, "CORS_ORIGINS")
        for one in ("*", "shop.test", "https://shop.test/app", "https://a.test,x", "null")
    ),
    *(
        ({"CORS_ORIGINS": f"https://{one}"}, "CORS_ORIGINS")
        for one in ("me@shop.test", "shop.test?x", "shop.test#x", "shop.test:x", "*.shop.test")
    ),
    *(({"FRONTEND_URL": one}, "FRONTEND_URL") for one in ("shop.test", "ftp://shop.test", "*")),
    *(
        ({"APP_ENV": "production", "SECRET_KEY": KEY, "JWT_SECRET": one}, "JWT_SECRET")
        for one in ("short", f"{KEY},{KEY},{KEY}")
    ),
    *(
        ({"SHOP_TIMEZONE": one}, "SHOP_TIMEZONE")
        for one in ("Mars", "../etc/passwd", "America", "UTC+7", "/etc/localtime")
    ),
    *(({"SHOP_LOCALE": one}, "SHOP_LOCALE") for one in ("de", "EN", "vi_VN")),
    *(
        ({"ORDER_TTL_SECONDS": one}, "ORDER_TTL_SECONDS")
        for one in ("4", "0", "-1", "2592001", "1h")
    ),
    *(({"API_RATE": one}, "API_RATE") for one in ("0", "-1", "x")),
    *(({"SOCKETS_PER_ADDRESS": one}, "SOCKETS_PER_ADDRESS") for one in ("0", "-1", "x")),
    *(
        ({"CONFIRM_LIMIT": one}, "CONFIRM_LIMIT")
        for one in ("5000000", "VND=5", "VND:x", "VND:-1", "vnd:5", "XXX:5", "DOGE:5", "VND:1.5")
    ),
    *(({"CONFIRM_LIMIT": one}, "CONFIRM_LIMIT") for one in ("VND:1,VND:2", "VND:1;INR:2")),
    *(
        ({name: one}, name)
        for name in ("DEPOSIT_LIMITS", "WITHDRAWAL_LIMITS")
        for one in ("VND:5", "VND:5-4", "VND:0-4", "VND:-5-4", "XXX:1-2", "VND:1-2,VND:1-2", "1-2")
    ),
    *(
        ({"WITHDRAWAL_PASSWORD_ABOVE": one}, "WITHDRAWAL_PASSWORD_ABOVE")
        for one in ("5", "VND:-1", "DOGE:5")
    ),
    *(
        ({"FEES": one}, "FEES")
        for one in ("deposit:*:VND=1%", "withdrawal:momo:VND=1%", "withdrawal:*:XXX=1", "1%")
    ),
    ({"SANDBOX": "0", "MOMO_PARTNER_CODE": "X"}, "MOMO_ACCESS_KEY"),
    (
        {"SANDBOX": "0", "MOMO_PARTNER_CODE": "X", "MOMO_ACCESS_KEY": SECRET},
        "MOMO_SECRET_KEY",
    ),
    ({"SANDBOX": "0", "MOMO_SECRET_KEY": SECRET}, "MOMO_PARTNER_CODE"),
    ({"MOMO_SECRET_KEY": f"{SECRET},{SECRET},{SECRET}"}, "MOMO_SECRET_KEY"),
    ({"MOMO_API_URL": "momo.test"}, "MOMO_API_URL"),
    *(
        ({"GENERIC_WEBHOOK_SECRET": one}, "GENERIC_WEBHOOK_SECRET")
        for one in (SECRET, "whsec_", "whsec_x", f"whsec_{SECRET}", "whsec_c2hvcnQ=")
    ),
]


@pytest.mark.parametrize(("environment", "name"), BAD, ids=lambda one: str(one)[:60])
def test_a_bad_value_stops_the_start_by_its_name_and_is_not_told(
    tmp_path: Path, environment: dict[str, str], name: str
) -> None:
    with pytest.raises(BadSetting) as stopped:
        loaded(tmp_path, **environment)
    assert stopped.value.name == name
    assert str(stopped.value).startswith(f"{name}: ")
    told = "".join(traceback.format_exception(stopped.value))
    assert SECRET not in told
    assert KEY not in told


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"REDIS_URL": "redis://h:1/2"}, "redis://h:1/2"),
        ({"REDIS_URL": "rediss://h"}, "rediss://h"),
        (
            {"REDIS_URL": "redis+sentinel://a:1,b:2/0/shop"},
            "redis+sentinel://a:1,b:2/0/shop",
        ),
        ({"REDIS_HOST": "h"}, "redis://h:6379/0"),
        ({"REDIS_HOST": "h", "REDIS_PORT": "1", "REDIS_DB": "2"}, "redis://h:1/2"),
        ({"REDIS_URL": "redis://h:1/2", "REDIS_HOST": "other"}, "redis://h:1/2"),
        ({"REDIS_PORT": "1"}, None),
        ({"REDIS_HOST": "::1"}, "redis://[::1]:6379/0"),
    ],
)
def test_redis_is_named_by_an_address_or_by_its_parts(
    tmp_path: Path, environment: dict[str, str], url: str | None
) -> None:
    assert loaded(tmp_path, **environment).redis_url == url


@pytest.mark.parametrize("password", ["p", "p@ss:w/rd", "a#b?c", "100%", "%41", " é "])
def test_a_password_of_redis_may_hold_any_character(tmp_path: Path, password: str) -> None:
    url = loaded(tmp_path, REDIS_HOST="h", REDIS_PASSWORD=password, REDIS_DB="3").redis_url
    assert url is not None
    parts = parse_url(url)
    assert (parts["host"], parts["port"], parts["db"]) == ("h", 6379, 3)
    assert parts["password"] == password.strip()


def test_limits_are_per_currency_in_minor_units(tmp_path: Path) -> None:
    read = loaded(tmp_path, CONFIRM_LIMIT=" VND:5000000, INR:4000000,")
    assert read.confirm_limit == {"VND": 5_000_000, "INR": 4_000_000}
    assert loaded(tmp_path, CONFIRM_LIMIT="VND:0").confirm_limit == {"VND": 0}


def test_origins_come_from_both_settings_as_browsers_name_them(tmp_path: Path) -> None:
    read = loaded(
        tmp_path,
        CORS_ORIGINS="https://Shop.Example/, http://localhost:3000,https://a.example:443",
        FRONTEND_URL="http://b.example:80",
    )
    assert read.cors_origins == (
        *("https://shop.example", "http://localhost:3000"),
        *("https://a.example", "http://b.example"),
    )


def test_a_secret_may_be_two_while_it_is_rotated(tmp_path: Path) -> None:
    new, old = "new " * 8 + "!", "old " * 8 + "!"
    read = loaded(
        tmp_path,
        SECRET_KEY=f"{new}, {old}",
        MOMO_SECRET_KEY=f"{new},{old}",
        JWT_SECRET=f"{new},{old}",
    )
    assert read.secret_keys == read.jwt_secrets == (new, old)
    assert read.rails.momo is not None
    assert read.rails.momo.secret_keys == (new, old)


def test_tokens_of_people_have_a_secret_of_their_own(tmp_path: Path) -> None:
    """Derived from each SECRET_KEY, so that a rotation of it signs nobody out."""
    one = loaded(tmp_path, SECRET_KEY=KEY)
    both = loaded(tmp_path, SECRET_KEY=f"{SECRET},{KEY}")
    assert len(one.jwt_secrets) == 1
    assert one.jwt_secrets[0] == both.jwt_secrets[1]
    assert one.jwt_secrets[0] not in {both.jwt_secrets[0], KEY}
    assert len(one.jwt_secrets[0]) >= 32


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:5000"),  # noqa: S104 (a value that people set)
        ("::", "http://127.0.0.1:5000"),
        ("::1", "http://[::1]:5000"),
        ("localhost", "http://localhost:5000"),
    ],
)
def test_the_address_is_one_that_can_be_opened(tmp_path: Path, host: str, url: str) -> None:
    read = loaded(tmp_path, HOST=host)
    assert (read.public_url, read.own_url) == (url, url)


def test_a_public_address_is_taken_without_its_last_slash(tmp_path: Path) -> None:
    read = loaded(tmp_path, PUBLIC_URL="https://shop.test/pay/")
    assert read.public_url == "https://shop.test/pay"
    assert read.secure_cookies


def test_empty_is_unset_and_blanks_are_none(tmp_path: Path) -> None:
    names = (
        *("PORT", "PUBLIC_URL", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "JWT_SECRET"),
        *("CORS_ORIGINS", "SHOP_TIMEZONE", "CONFIRM_LIMIT", "MOMO_SECRET_KEY", "SANDBOX"),
    )
    empty = loaded(tmp_path, **dict.fromkeys(names, "  "))
    assert empty == loaded(tmp_path)


def test_what_settings_say_of_themselves_holds_no_secret(tmp_path: Path) -> None:
    names = ("SECRET_KEY", "JWT_SECRET", "MOMO_SECRET_KEY", "MOMO_ACCESS_KEY", "REDIS_PASSWORD")
    read = loaded(
        tmp_path,
        **dict.fromkeys(names, SECRET),
        REDIS_HOST="h",
        DATABASE_URL=f"postgresql://u:{SECRET}@h/d",
        GENERIC_WEBHOOK_SECRET="whsec_aHVudGVyMi1odW50ZXIyLWh1bnRlcjI=",
    )
    for told in (repr(read), str(read), repr(read.rails.momo)):
        assert SECRET not in told
        assert "aHVudGVyMi1" not in told


def test_settings_do_not_change_once_read(read: Settings) -> None:
    with pytest.raises(AttributeError):
        read.port = 1  # type: ignore[misc]
