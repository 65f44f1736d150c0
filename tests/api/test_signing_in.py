"""A password for a token; tokens of the shop's own backend; ten tries a minute."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from flask import Flask

from payments.domain.order import Order
from payments.store import people as people_store
from payments.store.db import in_transaction
from tests.outside import ON_SQLITE, Caller, count, done, problem, submit
from tests.people import PASSWORD, People

SECRETS = ("new-" * 20, "old-" * 20)
"""Long enough for the algorithms that we do not take, too."""
OURS = {"Origin": "http://localhost"}


def claims(**changes: Any) -> dict[str, Any]:
    return {"sub": "user-7", "exp": int(time.time()) + 60, **changes}


def signed(content: dict[str, Any], secret: str = SECRETS[0], algorithm: str = "HS256") -> str:
    return jwt.encode(content, secret, algorithm=algorithm)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def environment() -> dict[str, str]:
    return {"JWT_SECRET": ",".join(SECRETS), "CORS_ORIGINS": "https://shop.example"}


@pytest.fixture
def order(people: People) -> Order:
    return people.order(customer_id="user-7")


def sign_in(app: Flask, body: dict[str, Any], **headers: str) -> Any:
    return Caller(app, headers).post("/auth/token", body)


def test_a_person_gets_a_token_for_the_password(app: Flask, people: People) -> None:
    owner = people.owner.user
    assert owner is not None
    told = done(sign_in(app, {"email": "  Owner@People.test ", "password": PASSWORD}))
    assert told["expires_in"] == 12 * 3600
    read = jwt.decode(told["token"], SECRETS[0], algorithms=["HS256"])
    assert read["sub"] == owner.id
    assert 0 <= read["exp"] - time.time() - told["expires_in"] + 60 < 120
    order = people.order(customer_id=owner.id)
    done(Caller(app, bearer(told["token"])).get(f"/orders/{order.id}"))


def test_a_wrong_password_and_an_unknown_account_are_told_apart_by_nobody(
    app: Flask, people: People
) -> None:
    people.person("owner")
    people.in_app(
        in_transaction, lambda: people_store.add("no-password", email="token-only@people.test")
    )
    answers = [
        sign_in(app, {"email": email, "password": password})
        for email, password in (
            ("owner@people.test", "wrong"),
            ("owner@people.test", ""),
            ("owner@people.test", PASSWORD + " "),
            ("nobody@people.test", PASSWORD),
            ("token-only@people.test", ""),
            ("", ""),
            ("' OR 1=1 --", "x"),
        )
    ]
    for answer in answers:
        problem(answer, 401, "unauthorized")
        assert "Set-Cookie" not in answer.headers
    assert len({answer.data for answer in answers}) == 1


@ON_SQLITE
@pytest.mark.parametrize(
    "body", [{}, {"email": "a@b.c"}, {"email": 7, "password": "x"}, {"email": [], "password": {}}]
)
def test_credentials_are_two_texts(app: Flask, body: dict[str, Any]) -> None:
    assert sign_in(app, body).status_code == 400


@ON_SQLITE
@pytest.mark.parametrize(
    ("origin", "kept"),
    [
        ("http://localhost", True),
        ("https://shop.example", True),
        ("https://evil.example", False),
        ("http://localhost:8080", False),
        ("null", False),
        (None, False),
    ],
)
def test_the_login_cookie_is_set_for_our_pages_and_listed_frontends_alone(
    app: Flask, people: People, origin: str | None, kept: bool
) -> None:
    people.person("owner")
    browser = app.test_client()
    answer = browser.post(
        "/api/v1/auth/token",
        json={"email": "owner@people.test", "password": PASSWORD},
        headers={"Origin": origin} if origin else {},
    )
    done(answer)
    assert ("Set-Cookie" in answer.headers) is kept
    listed = browser.get("/api/v1/orders")
    problem(listed, 403 if kept else 401, "forbidden" if kept else "unauthorized")


@ON_SQLITE
def test_the_eleventh_try_of_a_minute_is_told_to_wait(app: Flask, people: People) -> None:
    people.person("owner")
    right = {"email": "owner@people.test", "password": PASSWORD}
    for _ in range(10):
        problem(sign_in(app, {**right, "password": "wrong"}), 401, "unauthorized")
    late = sign_in(app, right)
    problem(late, 429, "too_many_requests")
    assert late.headers["Retry-After"] == "60"


@ON_SQLITE
def test_the_page_and_the_call_are_one_door(app: Flask) -> None:
    browser = app.test_client()
    wrong = {"email": "owner@people.test", "password": "wrong"}
    pages = [submit(browser, "/login", **wrong).status_code for _ in range(6)]
    calls = [sign_in(app, wrong).status_code for _ in range(6)]
    assert pages + calls == [401] * 10 + [429] * 2
    assert submit(browser, "/login", **wrong).status_code == 429


@ON_SQLITE
def test_another_address_does_not_get_ten_more_tries_at_one_account(
    app: Flask, people: People
) -> None:
    people.person("owner")
    for number in range(10):
        caller = Caller(app, address=f"192.0.2.{number}")
        caller.post("/auth/token", {"email": " OWNER@people.test", "password": "wrong"})
    last = Caller(app, address="192.0.2.99")
    for email in ("owner@people.test", "Owner@People.Test"):
        answer = last.post("/auth/token", {"email": email, "password": PASSWORD})
        problem(answer, 429, "too_many_requests")
    problem(last.post("/auth/token", {"email": "x@y.z", "password": "x"}), 401, "unauthorized")


@ON_SQLITE
def test_one_address_does_not_get_ten_tries_for_each_account(app: Flask) -> None:
    tries = [
        sign_in(app, {"email": f"{number}@people.test", "password": "x"}, **forged)
        for number, forged in enumerate(
            {"X-Forwarded-For": f"192.0.2.{number}", "X-Real-IP": f"192.0.2.{number}"}
            for number in range(11)
        )
    ]
    assert [one.status_code for one in tries] == [401] * 10 + [429]


def test_a_token_of_the_shops_backend_makes_a_customer_on_first_use(
    app: Flask, people: People, order: Order
) -> None:
    token = signed(claims(email="Mai@Shop.test", name="Mai", locale="vi", role="admin"))
    for _ in range(2):
        assert done(Caller(app, bearer(token)).get(f"/orders/{order.id}"))["id"] == order.id
    made = people.in_app(people_store.find, "user-7")
    assert made is not None
    assert (made.email, made.name, made.locale, made.role, made.password_hash) == (
        *("mai@shop.test", "Mai", "vi", "customer", None),
    )
    assert count(people, "users") == 1


def test_a_token_does_not_take_over_another_persons_email(app: Flask, people: People) -> None:
    people.person("owner")
    token = signed(claims(email="owner@people.test"))
    problem(Caller(app, bearer(token)).get("/orders/none"), 404, "not_found")
    made = people.in_app(people_store.find, "user-7")
    assert made is not None
    assert made.email is None


def test_strange_claims_are_left_aside(app: Flask, people: People, order: Order) -> None:
    token = signed(claims(email="a\x00b", name=["Mai"], locale="v" * 99))
    done(Caller(app, bearer(token)).get(f"/orders/{order.id}"))
    made = people.in_app(people_store.find, "user-7")
    assert made is not None
    assert (made.email, made.name) == (None, None)


def tampered(token: str) -> str:
    head, body, signature = token.split(".")
    return ".".join((head, body, ("B" if signature[0] == "A" else "A") + signature[1:]))


WRONG = {
    "no expiry": signed({"sub": "user-7"}),
    "no subject": signed({"exp": int(time.time()) + 3600}),
    "an empty subject": signed(claims(sub="")),
    "a long subject": signed(claims(sub="u" * 65)),
    "a NUL in the subject": signed(claims(sub="a\x00b")),
    "a number as subject": signed(claims()).split(".")[0] + ".e30.x",
    "expired": signed(claims(exp=int(time.time()) - 1)),
    "an expiry that is no number": signed(claims(exp="tomorrow")),
    "not valid yet": signed(claims(nbf=int(time.time()) + 3600)),
    "another secret": signed(claims(), "a secret of somebody else, not the shop's"),
    "HS512": signed(claims(), algorithm="HS512"),
    "HS384": signed(claims(), algorithm="HS384"),
    "no algorithm": jwt.encode(claims(), "", algorithm="none"),
    "tampered": tampered(signed(claims())),
    "another's body": ".".join(
        (
            signed(claims()).split(".")[0],
            signed(claims(sub="admin")).split(".")[1],
            signed(claims()).split(".")[2],
        )
    ),
    "three points": "...",
    "an infinite expiry": "",
    "a lone surrogate": "",
}


def raw_token(payload: bytes) -> str:
    return jwt.api_jws.encode(payload, SECRETS[0], algorithm="HS256")


WRONG["an infinite expiry"] = raw_token(b'{"sub": "user-7", "exp": 1e999}')
WRONG["a lone surrogate"] = raw_token(b'{"sub": "\\ud800", "exp": 9999999999}')
WRONG["a number as subject"] = raw_token(b'{"sub": 7, "exp": 9999999999}')
WRONG["not an object"] = raw_token(b"[]")
WRONG["not JSON"] = raw_token(b"\xff")


def test_a_token_that_is_wrong_opens_nothing(app: Flask, people: People, order: Order) -> None:
    for name, token in WRONG.items():
        answer = Caller(app, bearer(token)).get(f"/orders/{order.id}")
        assert answer.status_code == 401, (name, answer.get_data(as_text=True))
        problem(answer, 401, "unauthorized")
    assert count(people, "users") == 0


def test_a_token_signed_by_a_key_pair_is_refused(app: Flask, order: Order) -> None:
    """The algorithm is ours to choose, never the token's."""
    head = json.dumps({"alg": "RS256", "typ": "JWT"})
    parts = [jwt.utils.base64url_encode(text.encode()) for text in (head, json.dumps(claims()))]
    signature = jwt.utils.base64url_encode(b"x" * 256)
    token = b".".join([*parts, signature]).decode()
    problem(Caller(app, bearer(token)).get(f"/orders/{order.id}"), 401, "unauthorized")


@ON_SQLITE
def test_a_backend_whose_clock_is_a_little_ahead_is_believed(app: Flask, order: Order) -> None:
    token = signed(claims(iat=int(time.time()) + 20))
    done(Caller(app, bearer(token)).get(f"/orders/{order.id}"))


@ON_SQLITE
def test_while_the_secret_is_rotated_both_verify(app: Flask, order: Order) -> None:
    for secret in SECRETS:
        done(Caller(app, bearer(signed(claims(), secret))).get(f"/orders/{order.id}"))
