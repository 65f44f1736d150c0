"""Who is asking, and what is theirs: the one door that pages, calls and rooms ask alike."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import jwt
from itsdangerous import BadSignature, URLSafeSerializer
from jwt.types import Options

from payments.domain.errors import Forbidden, NotFound, Unauthenticated
from payments.domain.order import Order
from payments.domain.states import OPEN
from payments.settings import Settings
from payments.store import orders, people
from payments.store.db import end_read, in_transaction, now

PERMISSIONS: dict[str, frozenset[str]] = {
    "customer": frozenset(),
    "clerk": frozenset(
        {"order.see", "order.create", "order.cancel", "order.confirm", "withdrawal.see"}
    ),
    "manager": frozenset(
        {
            *("order.see", "order.create", "order.cancel", "order.confirm"),
            *("order.approve", "order.refund"),
            *("withdrawal.see", "withdrawal.settle"),
        }
    ),
    "accountant": frozenset({"order.see", "withdrawal.see"}),
    "admin": frozenset(
        {
            *("order.see", "order.create", "order.cancel", "order.confirm"),
            *("order.approve", "order.refund", "webhook.edit"),
            *("withdrawal.see", "withdrawal.settle"),
        }
    ),
    "key": frozenset({"order.see", "order.create", "order.cancel", "order.refund", "webhook.edit"}),
}
"""What each role may do, the shop's API key among them.

A role is never asked for by name elsewhere.
"""

TOKEN_LIFE = timedelta(hours=12)
LINK_LIFE_AFTER_END = timedelta(days=30)
KEY_PREFIX = "pk_"


@dataclass(frozen=True, slots=True)
class Identity:
    """One asker. A browser may be a person and own orders by its cookie at the same time."""

    kind: str = "nobody"
    user: people.User | None = None
    key_id: str | None = None
    key_name: str | None = None
    order_ids: frozenset[str] = field(default_factory=frozenset)
    login_id: str | None = None
    """Which of the person's logins; None for a token that the shop's own backend signed."""

    @property
    def nobody(self) -> bool:
        return self.kind == "nobody"

    @property
    def role(self) -> str | None:
        return "key" if self.kind == "key" else self.user.role if self.user else None

    @property
    def user_id(self) -> str | None:
        return self.user.id if self.user else None

    @property
    def staff(self) -> bool:
        return self.user is not None and self.user.role != "customer"

    @property
    def actor(self) -> str:
        """How the audit names this asker."""
        if self.user:
            return f"user:{self.user.id}"
        return f"key:{self.key_name}" if self.kind == "key" else "customer"

    @property
    def caller(self) -> str:
        """Whose limits and Idempotency-Keys count: two keys may have one name."""
        return f"key:{self.key_id}" if self.key_id else self.actor

    def may(self, permission: str) -> bool:
        return permission in PERMISSIONS.get(self.role or "", frozenset())


NOBODY = Identity()


def demand(identity: Identity, permission: str) -> None:
    """Raises Unauthenticated for nobody, Forbidden for somebody without the right."""
    if identity.may(permission):
        return
    if identity.kind in {"nobody", "browser"}:
        raise Unauthenticated("Say who you are first.")
    raise Forbidden("You do not have the right to do this.")


def person_of(who: Identity) -> people.User:
    """Raises Unauthenticated, and Forbidden for a key, which has no cards and no wallet."""
    if who.user is not None:
        return who.user
    if who.kind in {"nobody", "browser"}:
        raise Unauthenticated("Say who you are first.")
    raise Forbidden("Only a person has this.")


def may_see_all_orders(identity: Identity) -> bool:
    return identity.may("order.see")


def may_see(identity: Identity, order: Order) -> bool:
    owner = identity.user is not None and order.customer_id == identity.user.id
    return may_see_all_orders(identity) or owner or order.id in identity.order_ids


def may_see_order(identity: Identity, order_id: str) -> bool:
    """False for "not yours" and for "no such" alike, after the same work: nor does the time tell.

    The same rule as `may_see`, asked of the database.
    """
    if may_see_all_orders(identity) or order_id in identity.order_ids:
        return orders.exists(order_id)
    return orders.exists(order_id, customer_id=identity.user.id if identity.user else "")


def order_seen_by(identity: Identity, order_id: str) -> Order:
    """The order, to look at. Raises NotFound in the same words for "not yours" and "no such"."""
    order = orders.find(order_id)
    if order is None or not may_see(identity, order):
        raise NotFound
    return order


def order_for(identity: Identity, order_id: str) -> Order:
    """The order, to act on: whoever holds only a watch token looks on."""
    order = order_seen_by(identity, order_id)
    if identity.kind == "watch":
        raise Forbidden("A watch token only watches.")
    return order


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


def link_is_open(order: Order) -> bool:
    """An access link works until 30 days after the order's end."""
    if order.status in OPEN:
        return True
    return now() < (order.ended_at or order.expires_at) + LINK_LIFE_AFTER_END
