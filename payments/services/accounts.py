"""People sign in; operators make users and keys."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from payments.domain.errors import Conflict, InvalidInput, Unauthenticated
from payments.services.access import PERMISSIONS
from payments.services.ids import new_id
from payments.services.tokens import KEY_PREFIX
from payments.store import audit, people
from payments.store.db import end_read, in_transaction

ROLES = tuple(role for role in PERMISSIONS if role != "key")

_HASHER = PasswordHasher()

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,189}")


def sign_in(offload: Callable[..., Any], email: str, password: str) -> people.User:
    """Raises Unauthenticated, in the same words whatever was wrong."""
    user = people.find_email(email[:254]) if "\x00" not in email else None
    end_read()
    stored = user.password_hash if user and user.password_hash else None
    right = offload(_matches, stored, password[:1000])
    if user is None or stored is None or not right or user.disabled_at is not None:
        raise Unauthenticated("The e-mail or the password is wrong.")
    return user


def is_password_of(offload: Callable[..., Any], user: people.User, password: str) -> bool:
    """Whether whoever is signed in as this person types what this person would."""
    return bool(offload(_matches, user.password_hash, password[:1000]))


@cache
def _nobodys() -> str:
    """Compared with where there is no such account, so that both refusals take the same time."""
    return _HASHER.hash(secrets.token_hex(8))


def _matches(stored: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(stored or _nobodys(), password) and stored is not None
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def create_user(
    email: str,
    password: str,
    role: str,
    *,
    name: str | None = None,
    locale: str | None = None,
    shortest: int = 10,
) -> str:
    """The new user's id. Raises InvalidInput, and Conflict where the e-mail is taken."""
    if role not in ROLES:
        raise InvalidInput(f"A role is one of {', '.join(ROLES)}.", code="invalid_role")
    if not _EMAIL.fullmatch(email):
        raise InvalidInput("This is not an e-mail address.", code="invalid_email")
    if not shortest <= len(password) <= 1000:
        raise InvalidInput(f"A password has {shortest} characters or more.", code="weak_password")
    if name and (len(name) > 200 or not name.isprintable()):
        raise InvalidInput("A name takes 200 characters at most.", code="invalid_name")
    user_id, hashed = new_id("U"), _HASHER.hash(password)

    def change() -> str:
        made = people.add(
            user_id, email=email, name=name, locale=locale, role=role, password_hash=hashed
        )
        if not made:
            raise Conflict("This e-mail has an account.", code="email_taken")
        audit.record("operator", "user.created", detail_user=user_id, role=role)
        return user_id

    return in_transaction(change)


def create_key(name: str) -> str:
    """The new API key, shown this once: only its hash is kept."""
    # `key:<name>` is what the audit calls it, in 100 characters.
    if not 0 < len(name) <= 80 or not name.isprintable():
        raise InvalidInput("A name takes 1 to 80 characters.", code="invalid_name")
    key = KEY_PREFIX + secrets.token_urlsafe(32)

    def change() -> str:
        people.add_key(name, key)
        audit.record("operator", "key.created", name=name)
        return key

    return in_transaction(change)


def begin_login(user_id: str) -> str:
    """The id of a login that begins: it goes into the cookie, and into the token as `sid`."""
    return in_transaction(lambda: people.begin_login(user_id))


def end_login(login_id: str) -> None:
    in_transaction(lambda: people.end_login(login_id))
