"""Proofs of who somebody is: made, and read back into an identity."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

import jwt
from itsdangerous import BadSignature, URLSafeSerializer
from jwt.types import Options

from payments.domain.errors import Unauthenticated
from payments.services.access import Identity
from payments.settings import Settings
from payments.store import people
from payments.store.db import end_read, in_transaction, now

TOKEN_LIFE = timedelta(hours=12)
KEY_PREFIX = "pk_"


class Tokens:
    """Makes and reads the four kinds of proof: JWT, watch token, access link, browser's orders."""

    def __init__(self, settings: Settings) -> None:
        self._jwt_secrets = settings.jwt_secrets
        self._signer = {
            kind: URLSafeSerializer(list(reversed(settings.secret_keys)), salt=f"paychime.{kind}")
            for kind in ("watch", "link", "browser")
        }

    def person(self, user_id: str, login_id: str | None = None) -> tuple[str, int]:
        """A JWT and its life in seconds. It ends with its login, where it has one."""
        life = int(TOKEN_LIFE.total_seconds())
        issued = int(now().timestamp())
        claims: dict[str, Any] = {"sub": user_id, "iat": issued, "exp": issued + life}
        if login_id is not None:
            claims["sid"] = login_id
        return jwt.encode(claims, self._jwt_secrets[0], algorithm="HS256"), life

    def watch(self, order_id: str) -> str:
        return "wt_" + str(self._signer["watch"].dumps(order_id))

    def link(self, order_id: str) -> str:
        return str(self._signer["link"].dumps(order_id))

    def browser(self, order_ids: list[str]) -> str:
        return str(self._signer["browser"].dumps(order_ids))

    def read(self, kind: str, text: str) -> Any:
        """What was signed, or None."""
        try:
            return self._signer[kind].loads(text)
        except (BadSignature, UnicodeError):
            return None

    def identify(self, token: str) -> Identity:
        """The bearer of a token of any kind.

        Raises Unauthenticated where it is wrong or has run out.
        """
        if not token.isascii():
            raise Unauthenticated("This token is wrong or has run out.")
        if token.startswith(KEY_PREFIX):
            key = people.find_key(token)
            if key:
                return Identity("key", key_id=key[0], key_name=key[1])
        elif token.startswith("wt_"):
            order_id = self.read("watch", token[3:])
            if isinstance(order_id, str):
                return Identity("watch", order_ids=frozenset({order_id}))
        elif (claims := self._claims(token)) is not None:
            return Identity("person", user=_person_of(claims), login_id=_login_of(claims))
        raise Unauthenticated("This token is wrong or has run out.")

    def _claims(self, token: str) -> dict[str, Any] | None:
        # `iat` is not ours to judge: the clock of the shop's backend may be a little ahead.
        options: Options = {"require": ["sub", "exp"], "verify_iat": False}
        for secret in self._jwt_secrets:
            # An `exp` of 1e999 is infinite to Python's JSON, and no whole number.
            with suppress(jwt.PyJWTError, OverflowError):
                return dict(jwt.decode(token, secret, algorithms=["HS256"], options=options))
        return None


def _person_of(claims: dict[str, Any]) -> people.User:
    """The user a token names; one that only the shop's backend knows becomes a customer."""
    user_id = claims["sub"]
    if not 0 < len(user_id) <= 64 or not user_id.isprintable():
        raise Unauthenticated("This token is wrong or has run out.")
    user = people.find(user_id)
    if user is None:
        user = _welcome(user_id, claims)
    if user is None or user.disabled_at is not None:
        raise Unauthenticated("This token is wrong or has run out.")
    return user


def _login_of(claims: dict[str, Any]) -> str | None:
    """Of a token that we gave. A `sid` of somebody else's has no meaning here."""
    login_id = claims.get("sid")
    if not isinstance(login_id, str) or not re.fullmatch(r"[A-Za-z0-9]{1,32}", login_id):
        return None
    if people.ended_logins([login_id]):
        raise Unauthenticated("This token is wrong or has run out.")
    return login_id


def _welcome(user_id: str, claims: dict[str, Any]) -> people.User | None:
    def claim(name: str, longest: int) -> str | None:
        value = claims.get(name)
        kept = isinstance(value, str) and value.isprintable() and value.strip()
        return kept[:longest] if kept else None

    def first_use() -> people.User | None:
        # An e-mail that is another person's is left to that person.
        email, name, locale = claim("email", 254), claim("name", 200), claim("locale", 16)
        if not people.add(user_id, email=email, name=name, locale=locale):
            people.add(user_id, name=name, locale=locale)
        return people.find(user_id)

    end_read()
    return in_transaction(first_use)
